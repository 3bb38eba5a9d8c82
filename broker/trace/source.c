/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/trace/source.h"

#include "broker/clock.h"

#include <sodium.h>
#include <string.h>

void trace_source_init(trace_source_t *self, trace_queue_t *queue)
{
    *self = (trace_source_t){.queue = queue};
    randombytes_buf(self->unique, sizeof self->unique);
    randombytes_buf(&self->next_id, sizeof self->next_id);
}

/* Never zero, and never the same twice. */
static void make_span_id(trace_source_t *self, uint8_t out[static SPAN_ID_BYTES])
{
    if (++self->next_id == 0)
        self->next_id = 1;
    put_u64(out, self->next_id);
}

static void open_request(trace_source_t *self, const trace_record_t *record)
{
    static const uint8_t none[TRACE_ID_BYTES];
    make_span_id(self, self->span_id);
    memcpy(self->parent_id, record->parent_id, SPAN_ID_BYTES);
    if (memcmp(record->trace_id, none, TRACE_ID_BYTES) != 0) {
        memcpy(self->trace_id, record->trace_id, TRACE_ID_BYTES);
    } else {
        memcpy(self->trace_id, self->unique, TRACE_ID_BYTES);
        memcpy(self->trace_id + SPAN_ID_BYTES, self->span_id, SPAN_ID_BYTES);
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

void trace_source_listen(void *context, const trace_record_t *record)
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
    }
    if (record->step == TRACE_ACCEPTED || record->step == TRACE_REFUSED)
        complete_received(self, record);
}

void trace_source_wrote(trace_source_t *self, uint64_t duration_us)
{
    self->write_us = duration_us;
}

void trace_source_publish(trace_source_t *self)
{
    trace_queue_publish(self->queue);
}
