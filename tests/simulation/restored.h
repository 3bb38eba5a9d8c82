/* SPDX-License-Identifier: MPL-2.0 */
/* A broker that was restored from a backup, and says so: what its clients had then, and what they
 * must have made of it. */
#ifndef CONCLAVE_TESTS_SIMULATION_RESTORED_H
#define CONCLAVE_TESTS_SIMULATION_RESTORED_H

#include "tests/simulation/play.h"

/* A client's group at that moment, against the store that was put back. */
typedef struct {
    size_t client;
    uint8_t group[GROUP_ID_BYTES];
    uint64_t cursor, epoch, epoch_added;
    size_t lines;            /* what it shows */
    bool is_known;           /* to the broker */
    uint64_t end, end_epoch; /* of the broker's log */
} restored_group_t;

typedef struct {
    restored_group_t *groups;
    size_t count;
} restored_t; /* all zero is empty */

void restored_free(restored_t *self);
/* Right after the store was put back, before anybody is told. Of clients that are down nothing is
 * noted. */
void restored_note(restored_t *self, world_t *world);
/* At the end: who knows of more than the broker was told what exists only here, and goes on; who
 * holds a key that the broker's log doesn't lead to has stopped, was told, sends nothing, and shows
 * all that it showed. */
void restored_check(play_t *play, const restored_t *self);

#endif
