/* SPDX-License-Identifier: MPL-2.0 */
/* The roster's Merkle tree over storage that the caller supplies. */
#include "proto/roster.h"

#include <sodium.h>
#include <string.h>

#include "proto/statement.h"

static const uint8_t empty[HASH_BYTES];

static bool is_empty(const uint8_t hash[static HASH_BYTES])
{
    return memcmp(hash, empty, HASH_BYTES) == 0;
}

void roster_leaf_hash(uint8_t out[static HASH_BYTES], const roster_member_t *member)
{
    uint8_t leaf[4], epoch_added[8];
    put_u32(leaf, member->leaf);
    put_u64(epoch_added, member->epoch_added);
    const bytes_t fields[] = {{leaf, 4},
                              {(const uint8_t *)member->name.text, name_size(&member->name)},
                              {member->identity_key, KEY_BYTES},
                              {epoch_added, 8},
                              {&member->role, 1}};
    statement_hash(out, "roster-entry", fields, 5);
}

void roster_node_hash(uint8_t out[static HASH_BYTES], const uint8_t left[static HASH_BYTES],
                      const uint8_t right[static HASH_BYTES])
{
    if (is_empty(left) && is_empty(right)) {
        memset(out, 0, HASH_BYTES);
        return;
    }
    const bytes_t fields[] = {{left, HASH_BYTES}, {right, HASH_BYTES}};
    statement_hash(out, "roster-node", fields, 2);
}

/* The parent of the node at this index of a level, given its sibling; out may be node. */
static void hash_upwards(uint8_t out[static HASH_BYTES], uint32_t index,
                         const uint8_t node[static HASH_BYTES],
                         const uint8_t sibling[static HASH_BYTES])
{
    if (index & 1)
        roster_node_hash(out, sibling, node);
    else
        roster_node_hash(out, node, sibling);
}

status_t roster_proof_verify(const roster_member_t *member, const uint8_t *proof, unsigned depth,
                             const uint8_t root[static HASH_BYTES])
{
    if (depth > TREE_DEPTH_MAX || member->leaf >> depth)
        return STATUS_BAD_PROOF;
    uint8_t hash[HASH_BYTES];
    roster_leaf_hash(hash, member);
    for (unsigned level = 0; level < depth; level++)
        hash_upwards(hash, member->leaf >> level, hash, proof + (size_t)level * HASH_BYTES);
    return sodium_memcmp(hash, root, HASH_BYTES) == 0 ? STATUS_OK : STATUS_BAD_PROOF;
}

void roster_set(const roster_nodes_t *nodes, unsigned depth, uint32_t leaf,
                const roster_member_t *member)
{
    uint8_t hash[HASH_BYTES] = {0};
    if (member)
        roster_leaf_hash(hash, member);
    nodes->store(nodes->context, 0, leaf, hash);
    for (unsigned level = 0; level < depth; level++) {
        uint32_t index = leaf >> level;
        uint8_t sibling[HASH_BYTES];
        nodes->load(nodes->context, level, index ^ 1, sibling);
        hash_upwards(hash, index, hash, sibling);
        nodes->store(nodes->context, level + 1, index >> 1, hash);
    }
}

void roster_grow(const roster_nodes_t *nodes, unsigned depth)
{
    uint8_t hash[HASH_BYTES];
    roster_root(nodes, depth, hash);
    roster_node_hash(hash, hash, empty);
    nodes->store(nodes->context, depth + 1, 0, hash);
}

void roster_root(const roster_nodes_t *nodes, unsigned depth, uint8_t out[static HASH_BYTES])
{
    nodes->load(nodes->context, depth, 0, out);
}

void roster_prove(const roster_nodes_t *nodes, unsigned depth, uint32_t leaf, uint8_t *proof)
{
    for (unsigned level = 0; level < depth; level++)
        nodes->load(nodes->context, level, (leaf >> level) ^ 1, proof + (size_t)level * HASH_BYTES);
}
