/* SPDX-License-Identifier: MPL-2.0 */
/* The command line that plays a plan again. */
#ifndef CONCLAVE_TESTS_SIMULATION_REPLAY_H
#define CONCLAVE_TESTS_SIMULATION_REPLAY_H

#include "tests/simulation/run.h"

/* What is left of a seed's plan; NULL: all of it. */
typedef struct {
    const char *only;    /* deeds by number: "3,7,9"; "none" */
    const char *without; /* faults by name: "loss,cut" */
    const char *absent;  /* clients by number: "2,4" */
} replay_t;

/* False, with a word on stderr, if it names what does not exist. */
bool replay_reduce(const replay_t *self, plan_t *plan);
/* "program --trace [--only ...] [--without ...] [--absent ...] 1 SEED" */
void replay_print(const char *program, const plan_t *plan);

#endif
