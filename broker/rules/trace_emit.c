/* SPDX-License-Identifier: MPL-2.0 */
/* Where the rules make their trace records. */
#include "broker/rules/trace_emit.h"

#include "broker/rules/output.h"
#include "proto/trace_context.h"

#include <string.h>

/* `make TRACE=0` leaves all records out, to see what they cost. */
#ifndef CONCLAVE_TRACE
#define CONCLAVE_TRACE 1
#endif

static bool is_heard(const rules_t *self)
{
    return CONCLAVE_TRACE && self->config.listen;
}

static uint64_t emit(rules_t *self, trace_record_t *record)
{
    record->turn = self->turn;
    return self->config.listen(self->config.listen_context, record);
}

static void set_group(trace_record_t *record, const group_t *group)
{
    record->group = group->head.name;
    record->epoch = group->head.epoch;
}

static trace_record_t record_of(const request_t *request, trace_step_t step)
{
    const message_t *message = request->message;
    trace_record_t record = {.step = step,
                             .verb = message->verb,
                             .request = message->id,
                             .user = request->user_name,
                             .sequence = request->sequence,
                             .last_sequence = request->sequence};
    if (request->session)
        record.purpose = request->session->purpose;
    if (request->group)
        set_group(&record, request->group);
    return record;
}

void trace_received(rules_t *self, const request_t *request)
{
    trace_context_t context;
    if (!is_heard(self))
        return;
    trace_record_t record = record_of(request, TRACE_RECEIVED);
    record.size_bytes = request->size_bytes;
    if (trace_context_read(&context, request->message->traceparent)) {
        memcpy(record.trace_id, context.trace_id, TRACE_ID_BYTES);
        memcpy(record.parent_id, context.span_id, SPAN_ID_BYTES);
    }
    emit(self, &record);
}

void trace_answered(rules_t *self, const request_t *request, status_t status)
{
    bool known = status != STATUS_UNKNOWN_VERB && request->message->verb < COUNTED_VERBS;
    unsigned verb = known ? request->message->verb : VERB_none;
    self->counters.answered[verb][status < COUNTED_STATUSES ? status : STATUS_MALFORMED]++;
    if (!is_heard(self))
        return;
    trace_record_t record =
        record_of(request, status == STATUS_OK ? TRACE_ACCEPTED : TRACE_REFUSED);
    record.status = status;
    emit(self, &record);
    if (status == STATUS_OK && request->sequence != 0) {
        record.step = TRACE_APPENDED;
        emit(self, &record);
    }
}

void trace_stored(rules_t *self, status_t status, size_t size_bytes)
{
    self->counters.writes++;
    self->counters.writes_failed += status != STATUS_OK;
    if (!is_heard(self))
        return;
    trace_record_t record = {.step = status == STATUS_OK ? TRACE_STORED : TRACE_STORE_FAILED,
                             .status = status,
                             .size_bytes = size_bytes,
                             .count = self->unit.count};
    emit(self, &record);
}

static trace_record_t push_record(const member_t *member, const chunk_t *chunk, trace_step_t step)
{
    trace_record_t record = {.step = step,
                             .user = member->name,
                             .sequence = chunk->first,
                             .last_sequence = chunk->first + chunk->count - 1,
                             .size_bytes = chunk->end - chunk->start,
                             .count = chunk->count};
    set_group(&record, member->group);
    return record;
}

uint64_t trace_pushed(rules_t *self, const member_t *member, const chunk_t *chunk)
{
    if (!is_heard(self))
        return 0;
    trace_record_t record = push_record(member, chunk, TRACE_PUSHED);
    return emit(self, &record);
}

void trace_push_dropped(rules_t *self, const member_t *member, const chunk_t *chunk,
                        trace_reason_t reason)
{
    if (!is_heard(self))
        return;
    trace_record_t record = push_record(member, chunk, TRACE_PUSH_DROPPED);
    record.reason = reason;
    emit(self, &record);
}

void trace_fanned_out(rules_t *self, const group_t *group, size_t pushed)
{
    if (!is_heard(self) || group->chunk_count == 0)
        return;
    const chunk_t *last = &group->chunks[group->chunk_count - 1];
    trace_record_t record = {.step = TRACE_FANNED_OUT,
                             .sequence = group->chunks[0].first,
                             .last_sequence = last->first + last->count - 1,
                             .size_bytes = group->events.size,
                             .count = pushed};
    set_group(&record, group);
    emit(self, &record);
}

/* As those of a push are measured. */
static size_t encoded_size(const event_record_t *events, size_t count)
{
    buffer_t encoded = {0};
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&encoded);
        output_encode_event(&events[i], &encoded);
        size += encoded.size;
    }
    buffer_free(&encoded);
    return size;
}

void trace_fetched(rules_t *self, const request_t *request, const group_t *group,
                   const event_record_t *events, size_t count)
{
    self->counters.events_fetched += count;
    if (!is_heard(self))
        return;
    trace_record_t record = record_of(request, TRACE_FETCHED);
    set_group(&record, group);
    record.sequence = events[0].sequence;
    record.last_sequence = events[count - 1].sequence;
    record.size_bytes = encoded_size(events, count);
    record.count = count;
    emit(self, &record);
}

void trace_cursor_moved(rules_t *self, const member_t *member)
{
    if (!is_heard(self))
        return;
    trace_record_t record = {.step = TRACE_CURSOR_MOVED,
                             .user = member->name,
                             .sequence = member->cursor,
                             .last_sequence = member->cursor};
    set_group(&record, member->group);
    emit(self, &record);
}

void trace_session(rules_t *self, const session_t *session, status_t why)
{
    if (!is_heard(self))
        return;
    trace_record_t record = {.step = why == STATUS_OK ? TRACE_SESSION_OPENED : TRACE_SESSION_ENDED,
                             .status = why,
                             .purpose = session->purpose};
    if (session->user)
        record.user = session->user->name;
    emit(self, &record);
}
