/* SPDX-License-Identifier: MPL-2.0 */
/* Seeded chance: one generator for what the world does, and one behind libsodium's randombytes, so
 * that a seed replays a run exactly. */
#ifndef CONCLAVE_TESTS_SIMULATION_CHANCE_H
#define CONCLAVE_TESTS_SIMULATION_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t state;
} chance_t;

uint64_t chance_next(chance_t *self);
/* 0 .. bound - 1; 0 if bound is 0. */
uint64_t chance_below(chance_t *self, uint64_t bound);
bool chance_hits(chance_t *self, unsigned per_10000);

/* Installs the seeded generator in libsodium, once per process, before anything of it is used; then
 * seeds it. */
void chance_install(void);
void chance_seed_sodium(uint64_t seed);

#endif
