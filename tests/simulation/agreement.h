/* SPDX-License-Identifier: MPL-2.0 */
/* After every step: who is in one epoch of one group, the tree's holder included, holds one secret,
 * one history and one list of admins, and believes in nobody whom the commits don't name. */
#ifndef CONCLAVE_TESTS_SIMULATION_AGREEMENT_H
#define CONCLAVE_TESTS_SIMULATION_AGREEMENT_H

#include "client/keys/secret.h"
#include "tests/simulation/lineage.h"

/* What the first one to enter an epoch holds there. */
typedef struct {
    uint8_t group[GROUP_ID_BYTES];
    uint64_t epoch;
    size_t client;
    secret_t membership, root;
    uint8_t transcript[HASH_BYTES];
    uint8_t roster_root[HASH_BYTES];
    bool has_admins; /* a member's; the holder keeps none apart */
    uint32_t admins[ADMINS_MAX];
    size_t admin_count;
} agreed_t;

/* All zero is empty. */
typedef struct {
    agreed_t *epochs;
    size_t count, capacity;
    struct seen *seen; /* what was compared already */
    size_t seen_count, seen_capacity;
} agreement_t;

void agreement_free(agreement_t *self);
/* Told of each group in whose epoch a client was not seen before. */
typedef void agreement_entered_fn(void *context, size_t client, const uint8_t *group,
                                  uint64_t epoch);
/* After a step of this client; fails the world. entered may be NULL. */
void agreement_observe(agreement_t *self, world_t *world, lineage_t *lineage, size_t client,
                       agreement_entered_fn *entered, void *context);

#endif
