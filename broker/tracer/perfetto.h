/* SPDX-License-Identifier: MPL-2.0 */
/* Steps as a trace in Chrome's JSON format, which Perfetto opens: a track for the store, for each
 * group and for each user; arrows lead from a request to its place in the group's log, and from
 * there to who got it. */
#ifndef CONCLAVE_BROKER_TRACER_PERFETTO_H
#define CONCLAVE_BROKER_TRACER_PERFETTO_H

#include "proto/message.h"

#include <stdio.h>

typedef struct perfetto perfetto_t;

/* The file is borrowed. */
perfetto_t *perfetto_new(FILE *out);
void perfetto_destroy(perfetto_t **self);

/* After each call the file is a whole document, if it can be sought in. False, with errno set: it
 * could not be written. */
MUST_CHECK bool perfetto_add(perfetto_t *self, const trace_record_t *steps, size_t count,
                             uint64_t dropped);
/* Ends the document. */
MUST_CHECK bool perfetto_finish(perfetto_t *self);

#endif
