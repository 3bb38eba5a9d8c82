/* SPDX-License-Identifier: MPL-2.0 */
/* One handler a verb: request->message in, request->reply out. */
#ifndef CONCLAVE_BROKER_RULES_HANDLERS_H
#define CONCLAVE_BROKER_RULES_HANDLERS_H

#include "broker/rules/state.h"

/*
 * The dispatcher has checked the connection's state and the token, and read the user's memberships.
 * A refusal takes back what the handler wrote through the overlay; copies in memory may be changed
 * only when nothing can refuse any more. STATUS_STORE_FAILED when a read failed.
 */
#define RECORD(record, fields)
#define PUSH(code, verb, fields)
#define REQUEST(code, verb, request_fields, reply_fields)                                          \
    MUST_CHECK status_t handle_##verb(request_t *request);
#include "proto/messages.def"
#undef RECORD
#undef PUSH
#undef REQUEST

/* Carries out one message that was read, or answers why it could not be read. It took size_bytes of
 * its frame. */
void dispatch(rules_t *self, peer_t *peer, const message_t *message, size_t size_bytes,
              status_t read_status);

/* A token of the user's bucket for changes of membership. */
MUST_CHECK status_t take_membership_token(rules_t *self, const name_t *user);

void drop_oldest_rate(rules_t *self);

/* What several verbs begin with: STATUS_UNKNOWN_GROUP, then STATUS_NOT_MEMBER for who isn't a
 * current member, then STATUS_NOT_ADMIN where need be. */
MUST_CHECK status_t request_member(request_t *request, const uint8_t *group, group_t **group_out,
                                   member_t **member_out);
MUST_CHECK status_t request_admin(request_t *request, const uint8_t *group, group_t **group_out,
                                  member_t **member_out);

#endif
