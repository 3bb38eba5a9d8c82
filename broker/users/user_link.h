/* SPDX-License-Identifier: MPL-2.0 */
/* A request or two to the broker that runs on a data directory, over its operator's socket. */
#ifndef CONCLAVE_BROKER_USERS_USER_LINK_H
#define CONCLAVE_BROKER_USERS_USER_LINK_H

#include "proto/message.h"

typedef struct user_link user_link_t;

/* NULL: no socket can be had. Whether the broker answers shows with the first request. */
user_link_t *user_link_open(const char *data);
/* NULL is allowed. */
void user_link_close(user_link_t **self);

/* The reply's status; STATUS_TIMED_OUT; STATUS_MALFORMED for an answer that isn't one. */
MUST_CHECK status_t user_link_ask(user_link_t *self, verb_t verb, const void *body);

/* The last reply, zero if there was none; good until the next request. */
const message_t *user_link_reply(const user_link_t *self);

#endif
