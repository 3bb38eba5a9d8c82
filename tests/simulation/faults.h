/* SPDX-License-Identifier: MPL-2.0 */
/* The kinds of faults, from faults.def, and how often each comes in a seed. */
#ifndef CONCLAVE_TESTS_SIMULATION_FAULTS_H
#define CONCLAVE_TESTS_SIMULATION_FAULTS_H

#include <stddef.h>

#include "tests/simulation/chance.h"

typedef enum {
#define FAULT(name, percent, text) FAULT_##name,
#include "tests/simulation/faults.def"
#undef FAULT
    FAULT_COUNT
} fault_t;

/* Chances in 1/10,000, and each kind's own generator: what one kind does is not changed by leaving
 * out another. */
typedef struct {
    unsigned rates[FAULT_COUNT];
    chance_t chances[FAULT_COUNT];
} faults_t;

/* storm: 0 (none) to 1000. */
faults_t faults_of(uint64_t seed, unsigned storm);
void faults_end(faults_t *self);
bool faults_hits(faults_t *self, fault_t fault);

const char *fault_name(fault_t fault);
const char *fault_text(fault_t fault);
/* FAULT_COUNT if there is none of that name. */
fault_t fault_named(const char *name, size_t size);

#endif
