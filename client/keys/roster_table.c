/* SPDX-License-Identifier: MPL-2.0 */
/* Members by leaf and by name, free leaves, Merkle hashes. */
#include "client/keys/roster_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/keys/name_index.h"
#include "proto/memory.h"

#define WORD_LEAVES 64

struct roster_table {
    unsigned depth;
    size_t count;
    roster_member_t *members;      /* by leaf; an empty name means free */
    uint64_t *occupied;            /* a bit a leaf; at least one word */
    uint32_t full_words;           /* all words below this one are full */
    uint8_t (*hashes)[HASH_BYTES]; /* by node */
    name_index_t names;
    uint32_t admins[ADMINS_MAX]; /* leaves, ascending */
    size_t admin_count;
    index_map_t dirty; /* leaves */
};

static size_t word_count(unsigned depth)
{
    return depth > 6 ? (size_t)1 << (depth - 6) : 1;
}

/* Room for a tree of that depth; what is new is empty. */
static void reserve(roster_table_t *self, unsigned depth)
{
    size_t old_leaves = self->members ? tree_leaf_count(self->depth) : 0;
    size_t old_nodes = self->hashes ? tree_node_count(self->depth) : 0;
    size_t old_words = self->occupied ? word_count(self->depth) : 0;
    size_t leaves = tree_leaf_count(depth), nodes = tree_node_count(depth);
    self->members = mem_realloc(self->members, leaves, sizeof *self->members);
    memset(self->members + old_leaves, 0, (leaves - old_leaves) * sizeof *self->members);
    self->hashes = mem_realloc(self->hashes, nodes, sizeof *self->hashes);
    memset(self->hashes + old_nodes, 0, (nodes - old_nodes) * sizeof *self->hashes);
    self->occupied = mem_realloc(self->occupied, word_count(depth), sizeof *self->occupied);
    memset(self->occupied + old_words, 0, (word_count(depth) - old_words) * sizeof *self->occupied);
    self->depth = depth;
}

roster_table_t *roster_table_new(void)
{
    roster_table_t *self = mem_zalloc(1, sizeof *self);
    reserve(self, 0);
    name_index_init(&self->names);
    index_map_init(&self->dirty, 1);
    return self;
}

void roster_table_destroy(roster_table_t **self)
{
    if (!*self)
        return;
    free((*self)->members);
    free((*self)->hashes);
    free((*self)->occupied);
    name_index_free(&(*self)->names);
    index_map_wipe(&(*self)->dirty);
    free(*self);
    *self = NULL;
}

unsigned roster_table_depth(const roster_table_t *self)
{
    return self->depth;
}

size_t roster_table_count(const roster_table_t *self)
{
    return self->count;
}

static bool is_occupied(const roster_table_t *self, uint32_t leaf)
{
    return self->occupied[leaf / WORD_LEAVES] >> (leaf % WORD_LEAVES) & 1;
}

const roster_member_t *roster_table_get(const roster_table_t *self, leaf_index_t leaf)
{
    if (leaf.value >= tree_leaf_count(self->depth) || !is_occupied(self, leaf.value))
        return NULL;
    return &self->members[leaf.value];
}

const roster_member_t *roster_table_find(const roster_table_t *self, const name_t *name)
{
    uint32_t leaf = name_index_find(&self->names, self->members, name);
    return leaf == UINT32_MAX ? NULL : &self->members[leaf];
}

bool roster_table_next(const roster_table_t *self, leaf_index_t from, leaf_index_t *out)
{
    size_t words = word_count(self->depth);
    size_t at = from.value / WORD_LEAVES;
    if (at >= words)
        return false;
    uint64_t word = self->occupied[at] & UINT64_MAX << (from.value % WORD_LEAVES);
    while (!word) {
        if (++at == words)
            return false;
        word = self->occupied[at];
    }
    *out = leaf_index((uint32_t)(at * WORD_LEAVES) + (uint32_t)__builtin_ctzll(word));
    return true;
}

