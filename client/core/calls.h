/* SPDX-License-Identifier: MPL-2.0 */
/* Unanswered requests to the broker, oldest first, with their bodies kept so that a retry has the
 * same bytes. */
#ifndef CONCLAVE_CLIENT_CORE_CALLS_H
#define CONCLAVE_CLIENT_CORE_CALLS_H

#include "proto/message.h"
#include "proto/trace_context.h"

typedef struct {
    uint64_t id;
    verb_t verb;
    uint8_t group[GROUP_ID_BYTES]; /* whose: for the one who asked; zeros if none */
    uint64_t subject;              /* what about: for the one who asked */
    trace_context_t trace;         /* of the action it belongs to; none of most */
    buffer_t body;
    bool in_flight;
    uint64_t deadline_ms;   /* boot clock; of one in flight */
    uint64_t rest_until_ms; /* boot clock; not sent before */
    unsigned refusals;      /* transient ones in a row */
} call_t;

typedef struct {
    call_t *items;
    size_t count, capacity;
    size_t in_flight;
    uint64_t last_id;
} calls_t;

/* Copies the request's fields. Returns the call's id. */
uint64_t calls_add(calls_t *self, verb_t verb, const uint8_t *group, uint64_t subject,
                   const void *request);
/* NULL if there is none. Valid until the next change. */
call_t *calls_find(calls_t *self, uint64_t id);
/* Moves the call out: the caller wipes it. False if there is none. */
bool calls_take(calls_t *self, uint64_t id, call_t *out);
/* The oldest, whatever its state. */
bool calls_take_first(calls_t *self, call_t *out);
/* The oldest that may be sent now, or NULL. */
call_t *calls_next(calls_t *self, uint64_t now_ms);
void calls_mark_sent(calls_t *self, call_t *call, uint64_t deadline_ms);
/* It is answered "later": sent again after the rest. */
void calls_mark_resting(calls_t *self, call_t *call, uint64_t until_ms);
/* The connection is gone: all wait to be sent again. */
void calls_mark_all_unsent(calls_t *self);
/* When the first one in flight times out; UINT64_MAX if none. */
uint64_t calls_first_deadline(const calls_t *self);
/* When the first one that waits may be sent; UINT64_MAX if none waits or nothing more may be in
 * flight. */
uint64_t calls_first_sendable(const calls_t *self);

void call_wipe(call_t *self);
void calls_wipe(calls_t *self);

#endif
