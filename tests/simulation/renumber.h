/* SPDX-License-Identifier: MPL-2.0 */
/* Logs that look whole to some clients and are not: what is hidden leaves no hole in the numbers.
 */
#ifndef CONCLAVE_TESTS_SIMULATION_RENUMBER_H
#define CONCLAVE_TESTS_SIMULATION_RENUMBER_H

#include "tests/simulation/world.h"

#define HIDDEN_MAX 8 /* a client and group */

/* What one client is told of one group's log. */
typedef struct {
    size_t client;
    uint8_t group[GROUP_ID_BYTES];
    uint64_t hidden[HIDDEN_MAX]; /* ascending */
    size_t hidden_count;
    uint64_t last; /* what was handed out up to here, or hidden, stays so */
} retold_log_t;

typedef struct {
    world_t *world;
    chance_t chance;
    uint64_t victims; /* bit per client */
    bool has_stopped;
    retold_log_t *logs;
    size_t log_count;
} renumber_t;

/* All zero is empty. The world is borrowed. */
void renumber_init(renumber_t *self, world_t *world, uint64_t seed);
void renumber_free(renumber_t *self);
/* Hides nothing new. */
void renumber_stop(renumber_t *self);

/* A frame to a client, and one from it, with the other numbers (to out). False: as it is. */
bool renumber_tell(renumber_t *self, size_t client, bytes_t frame, buffer_t *out);
bool renumber_hear(renumber_t *self, size_t client, bytes_t frame, buffer_t *out);

#endif
