/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/trace/source.h"

#include "broker/clock.h"
#include "proto/memory.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

void trace_source_init(trace_source_t *self, trace_queue_t *queue)
{
    *self = (trace_source_t){.queue = queue};
    randombytes_buf(self->ids, sizeof self->ids);
}

void trace_source_wipe(trace_source_t *self)
{
    free(self->fan_outs);
    *self = (trace_source_t){0};
}

/*
 * Never zero, and none twice in 2^64: a counter, mixed so that each bit looks random (SplitMix64),
 * for samplers take an id's last 56 bits for a random number (W3C Trace Context, level 2). No
 * secret.
 */
static void next_id(uint64_t *counter, uint8_t out[static SPAN_ID_BYTES])
{
    uint64_t mixed;
    do {
        mixed = *counter += 0x9e3779b97f4a7c15u;
        mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
        mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
        mixed ^= mixed >> 31;
    } while (mixed == 0);
    put_u64(out, mixed);
}

static void open_request(trace_source_t *self, const trace_record_t *record)
{
    static const uint8_t none[TRACE_ID_BYTES];
    next_id(&self->ids[0], self->span_id);
    memcpy(self->parent_id, record->parent_id, SPAN_ID_BYTES);
    if (memcmp(record->trace_id, none, TRACE_ID_BYTES) != 0) {
        memcpy(self->trace_id, record->trace_id, TRACE_ID_BYTES);
    } else {
        next_id(&self->ids[1], self->trace_id);
        next_id(&self->ids[2], self->trace_id + TRACE_ID_BYTES / 2);
    }
    self->is_open = true;
}

/* Only the answer knows whose request it was, and about which group. */
static void complete_received(trace_source_t *self, const trace_record_t *answer)
{
    trace_record_t *received = self->received;
    self->received = NULL;
    self->is_open = false;
    if (!received)
        return;
    received->user = answer->user;
    received->purpose = answer->purpose;
    received->group = answer->group;
    received->epoch = answer->epoch;
}

static void note_fan_out(trace_source_t *self, uint64_t number)
{
    if (self->fan_out_count == self->fan_out_capacity) {
        self->fan_out_capacity = self->fan_out_capacity ? self->fan_out_capacity * 2 : 16;
        self->fan_outs =
            mem_realloc(self->fan_outs, self->fan_out_capacity, sizeof *self->fan_outs);
    }
    self->fan_outs[self->fan_out_count++] = number;
}

uint64_t trace_source_listen(void *context, const trace_record_t *record)
{
    trace_source_t *self = context;
    if (record->step == TRACE_RECEIVED)
        open_request(self, record);
    trace_record_t *slot = trace_queue_slot(self->queue);
    if (record->step == TRACE_RECEIVED)
        self->received = slot;
    if (slot) {
        *slot = *record;
        slot->time_us = wall_clock_us();
        if (self->is_open || record->step == TRACE_APPENDED) {
            memcpy(slot->trace_id, self->trace_id, TRACE_ID_BYTES);
            memcpy(slot->span_id, self->span_id, SPAN_ID_BYTES);
            memcpy(slot->parent_id, self->parent_id, SPAN_ID_BYTES);
        }
        if (record->step == TRACE_STORED || record->step == TRACE_STORE_FAILED)
            slot->duration_us = self->write_us;
        if (record->step == TRACE_FANNED_OUT)
            note_fan_out(self, trace_queue_number(self->queue));
    }
    if (record->step == TRACE_ACCEPTED || record->step == TRACE_REFUSED)
        complete_received(self, record);
    return slot ? trace_queue_number(self->queue) : 0;
}

/* A member's pushes of one group come one after the other, then those to the next member, and at
 * last the group's fan-out, which counts who got them all. */
static bool is_members_last(trace_source_t *self, uint64_t number, const trace_record_t *push)
{
    const trace_record_t *next = trace_queue_unpublished(self->queue, number + 1);
    return !next || (next->step != TRACE_PUSHED && next->step != TRACE_PUSH_DROPPED) ||
           !name_equal(&next->user, &push->user) || !name_equal(&next->group, &push->group);
}

/* The one whose pushes `number` is among. */
static trace_record_t *fan_out_of(trace_source_t *self, uint64_t number, const name_t *group)
{
    size_t from = 0, to = self->fan_out_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (self->fan_outs[middle] < number)
            from = middle + 1;
        else
            to = middle;
    }
    trace_record_t *found = from < self->fan_out_count
                                ? trace_queue_unpublished(self->queue, self->fan_outs[from])
                                : NULL;
    return found && name_equal(&found->group, group) ? found : NULL;
}

void trace_source_push_dropped(trace_source_t *self, uint64_t step, trace_reason_t reason)
{
    trace_record_t *push = trace_queue_unpublished(self->queue, step);
    if (!push || push->step != TRACE_PUSHED)
        return;
    push->step = TRACE_PUSH_DROPPED;
    push->reason = reason;
    trace_record_t *fan_out =
        is_members_last(self, step, push) ? fan_out_of(self, step, &push->group) : NULL;
    if (fan_out && fan_out->count > 0)
        fan_out->count--;
}

void trace_source_wrote(trace_source_t *self, uint64_t duration_us)
{
    self->write_us = duration_us;
}

void trace_source_publish(trace_source_t *self)
{
    trace_queue_publish(self->queue);
    self->fan_out_count = 0;
}
