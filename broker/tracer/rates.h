/* SPDX-License-Identifier: MPL-2.0 */
/* What happened in a stretch of time, counted from steps. */
#ifndef CONCLAVE_BROKER_TRACER_RATES_H
#define CONCLAVE_BROKER_TRACER_RATES_H

#include "broker/rules/trace.h"

/* Durations in µs, in buckets that are 19 % wide (four to a doubling): what is told of them is at
 * most so much too high. */
#define DURATION_BUCKETS 128

typedef struct {
    uint64_t counts[DURATION_BUCKETS];
    uint64_t total;
} durations_t;

void durations_add(durations_t *self, uint64_t us);
/* The upper end of the bucket that the share falls into, e.g. 0.99; 0 if there is nothing. */
uint64_t durations_at(const durations_t *self, double share);

#define RATES_GROUPS   256  /* that are counted; further ones only in the sums */
#define RATES_REQUESTS 4096 /* that can wait for their batch's write */

typedef struct {
    name_t name;
    uint64_t messages;
    uint64_t deliveries;
} group_rate_t;

typedef struct {
    uint64_t requests;
    uint64_t refused;
    uint64_t messages;
    uint64_t pushed;
    uint64_t fetched;
    uint64_t dropped;
    durations_t answers; /* received to answered; to stored, for what is stored */
    durations_t syncs;
    group_rate_t groups[RATES_GROUPS];
    size_t group_count;
    struct {
        uint64_t turn;
        uint64_t time_us;
    } open[RATES_REQUESTS]; /* received, of batches that aren't stored yet */
    size_t open_count;
    uint64_t received_us; /* of the request that is answered next */
} rates_t;

void rates_add(rates_t *self, const trace_record_t *step);
/* Begins a new stretch: requests that wait for their write stay. */
void rates_restart(rates_t *self);
/* Busiest first. */
void rates_sort_groups(rates_t *self);

#endif
