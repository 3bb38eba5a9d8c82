/* SPDX-License-Identifier: MPL-2.0 */
/* A group's roster as stored: entries by leaf, and the Merkle tree over them. */
#ifndef CONCLAVE_BROKER_RULES_ROSTER_STORE_H
#define CONCLAVE_BROKER_RULES_ROSTER_STORE_H

#include "broker/rules/state.h"
#include "proto/roster.h"

/* Changes go through the overlay, so a refused commit leaves nothing. After each, `failed` says
 * whether a read of the store failed. */
typedef struct {
    rules_t *rules;
    const uint8_t *group;
    unsigned depth;
    bool failed;
} roster_store_t;

/* Doubles the tree until it has this depth. */
void roster_store_grow(roster_store_t *self, unsigned depth);
/* Puts or replaces an entry / frees a leaf. */
void roster_store_set(roster_store_t *self, const roster_member_t *member);
void roster_store_clear(roster_store_t *self, uint32_t leaf);
void roster_store_root(roster_store_t *self, uint8_t out[static HASH_BYTES]);
/* depth hashes */
void roster_store_prove(roster_store_t *self, uint32_t leaf, uint8_t *proof);

#endif
