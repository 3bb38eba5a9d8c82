/* SPDX-License-Identifier: MPL-2.0 */
/* Where the rules make their trace records. */
#include "broker/rules/trace_emit.h"

static void emit(rules_t *self, const trace_record_t *record)
{
    self->config.listen(self->config.listen_context, record);
}

static trace_record_t record_of(const request_t *request, trace_step_t step)
{
    const message_t *message = request->message;
    const group_t *group = request->group;
    return (trace_record_t){.step = step,
                            .verb = message->verb,
                            .id = message->id,
                            .traceparent = message->traceparent,
                            .user = request->user ? request->user->name.text : "",
                            .group = group ? group->head.name.text : "",
                            .epoch = group ? group->head.epoch : 0,
                            .sequence = request->sequence};
}

void trace_received(rules_t *self, const request_t *request)
{
    if (!self->config.listen)
        return;
    trace_record_t record = record_of(request, TRACE_RECEIVED);
    emit(self, &record);
}

void trace_answered(rules_t *self, const request_t *request, status_t status)
{
    bool known = status != STATUS_UNKNOWN_VERB && request->message->verb < COUNTED_VERBS;
    unsigned verb = known ? request->message->verb : VERB_none;
    self->counters.answered[verb][status < COUNTED_STATUSES ? status : STATUS_MALFORMED]++;
    if (!self->config.listen)
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
    if (!self->config.listen)
        return;
    trace_record_t record = {.step = status == STATUS_OK ? TRACE_STORED : TRACE_STORE_FAILED,
                             .status = status,
                             .user = "",
                             .group = "",
                             .size_bytes = size_bytes};
    emit(self, &record);
}

void trace_pushed(rules_t *self, const group_t *group, size_t pushed, size_t dropped)
{
    if (!self->config.listen)
        return;
    trace_record_t record = {.step = TRACE_PUSHED,
                             .user = "",
                             .group = group->head.name.text,
                             .epoch = group->head.epoch,
                             .sequence = group->head.sequence,
                             .size_bytes = group->events.size,
                             .count = pushed};
    if (pushed)
        emit(self, &record);
    record.step = TRACE_PUSH_DROPPED;
    record.count = dropped;
    if (dropped)
        emit(self, &record);
}

void trace_fetched(rules_t *self, const request_t *request, const group_t *group, size_t count)
{
    self->counters.events_fetched += count;
    if (!self->config.listen || count == 0)
        return;
    trace_record_t record = record_of(request, TRACE_FETCHED);
    record.group = group->head.name.text;
    record.epoch = group->head.epoch;
    record.count = count;
    emit(self, &record);
}

void trace_session(rules_t *self, const session_t *session, status_t why)
{
    if (!self->config.listen)
        return;
    trace_record_t record = {.step = why == STATUS_OK ? TRACE_SESSION_OPENED : TRACE_SESSION_ENDED,
                             .status = why,
                             .user = session->user ? session->user->name.text : "",
                             .group = ""};
    emit(self, &record);
}
