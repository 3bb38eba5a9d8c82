/* SPDX-License-Identifier: MPL-2.0 */
/* How often something took how long: counts in fixed buckets, written by one thread and read by
 * any. */
#ifndef CONCLAVE_BROKER_HISTOGRAM_H
#define CONCLAVE_BROKER_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 18 /* and one for what took longer than all */

/* Upper bounds in microseconds, inclusive, ascending. */
extern const uint64_t histogram_bounds_us[HISTOGRAM_BUCKETS];

/* All zero is an empty one. */
typedef struct {
    atomic_uint_fast64_t counts[HISTOGRAM_BUCKETS + 1];
    atomic_uint_fast64_t sum_us;
} histogram_t;

/* A copy. Each number is one that was there; numbers may be a moment apart. */
typedef struct {
    uint64_t counts[HISTOGRAM_BUCKETS + 1]; /* by bucket, not added up */
    uint64_t total;
    uint64_t sum_us;
} histogram_counts_t;

/* `times` observations of the same duration. */
void histogram_observe(histogram_t *self, uint64_t duration_us, uint64_t times);

void histogram_read(const histogram_t *self, histogram_counts_t *out);

/* What came between two readings, `before` the older one. */
histogram_counts_t histogram_since(const histogram_counts_t *now, const histogram_counts_t *before);

/* The duration in microseconds that the share `per_mille` (1 to 1000) of all stays below,
   interpolated within its bucket; beyond the last bound that bound. 0 if there are none. */
uint64_t histogram_quantile_us(const histogram_counts_t *self, unsigned per_mille);

#endif
