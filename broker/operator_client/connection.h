/* SPDX-License-Identifier: MPL-2.0 */
/* A tool's side of the operator's socket. */
#ifndef CONCLAVE_BROKER_OPERATOR_CLIENT_CONNECTION_H
#define CONCLAVE_BROKER_OPERATOR_CLIENT_CONNECTION_H

#include "broker/operator/times.h"
#include "proto/endpoint.h"
#include "proto/message.h"

#include <limits.h>

/* Where the broker is: on this machine by its data directory, or elsewhere by its address (with the
 * broker's key) and the operator's own key file. */
typedef struct {
    const char *data; /* NULL: the default directory, unless there is a broker */
    const char *broker;
    const char *key_file;
} connection_target_t;

typedef struct connection connection_t;

/* NULL, and a line for people in problem, if there is nothing to connect to. Whether the broker
 * answers shows with the first request. There is one connection: it is not made again. */
connection_t *connection_open(const connection_target_t *target, char *problem,
                              size_t problem_size);
void connection_close(connection_t **self);

/*
 * Asks and waits for the reply; pushes that come meanwhile are kept for connection_next. *reply is
 * lent until the next call. body: e.g. const explain_request_t *. The reply's own status, or
 * STATUS_UNREACHABLE for a broker that isn't there, or has gone, STATUS_TIMED_OUT,
 * STATUS_MALFORMED for an answer that isn't one, STATUS_INTERRUPTED.
 */
MUST_CHECK status_t connection_ask(connection_t *self, verb_t verb, const void *body,
                                   const message_t **reply);

/* The same for what takes long: waits as long as the broker gives signs of life. *reply is NULL if
 * none came. */
MUST_CHECK status_t connection_ask_patiently(connection_t *self, verb_t verb, const void *body,
                                             const message_t **reply);

/* The next push of steps, lent until the next call. STATUS_TIMED_OUT: none came in time (the broker
 * sends a sign of life every OPERATOR_SILENCE_MS); STATUS_UNREACHABLE: it has gone;
 * STATUS_INTERRUPTED: a signal. timeout_ms -1: for ever. */
MUST_CHECK status_t connection_next(connection_t *self, int timeout_ms, const traced_push_t **push);

/* After STATUS_UNREACHABLE or STATUS_TIMED_OUT: what is known of the cause, for people. */
const char *connection_trouble(const connection_t *self);

/* From now on SIGINT and SIGTERM make the calls above return STATUS_INTERRUPTED, and this true. */
void connection_catch_signals(void);
bool connection_is_interrupted(void);

#endif