leaf_index_t roster_table_next_free(const roster_table_t *self, leaf_index_t from)
{
    size_t words = word_count(self->depth);
    uint64_t ahead = UINT64_MAX << (from.value % WORD_LEAVES);
    size_t at = from.value / WORD_LEAVES;
    if (at < self->full_words) {
        at = self->full_words;
        ahead = UINT64_MAX;
    }
    for (; at < words; at++, ahead = UINT64_MAX) {
        uint64_t word = ~self->occupied[at] & ahead;
        if (word)
            return leaf_index((uint32_t)(at * WORD_LEAVES) + (uint32_t)__builtin_ctzll(word));
    }
    uint32_t end = (uint32_t)(words * WORD_LEAVES);
    return leaf_index(from.value > end ? from.value : end);
}

void roster_table_root(const roster_table_t *self, uint8_t out[static HASH_BYTES])
{
    memcpy(out, self->hashes[tree_root(self->depth).value], HASH_BYTES);
}

const uint8_t *roster_table_hash(const roster_table_t *self, node_index_t node)
{
    return node.value < tree_node_count(self->depth) ? self->hashes[node.value] : NULL;
}

size_t roster_table_admins(const roster_table_t *self,
                           const roster_member_t *out[static ADMINS_MAX])
{
    for (size_t i = 0; i < self->admin_count; i++)
        out[i] = &self->members[self->admins[i]];
    return self->admin_count;
}

/* Keeps the list of admins in step with a leaf's role. False if there would be too many. */
static bool note_role(roster_table_t *self, uint32_t leaf, uint8_t role)
{
    size_t at = 0;
    while (at < self->admin_count && self->admins[at] < leaf)
        at++;
    bool is_listed = at < self->admin_count && self->admins[at] == leaf;
    size_t after = self->admin_count - at;
    if (role == ROLE_ADMIN && !is_listed) {
        if (self->admin_count == ADMINS_MAX)
            return false;
        memmove(self->admins + at + 1, self->admins + at, after * sizeof *self->admins);
        self->admins[at] = leaf;
        self->admin_count++;
    } else if (role != ROLE_ADMIN && is_listed) {
        memmove(self->admins + at, self->admins + at + 1, (after - 1) * sizeof *self->admins);
        self->admin_count--;
    }
    return true;
}

static void set_member(roster_table_t *self, const roster_member_t *member)
{
    assert(self->members);
    uint32_t leaf = member->leaf;
    self->members[leaf] = *member;
    self->occupied[leaf / WORD_LEAVES] |= UINT64_C(1) << (leaf % WORD_LEAVES);
    name_index_add(&self->names, self->members, leaf);
    self->count++;
    while (self->full_words < word_count(self->depth) &&
           self->occupied[self->full_words] == UINT64_MAX)
        self->full_words++;
}

static void clear_member(roster_table_t *self, uint32_t leaf)
{
    if (!is_occupied(self, leaf))
        return;
    name_index_remove(&self->names, self->members, leaf);
    (void)note_role(self, leaf, ROLE_MEMBER);
    memset(&self->members[leaf], 0, sizeof self->members[leaf]);
    uint32_t word = leaf / WORD_LEAVES;
    self->occupied[word] &= ~(UINT64_C(1) << (leaf % WORD_LEAVES));
    self->count--;
    if (word < self->full_words)
        self->full_words = word;
}

static void adopt_roles(roster_table_t *self, const commit_t *commit, uint8_t role)
{
    for (size_t i = 0; i < commit->role_count; i++) {
        uint32_t leaf = commit->roles[i].leaf;
        if (commit->roles[i].role != role)
            continue;
        if (note_role(self, leaf, role))
            self->members[leaf].role = role;
        index_map_put(&self->dirty, leaf);
    }
}

