/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/tracer/turn.h"

#include "broker/rules/trace.h"

#include <sodium.h>
#include <string.h>

bool turn_is_next(const turn_t *self, const trace_record_t *step)
{
    return step->turn != 0 && step->turn != self->number;
}

static bool begin_request(turn_t *self, const trace_record_t *received)
{
    self->has_request = true;
    self->is_answered = false;
    memcpy(self->span_id, received->span_id, SPAN_ID_BYTES);
    return true;
}

bool turn_take(turn_t *self, const trace_record_t *step)
{
    if (step->turn != 0)
        self->number = step->turn;
    if (step->step == TRACE_RECEIVED)
        return begin_request(self, step);
    if (!self->has_request || sodium_is_zero(step->span_id, SPAN_ID_BYTES) ||
        memcmp(self->span_id, step->span_id, SPAN_ID_BYTES) != 0)
        return false;
    if (step->step != TRACE_ACCEPTED && step->step != TRACE_REFUSED)
        return true;
    bool is_first = !self->is_answered;
    self->is_answered = true;
    return is_first;
}

bool turn_is_waiting(const turn_t *self)
{
    return self->has_request && !self->is_answered;
}

void turn_end(turn_t *self)
{
    self->has_request = false;
}
