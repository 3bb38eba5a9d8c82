/* SPDX-License-Identifier: MPL-2.0 */
/* Where a command gets its steps from: a running broker, or a recording. */
#ifndef CONCLAVE_BROKER_TRACER_STEP_SOURCE_H
#define CONCLAVE_BROKER_TRACER_STEP_SOURCE_H

#include "broker/operator_client/connection.h"
#include "broker/trace/filter.h"
#include "broker/tracer/recording.h"

typedef struct {
    connection_t *connection; /* borrowed; NULL: a recording */
    recording_t recording;
    trace_filter_t filter;
    trace_record_t *passed; /* of a recording's push, what passes the filter */
} step_source_t;

/* The broker's steps from now on, after those that it remembers if with_past. */
MUST_CHECK status_t step_source_watch(step_source_t *self, connection_t *connection,
                                      const trace_filter_t *filter, bool with_past);
/* What recording_open says. */
MUST_CHECK status_t step_source_open(step_source_t *self, const char *path,
                                     const trace_filter_t *filter);
void step_source_close(step_source_t *self);

/*
 * The next steps, lent until the next call; there may be none although it is STATUS_OK. *dropped:
 * how many were lost before. STATUS_NOT_FOUND: the end of the recording. STATUS_TIMED_OUT,
 * STATUS_INTERRUPTED. STATUS_UNREACHABLE: the broker gives no sign of life. STATUS_DAMAGED_FILE,
 * STATUS_MALFORMED.
 */
MUST_CHECK status_t step_source_next(step_source_t *self, int timeout_ms,
                                     const trace_record_t **steps, size_t *count,
                                     uint64_t *dropped);

#endif
