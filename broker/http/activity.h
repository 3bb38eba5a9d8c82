/* SPDX-License-Identifier: MPL-2.0 */
/* What happened at the broker in one tick, as the live page shows it: counts, samples, the last
   steps. Its size is bounded, however much happens. */
#ifndef CONCLAVE_BROKER_HTTP_ACTIVITY_H
#define CONCLAVE_BROKER_HTTP_ACTIVITY_H

#include "broker/histogram.h"
#include "broker/rules/trace.h"

#define ACTIVITY_GROUPS 64 /* counted each by itself; the rest together */
#define ACTIVITY_SENDS  24 /* samples */
#define ACTIVITY_PUSHES 48
#define ACTIVITY_STEPS  24 /* the last ones */

/* Owned by one thread. */
typedef struct activity activity_t;

activity_t *activity_new(void);
void activity_destroy(activity_t **self);

/* lost: records that were dropped before these. */
void activity_take(activity_t *self, const trace_record_t *records, size_t count, uint64_t lost);

/* What the router measured in the tick. */
typedef struct {
    histogram_counts_t requests;
    histogram_counts_t writes;
} activity_times_t;

/* Writes the tick as one JSON object, and begins the next one. */
void activity_write(activity_t *self, uint64_t now_ms, const activity_times_t *times,
                    buffer_t *out);

/* A message sent since the last call, the newest. False: there was none. */
bool activity_last_message(activity_t *self, trace_record_t *out);

#endif
