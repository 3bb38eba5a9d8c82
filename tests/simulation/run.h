/* SPDX-License-Identifier: MPL-2.0 */
/* One run: a world, the schedule that is played in it, and what must hold. */
#ifndef CONCLAVE_TESTS_SIMULATION_RUN_H
#define CONCLAVE_TESTS_SIMULATION_RUN_H

#include "tests/simulation/play.h"
#include "tests/simulation/schedule.h"

typedef struct {
    world_options_t options;
    schedule_t schedule;
} plan_t;

/* All that follows from a seed. */
plan_t plan_of(uint64_t seed);
plan_t plan_copy(const plan_t *self);
void plan_free(plan_t *self);

typedef struct {
    char failure[512]; /* empty: all is well */
    const char *kind;  /* static: two failures of one kind come from the same check */
} verdict_t;

/* One more check at the end, before all others; NULL: none. */
typedef void run_judge_fn(play_t *play);

/* Plays it. What happened is added to total if that is not NULL. */
verdict_t plan_run(const plan_t *self, run_judge_fn *judge, tally_t *total);

#endif
