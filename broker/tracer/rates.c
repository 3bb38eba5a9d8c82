/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/tracer/rates.h"

#include <stdlib.h>
#include <string.h>

enum { PER_DOUBLING = 4 };

/* Below 4 µs each number has a bucket; above, the two bits behind the highest one choose. */
static unsigned bucket_of(uint64_t us)
{
    if (us < PER_DOUBLING)
        return (unsigned)us;
    unsigned high = 63u - (unsigned)__builtin_clzll(us);
    unsigned bucket = (high - 1) * PER_DOUBLING + (unsigned)(us >> (high - 2) & 3);
    return bucket < DURATION_BUCKETS ? bucket : DURATION_BUCKETS - 1;
}

static uint64_t bucket_end(unsigned bucket)
{
    if (bucket < PER_DOUBLING)
        return bucket;
    unsigned high = bucket / PER_DOUBLING + 1;
    return ((UINT64_C(1) << 2 | bucket % PER_DOUBLING) + 1) * (UINT64_C(1) << (high - 2)) - 1;
}

void durations_add(durations_t *self, uint64_t us)
{
    self->counts[bucket_of(us)]++;
    self->total++;
}

uint64_t durations_at(const durations_t *self, double share)
{
    const double wanted = share * (double)self->total;
    uint64_t seen = 0;
    for (unsigned i = 0; i < DURATION_BUCKETS; i++) {
        seen += self->counts[i];
        if (seen > 0 && (double)seen >= wanted)
            return bucket_end(i);
    }
    return 0;
}

static group_rate_t *group_rate(rates_t *self, const name_t *name)
{
    for (size_t i = 0; i < self->group_count; i++)
        if (name_equal(&self->groups[i].name, name))
            return &self->groups[i];
    if (self->group_count == RATES_GROUPS)
        return NULL;
    group_rate_t *added = &self->groups[self->group_count++];
    *added = (group_rate_t){.name = *name};
    return added;
}

static void count_messages(rates_t *self, const trace_record_t *step, uint64_t messages,
                           uint64_t deliveries)
{
    group_rate_t *group = group_rate(self, &step->group);
    if (!group)
        return;
    group->messages += messages;
    group->deliveries += deliveries;
}

static uint64_t since(uint64_t from_us, uint64_t to_us)
{
    return to_us > from_us ? to_us - from_us : 0;
}

static void answer(rates_t *self, const trace_record_t *step)
{
    self->requests++;
    self->refused += step->step == TRACE_REFUSED;
    if (step->sequence == 0 || step->step == TRACE_REFUSED) {
        durations_add(&self->answers, since(self->received_us, step->time_us));
    } else if (self->open_count < RATES_REQUESTS) {
        self->open[self->open_count].turn = step->turn;
        self->open[self->open_count++].time_us = self->received_us;
    }
}

/* The batch is on disk: that is when its requests are answered. */
static void settle(rates_t *self, const trace_record_t *stored)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->open_count; i++) {
        if (self->open[i].turn == stored->turn)
            durations_add(&self->answers, since(self->open[i].time_us, stored->time_us));
        else if (self->open[i].turn > stored->turn)
            self->open[kept++] = self->open[i];
    }
    self->open_count = kept;
    durations_add(&self->syncs, stored->duration_us);
}

void rates_add(rates_t *self, const trace_record_t *step)
{
    switch (step->step) {
    case TRACE_RECEIVED:
        self->received_us = step->time_us;
        break;
    case TRACE_ACCEPTED:
    case TRACE_REFUSED:
        answer(self, step);
        break;
    case TRACE_APPENDED:
        self->messages++;
        count_messages(self, step, 1, 0);
        break;
    case TRACE_STORED:
        settle(self, step);
        break;
    case TRACE_PUSHED:
        self->pushed += step->count;
        count_messages(self, step, 0, step->count);
        break;
    case TRACE_FETCHED:
        self->fetched += step->count;
        count_messages(self, step, 0, step->count);
        break;
    case TRACE_PUSH_DROPPED:
        self->dropped++;
        break;
    default:
        break;
    }
}

void rates_restart(rates_t *self)
{
    self->requests = self->refused = self->messages = 0;
    self->pushed = self->fetched = self->dropped = 0;
    self->group_count = 0;
    memset(&self->answers, 0, sizeof self->answers);
    memset(&self->syncs, 0, sizeof self->syncs);
}

static int compare_groups(const void *left, const void *right)
{
    const group_rate_t *a = left, *b = right;
    if (a->messages != b->messages)
        return a->messages < b->messages ? 1 : -1;
    return (a->deliveries < b->deliveries) - (a->deliveries > b->deliveries);
}

void rates_sort_groups(rates_t *self)
{
    qsort(self->groups, self->group_count, sizeof *self->groups, compare_groups);
}
