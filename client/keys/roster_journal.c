/* SPDX-License-Identifier: MPL-2.0 */
/* What a commit changes in the roster's Merkle tree, kept beside it. */
#include <stdlib.h>
#include <string.h>

#include "client/keys/commit_apply.h"
#include "client/keys/roster_table.h"

static void load(void *context, unsigned level, uint32_t index, uint8_t out[HASH_BYTES])
{
    const roster_journal_t *self = context;
    node_index_t node = node_at(level, index);
    const uint8_t *hash = index_map_get(&self->hashes, node.value);
    if (!hash)
        hash = roster_table_hash(self->table, node);
    if (hash)
        memcpy(out, hash, HASH_BYTES);
    else
        memset(out, 0, HASH_BYTES);
}

static void store(void *context, unsigned level, uint32_t index, const uint8_t hash[HASH_BYTES])
{
    roster_journal_t *self = context;
    memcpy(index_map_put(&self->hashes, node_at(level, index).value), hash, HASH_BYTES);
}

roster_member_t roster_member_of_add(const commit_add_t *add, uint64_t epoch)
{
    roster_member_t member = {
        .leaf = add->leaf, .name = add->name, .epoch_added = epoch + 1, .role = ROLE_MEMBER};
    memcpy(member.identity_key, add->identity_key, KEY_BYTES);
    return member;
}

static uint8_t role_after(const commit_t *commit, uint32_t leaf, uint8_t role)
{
    for (size_t i = 0; i < commit->role_count; i++)
        if (commit->roles[i].leaf == leaf)
            return commit->roles[i].role;
    return role;
}

void roster_journal_init(roster_journal_t *self, const roster_table_t *table,
                         const commit_t *commit, uint8_t root[static HASH_BYTES])
{
    *self = (roster_journal_t){.table = table, .depth = roster_table_depth(table)};
    index_map_init(&self->hashes, HASH_BYTES);
    roster_nodes_t nodes = {self, load, store};
    for (; self->depth < commit->depth; self->depth++)
        roster_grow(&nodes, self->depth);
    for (size_t i = 0; i < commit->removal_count; i++)
        roster_set(&nodes, self->depth, commit->removals[i].leaf, NULL);
    for (size_t i = 0; i < commit->add_count; i++) {
        roster_member_t member = roster_member_of_add(&commit->adds[i], commit->epoch);
        member.role = role_after(commit, member.leaf, member.role);
        roster_set(&nodes, self->depth, member.leaf, &member);
    }
    for (size_t i = 0; i < commit->role_count; i++) {
        const roster_member_t *old = roster_table_get(table, leaf_index(commit->roles[i].leaf));
        if (!old || commit_find_add(commit, old->leaf))
            continue;
        roster_member_t member = *old;
        member.role = commit->roles[i].role;
        roster_set(&nodes, self->depth, member.leaf, &member);
    }
    roster_root(&nodes, self->depth, root);
}

void roster_journal_wipe(roster_journal_t *self)
{
    index_map_wipe(&self->hashes);
}

void roster_journal_write(const roster_journal_t *self, buffer_t *out)
{
    buffer_u8(out, (uint8_t)self->depth);
    buffer_u32(out, (uint32_t)self->hashes.count);
    uint32_t *nodes = index_map_keys(&self->hashes);
    for (size_t i = 0; i < self->hashes.count; i++) {
        buffer_u32(out, nodes[i]);
        buffer_append(out, index_map_get(&self->hashes, nodes[i]), HASH_BYTES);
    }
    free(nodes);
}

status_t roster_journal_read(roster_journal_t *self, reader_t *in)
{
    *self = (roster_journal_t){.depth = reader_u8(in)};
    index_map_init(&self->hashes, HASH_BYTES);
    uint32_t count = reader_u32(in);
    if (!reader_ok(in) || self->depth > TREE_DEPTH_MAX || count > in->left / (4 + HASH_BYTES))
        return STATUS_DAMAGED_FILE;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node = reader_u32(in);
        if (node >= tree_node_count(self->depth)) {
            roster_journal_wipe(self);
            return STATUS_DAMAGED_FILE;
        }
        reader_copy(in, index_map_put(&self->hashes, node), HASH_BYTES);
    }
    return STATUS_OK;
}
