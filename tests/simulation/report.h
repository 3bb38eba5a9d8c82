/* SPDX-License-Identifier: MPL-2.0 */
/* What many runs came to, for people. */
#ifndef CONCLAVE_TESTS_SIMULATION_REPORT_H
#define CONCLAVE_TESTS_SIMULATION_REPORT_H

#include "tests/simulation/tally.h"

typedef struct {
    tally_t total;
    uint64_t seeds;
    uint64_t took_us, longest_us, longest_seed;
} report_t;

/* Speed, faults by kind, actions by kind, and how much of the state tables was seen. */
void report_print(const report_t *self);

#endif
