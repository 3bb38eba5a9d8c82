/* SPDX-License-Identifier: MPL-2.0 */
/* Hashes and proofs of the roster, a Merkle tree over a group's leaves (PROTOCOL.md section 8). */
#ifndef CONCLAVE_PROTO_ROSTER_H
#define CONCLAVE_PROTO_ROSTER_H

#include "proto/name.h"

typedef struct {
    uint32_t leaf;
    name_t name;
    uint8_t identity_key[KEY_BYTES];
    uint64_t epoch_added;
    uint8_t role; /* role_t of proto/commit.h */
} roster_member_t;

void roster_leaf_hash(uint8_t out[static HASH_BYTES], const roster_member_t *member);
/* out may be left or right itself. */
void roster_node_hash(uint8_t out[static HASH_BYTES], const uint8_t left[static HASH_BYTES],
                      const uint8_t right[static HASH_BYTES]);
/* proof: depth sibling hashes from the leaf upwards, one after the other. STATUS_BAD_PROOF. */
MUST_CHECK status_t roster_proof_verify(const roster_member_t *member, const uint8_t *proof,
                                        unsigned depth, const uint8_t root[static HASH_BYTES]);

/*
 * The Merkle tree over sparse storage: the caller supplies the nodes. level 0 are leaves; an absent node is 32 zero bytes (load returns with out zeroed).
 * Used by the broker over its store, and by an admin over memory.
 */
typedef struct {
    void *context;
    void (*load)(void *context, unsigned level, uint32_t index, uint8_t out[HASH_BYTES]);
    void (*store)(void *context, unsigned level, uint32_t index, const uint8_t hash[HASH_BYTES]);
} roster_nodes_t;

/* Sets one leaf (member NULL: free) and rehashes its path to the root of a tree of this depth. */
void roster_set(const roster_nodes_t *nodes, unsigned depth, uint32_t leaf,
                const roster_member_t *member);
/* Grows by one level: the old root becomes the left child of the new one at level depth + 1. */
void roster_grow(const roster_nodes_t *nodes, unsigned depth);
void roster_root(const roster_nodes_t *nodes, unsigned depth, uint8_t out[static HASH_BYTES]);
/* Writes depth hashes. */
void roster_prove(const roster_nodes_t *nodes, unsigned depth, uint32_t leaf, uint8_t *proof);

#endif
