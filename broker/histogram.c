/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/histogram.h"

const uint64_t histogram_bounds_us[HISTOGRAM_BUCKETS] = {
    25,    50,    100,    250,    500,    1000,    2500,    5000,    10000,
    25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};

static size_t bucket_of(uint64_t duration_us)
{
    size_t bucket = 0;
    while (bucket < HISTOGRAM_BUCKETS && duration_us > histogram_bounds_us[bucket]) {
        bucket++;
    }
    return bucket;
}

void histogram_observe(histogram_t *self, uint64_t duration_us, uint64_t times)
{
    atomic_fetch_add_explicit(&self->counts[bucket_of(duration_us)], times, memory_order_relaxed);
    atomic_fetch_add_explicit(&self->sum_us, duration_us * times, memory_order_relaxed);
}

void histogram_read(const histogram_t *self, histogram_counts_t *out)
{
    *out =
        (histogram_counts_t){.sum_us = atomic_load_explicit(&self->sum_us, memory_order_relaxed)};
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        out->counts[i] = atomic_load_explicit(&self->counts[i], memory_order_relaxed);
        out->total += out->counts[i];
    }
}

histogram_counts_t histogram_since(const histogram_counts_t *now, const histogram_counts_t *before)
{
    histogram_counts_t out = {.total = now->total - before->total,
                              .sum_us = now->sum_us - before->sum_us};
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        out.counts[i] = now->counts[i] - before->counts[i];
    }
    return out;
}

uint64_t histogram_quantile_us(const histogram_counts_t *self, unsigned per_mille)
{
    const uint64_t rank = (self->total * per_mille + 999) / 1000; /* of the one asked for, from 1 */
    uint64_t below = 0;
    if (self->total == 0) {
        return 0;
    }
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        const uint64_t from_us = i > 0 ? histogram_bounds_us[i - 1] : 0;
        if (below + self->counts[i] >= rank) {
            return from_us + (histogram_bounds_us[i] - from_us) * (rank - below) / self->counts[i];
        }
        below += self->counts[i];
    }
    return histogram_bounds_us[HISTOGRAM_BUCKETS - 1];
}
