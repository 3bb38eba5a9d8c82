/* SPDX-License-Identifier: MPL-2.0 */
/* Publishes an identity's name and key at a broker: the one request made before there is an
 * account, and so without an engine. */
#ifndef CONCLAVE_CLIENT_ACTORS_REGISTRATION_H
#define CONCLAVE_CLIENT_ACTORS_REGISTRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/status.h"
#include "proto/trace_context.h"

struct identity; /* client/keys/identity.h */

typedef struct {
    const struct identity *identity;
    const char *broker_url; /* tcp://HOST:PORT#KEY */
    const uint8_t *invite;  /* INVITE_BYTES, of the broker's operator; NULL: none */
    uint64_t timeout_ms;
    trace_context_t trace;               /* that the request carries, if there is one */
    bool (*is_cancelled)(void *context); /* asked a few times a second */
    void *context;
} registration_t;

/*
 * Connects, says hello, registers; tries again until the time is over. Repeating it for the same
 * identity is harmless. *was_sent: the broker may have stored the registration even though no
 * answer came. STATUS_NAME_TAKEN and whatever else the broker refuses with, STATUS_BAD_ENDPOINT,
 * STATUS_WRONG_BROKER, STATUS_UNREACHABLE (never connected), STATUS_TIMED_OUT, STATUS_INTERRUPTED,
 * STATUS_IO_ERROR.
 */
MUST_CHECK status_t registration_run(const registration_t *self, bool *was_sent);

#endif
