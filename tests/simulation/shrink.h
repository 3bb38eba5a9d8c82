/* SPDX-License-Identifier: MPL-2.0 */
/* Less of a plan that fails in the same way. */
#ifndef CONCLAVE_TESTS_SIMULATION_SHRINK_H
#define CONCLAVE_TESTS_SIMULATION_SHRINK_H

#include "tests/simulation/run.h"

/* Drops deeds, then kinds of faults, then people, as long as the plan's failure stays of that kind;
 * and again until nothing more can go or SHRINK_RUNS_MAX runs were tried. Returns how many. */
#define SHRINK_RUNS_MAX 3000
unsigned shrink(plan_t *plan, const char *kind, run_judge_fn *judge);

#endif
