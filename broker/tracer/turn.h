/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which steps belong together: those of a request, and the requests of a turn.
 *
 *   received ... accepted | refused ... appended ...    one request after the other
 *   stored | store failed                               at most once, for all of them
 *
 * Steps may be missing: filtered out, or lost. What belongs to a request whose beginning was not
 * seen belongs to none.
 */
#ifndef CONCLAVE_BROKER_TRACER_TURN_H
#define CONCLAVE_BROKER_TRACER_TURN_H

#include "proto/message.h"

/* Zeroed: before the first step. */
typedef struct {
    uint64_t number;
    bool has_request; /* the last one that was received, in this turn or before */
    bool is_answered;
    uint8_t span_id[SPAN_ID_BYTES]; /* its */
} turn_t;

/* Whether it is another turn's than the steps before: that one is over, with or without a write.
 * Some steps are of no turn. */
bool turn_is_next(const turn_t *self, const trace_record_t *step);

/* Goes on to this step. Whether it belongs to the request that was received last; received itself
 * does, a second answer does not. */
bool turn_take(turn_t *self, const trace_record_t *step);

/* Whether the last request's answer was not seen yet. */
bool turn_is_waiting(const turn_t *self);

/* Nothing that comes belongs to a request that was received before. */
void turn_end(turn_t *self);

#endif
