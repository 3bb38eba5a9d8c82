/* SPDX-License-Identifier: MPL-2.0 */
/* What the log truly says: who is a member in which epoch of which group, by the commits that the
 * broker's rules handed out, before anything lies about them. */
#ifndef CONCLAVE_TESTS_SIMULATION_LINEAGE_H
#define CONCLAVE_TESTS_SIMULATION_LINEAGE_H

#include "proto/roster.h"
#include "tests/simulation/world.h"

typedef struct {
    bool is_recorded;         /* the commit that starts it */
    bool is_settled;          /* the members are worked out */
    size_t commit;            /* where it stands in world->recorded */
    roster_member_t *members; /* by ascending leaf */
    size_t member_count;
} lineage_epoch_t;

typedef struct {
    uint8_t id[GROUP_ID_BYTES];
    lineage_epoch_t *epochs; /* by number */
    size_t epoch_count;
} lineage_group_t;

/* All zero is empty. */
typedef struct {
    lineage_group_t *groups;
    size_t group_count;
    size_t read; /* of world->recorded */
} lineage_t;

void lineage_free(lineage_t *self);
/* Takes in what was recorded since. */
void lineage_update(lineage_t *self, world_t *world);
/* NULL as long as a commit up to this epoch was not handed out. Lives until the next update. */
const lineage_epoch_t *lineage_epoch(lineage_t *self, const world_t *world, const uint8_t *group,
                                     uint64_t epoch);
/* Whether the commit that starts this epoch was handed out. */
bool lineage_has_commit(lineage_t *self, const uint8_t *group, uint64_t epoch);
/* NULL if the leaf is free. */
const roster_member_t *lineage_member(const lineage_epoch_t *epoch, uint32_t leaf);
bool lineage_has(const lineage_epoch_t *epoch, const name_t *name);

#endif
