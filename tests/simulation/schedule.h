/* SPDX-License-Identifier: MPL-2.0 */
/* What people are going to do in a run, made before it is played: so it can be played again with
 * less of it. */
#ifndef CONCLAVE_TESTS_SIMULATION_SCHEDULE_H
#define CONCLAVE_TESTS_SIMULATION_SCHEDULE_H

#include "tests/simulation/actions.h"
#include "tests/simulation/world.h"

typedef struct {
    deed_t *deeds;
    size_t count;
} schedule_t;

schedule_t schedule_of(const world_options_t *options);
schedule_t schedule_copy(const schedule_t *self);
void schedule_free(schedule_t *self);
/* One line a deed. */
void schedule_print(const schedule_t *self);

#endif
