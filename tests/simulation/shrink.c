/* SPDX-License-Identifier: MPL-2.0 */
/* Delta debugging: "Simplifying and Isolating Failure-Inducing Input", Zeller and Hildebrandt 2002,
 * complements only. */
#include "tests/simulation/shrink.h"

#include <string.h>

typedef struct {
    plan_t *plan;
    const char *kind;
    run_judge_fn *judge;
    unsigned runs;
} shrink_t;

/* Takes the smaller plan over if it still fails so; frees it either way. */
static bool try(shrink_t *self, plan_t *smaller)
{
    bool fails = false;
    if (self->runs < SHRINK_RUNS_MAX) {
        self->runs++;
        verdict_t verdict = plan_run(smaller, self->judge, NULL);
        fails = verdict.failure[0] && verdict.kind == self->kind;
    }
    if (fails) {
        plan_free(self->plan);
        *self->plan = *smaller;
    } else {
        plan_free(smaller);
    }
    return fails;
}

static bool drop_deeds(shrink_t *self, size_t first, size_t count)
{
    plan_t smaller = plan_copy(self->plan);
    schedule_t *schedule = &smaller.schedule;
    memmove(schedule->deeds + first, schedule->deeds + first + count,
            (schedule->count - first - count) * sizeof *schedule->deeds);
    schedule->count -= count;
    return try(self, &smaller);
}

static bool shrink_deeds(shrink_t *self)
{
    bool any = false;
    for (size_t size = (self->plan->schedule.count + 1) / 2; size; size /= 2)
        for (size_t at = 0; at < self->plan->schedule.count;) {
            size_t left = self->plan->schedule.count - at;
            if (drop_deeds(self, at, size < left ? size : left))
                any = true;
            else
                at += size;
        }
    return any;
}

static bool shrink_faults(shrink_t *self)
{
    bool any = false;
    for (unsigned i = 0; i < FAULT_COUNT; i++) {
        if (!self->plan->options.faults.rates[i])
            continue;
        plan_t smaller = plan_copy(self->plan);
        smaller.options.faults.rates[i] = 0;
        any = try(self, &smaller) || any;
    }
    return any;
}

/* Who is absent does nothing: their deeds go as well. */
static void send_away(plan_t *plan, size_t client)
{
    size_t kept = 0;
    for (size_t i = 0; i < plan->schedule.count; i++)
        if (plan->schedule.deeds[i].client != client)
            plan->schedule.deeds[kept++] = plan->schedule.deeds[i];
    plan->schedule.count = kept;
    plan->options.absent |= UINT64_C(1) << client;
}

static bool shrink_people(shrink_t *self)
{
    bool any = false;
    for (unsigned i = 0; i < self->plan->options.clients; i++) {
        if (self->plan->options.absent >> i & 1)
            continue;
        plan_t smaller = plan_copy(self->plan);
        send_away(&smaller, i);
        any = try(self, &smaller) || any;
    }
    return any;
}

unsigned shrink(plan_t *plan, const char *kind, run_judge_fn *judge)
{
    shrink_t self = {plan, kind, judge, 0};
    bool any = true;
    while (any && self.runs < SHRINK_RUNS_MAX) {
        any = shrink_deeds(&self);
        any = shrink_faults(&self) || any;
        any = shrink_people(&self) || any;
    }
    return self.runs;
}
