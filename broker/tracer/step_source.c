/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/tracer/step_source.h"

#include "proto/memory.h"

#include <stdlib.h>

status_t step_source_watch(step_source_t *self, connection_t *connection,
                           const trace_filter_t *filter, bool with_past)
{
    const message_t *reply;
    const watch_request_t request = {.user = filter->user,
                                     .group = filter->group,
                                     .verb = filter->verb,
                                     .status = filter->status,
                                     .refused_only = filter->refused_only,
                                     .steps = filter->steps,
                                     .share = filter->share,
                                     .past = with_past};
    *self = (step_source_t){.connection = connection};
    return connection_ask(connection, VERB_watch, &request, &reply);
}

status_t step_source_open(step_source_t *self, const char *path, const trace_filter_t *filter)
{
    *self = (step_source_t){.filter = *filter};
    status_t status = recording_open(&self->recording, path);
    if (status == STATUS_OK)
        self->passed = mem_alloc(TRACED_MAX * sizeof *self->passed);
    return status;
}

void step_source_close(step_source_t *self)
{
    if (!self->connection)
        recording_close(&self->recording);
    free(self->passed);
    *self = (step_source_t){0};
}

static status_t next_recorded(step_source_t *self, const trace_record_t **steps, size_t *count,
                              uint64_t *dropped)
{
    const traced_push_t *push;
    status_t status = recording_next(&self->recording, &push);
    if (status != STATUS_OK)
        return status;
    *count = 0;
    *steps = self->passed;
    *dropped = push->dropped;
    for (size_t i = 0; i < push->records.count; i++)
        if (trace_filter_passes(&self->filter, &push->records.items[i]))
            self->passed[(*count)++] = push->records.items[i];
    return STATUS_OK;
}

status_t step_source_next(step_source_t *self, int timeout_ms, const trace_record_t **steps,
                          size_t *count, uint64_t *dropped)
{
    const traced_push_t *push;
    *count = 0;
    *dropped = 0;
    if (!self->connection)
        return connection_is_interrupted() ? STATUS_INTERRUPTED
                                           : next_recorded(self, steps, count, dropped);
    bool is_patient = timeout_ms < 0 || timeout_ms > OPERATOR_PATIENCE_MS;
    status_t status =
        connection_next(self->connection, is_patient ? OPERATOR_PATIENCE_MS : timeout_ms, &push);
    if (status == STATUS_TIMED_OUT && is_patient)
        return STATUS_UNREACHABLE;
    if (status != STATUS_OK)
        return status;
    *steps = push->records.items;
    *count = push->records.count;
    *dropped = push->dropped;
    return STATUS_OK;
}