static void adopt_members(roster_table_t *self, const commit_t *commit)
{
    for (size_t i = 0; i < commit->removal_count; i++) {
        clear_member(self, commit->removals[i].leaf);
        index_map_put(&self->dirty, commit->removals[i].leaf);
    }
    for (size_t i = 0; i < commit->add_count; i++) {
        roster_member_t member = roster_member_of_add(&commit->adds[i], commit->epoch);
        set_member(self, &member);
        index_map_put(&self->dirty, member.leaf);
    }
    /* Who steps down makes room for who steps up, whichever leaf comes first. */
    adopt_roles(self, commit, ROLE_MEMBER);
    adopt_roles(self, commit, ROLE_ADMIN);
}

void roster_table_adopt(roster_table_t *self, roster_journal_t *journal, const commit_t *commit)
{
    if (journal->depth > self->depth)
        reserve(self, journal->depth);
    adopt_members(self, commit);
    const index_map_t *hashes = &journal->hashes;
    for (size_t i = 0; i < hashes->capacity; i++)
        if (hashes->used[i])
            memcpy(self->hashes[hashes->keys[i]], hashes->values + i * HASH_BYTES, HASH_BYTES);
    roster_journal_wipe(journal);
}

static void save_leaf(const roster_table_t *self, uint32_t leaf, row_fn *row, void *context)
{
    uint8_t key[5] = {'r'};
    put_u32(key + 1, leaf);
    bytes_t row_key = {key, sizeof key};
    const roster_member_t *member = roster_table_get(self, leaf_index(leaf));
    if (!member) {
        row(context, ROW_DELETE, row_key, (bytes_t){NULL, 0});
        return;
    }
    buffer_t value = {0};
    name8_write(&value, &member->name);
    buffer_append(&value, member->identity_key, KEY_BYTES);
    buffer_u64(&value, member->epoch_added);
    buffer_u8(&value, member->role);
    row(context, ROW_PUT, row_key, buffer_view(&value));
    buffer_free(&value);
}

void roster_table_save(roster_table_t *self, row_fn *row, void *context)
{
    uint32_t *leaves = index_map_keys(&self->dirty);
    for (size_t i = 0; i < self->dirty.count; i++)
        save_leaf(self, leaves[i], row, context);
    free(leaves);
    index_map_wipe(&self->dirty);
}

void roster_table_save_all(const roster_table_t *self, row_fn *row, void *context)
{
    leaf_index_t leaf = {0};
    for (; roster_table_next(self, leaf, &leaf); leaf.value++)
        save_leaf(self, leaf.value, row, context);
}

status_t roster_table_load_depth(roster_table_t *self, unsigned depth)
{
    if (depth > TREE_DEPTH_MAX)
        return STATUS_DAMAGED_FILE;
    reserve(self, depth);
    return STATUS_OK;
}

status_t roster_table_load_row(roster_table_t *self, leaf_index_t leaf, bytes_t value)
{
    reader_t in = reader_of(value.data, value.size);
    roster_member_t member = {.leaf = leaf.value};
    member.name = name8_read(&in);
    reader_copy(&in, member.identity_key, KEY_BYTES);
    member.epoch_added = reader_u64(&in);
    member.role = reader_u8(&in);
    if (!reader_done(&in) || member.role > ROLE_ADMIN ||
        leaf.value >= tree_leaf_count(self->depth) || is_occupied(self, leaf.value) ||
        roster_table_find(self, &member.name) || !note_role(self, leaf.value, member.role))
        return STATUS_DAMAGED_FILE;
    set_member(self, &member);
    return STATUS_OK;
}

void roster_table_load_end(roster_table_t *self)
{
    leaf_index_t leaf = {0};
    for (; roster_table_next(self, leaf, &leaf); leaf.value++)
        roster_leaf_hash(self->hashes[node_of_leaf(leaf).value], &self->members[leaf.value]);
    for (unsigned level = 1; level <= self->depth; level++)
        for (uint32_t i = 0; i < tree_leaf_count(self->depth - level); i++) {
            node_index_t node = node_at(level, i);
            roster_node_hash(self->hashes[node.value], self->hashes[node_left(node).value],
                             self->hashes[node_right(node).value]);
        }
}
