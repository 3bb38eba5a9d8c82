/* SPDX-License-Identifier: MPL-2.0 */
/* What kind of world a seed makes: how many people, how fast they are, how bad the weather is. */
#ifndef CONCLAVE_TESTS_SIMULATION_SEED_OPTIONS_H
#define CONCLAVE_TESTS_SIMULATION_SEED_OPTIONS_H

#include "tests/simulation/world.h"

world_options_t seed_options(uint64_t seed);

#endif
