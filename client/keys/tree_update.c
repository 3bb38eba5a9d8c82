/* SPDX-License-Identifier: MPL-2.0 */
/* Growth, steps for newcomers, fresh leaves, path secrets and their wraps. */
#include "client/keys/tree_update.h"

#include <sodium.h>
#include <stdlib.h>

#include "client/keys/member_path.h"
#include "proto/memory.h"

#define GONE_MAX (COMMIT_REMOVALS_MAX + COMMIT_REFRESHES_MAX)

/* The changed nodes of one level, by ascending position, with their path secrets. */
typedef struct {
    uint32_t positions[GONE_MAX];
    secret_t secrets[GONE_MAX];
    size_t count;
} level_t;

typedef struct {
    key_journal_t *journal;
    const roster_table_t *roster;
    commit_t *commit;
    uint32_t gone[GONE_MAX]; /* removed and refreshed leaves, ascending */
    size_t gone_count;
} update_t;

static void step_above_adds(update_t *self)
{
    const commit_t *commit = self->commit;
    for (unsigned level = 1; level <= commit->depth; level++)
        for (size_t i = 0; i < commit->add_count; i++) {
            uint32_t position = commit->adds[i].leaf >> level;
            if (!i || position != commit->adds[i - 1].leaf >> level)
                key_journal_step(self->journal, node_at(level, position), KDF_JOIN, commit->random);
        }
}

static void randomise_leaves(update_t *self)
{
    const commit_t *commit = self->commit;
    for (size_t i = 0; i < commit->add_count; i++)
        key_journal_randomise(self->journal, node_of_leaf(leaf_index(commit->adds[i].leaf)));
    for (size_t i = 0; i < self->gone_count; i++)
        key_journal_randomise(self->journal, node_of_leaf(leaf_index(self->gone[i])));
}

/* Merges the two ascending lists. */
static void collect_gone(update_t *self)
{
    const commit_t *commit = self->commit;
    size_t r = 0, f = 0;
    while (r < commit->removal_count || f < commit->refresh_count) {
        bool removal =
            f == commit->refresh_count ||
            (r < commit->removal_count && commit->removals[r].leaf < commit->refreshes[f].leaf);
        self->gone[self->gone_count++] =
            removal ? commit->removals[r++].leaf : commit->refreshes[f++].leaf;
    }
}

/* Is anybody below the node who is neither added, removed nor refreshed? */
static bool has_continuing(const update_t *self, node_index_t node)
{
    size_t gone = 0;
    uint32_t last = node_last_leaf(node).value;
    leaf_index_t leaf = node_first_leaf(node);
    for (; roster_table_next(self->roster, leaf, &leaf) && leaf.value <= last; leaf.value++) {
        while (gone < self->gone_count && self->gone[gone] < leaf.value)
            gone++;
        if (gone == self->gone_count || self->gone[gone] != leaf.value)
            return true;
    }
    return false;
}

static void tell(update_t *self, node_index_t child, const secret_t *path_secret)
{
    commit_t *commit = self->commit;
    secret_t *key = key_journal_get(self->journal, child);
    commit_wrap_t *wrap = &commit->wraps[commit->wrap_count++];
    wrap->child = child.value;
    wrap_seal(wrap->sealed, path_secret, key, commit->random, commit->group, commit->epoch + 1,
              child);
    kdf(key, key, KDF_NEXT, commit->random, COMMIT_RANDOM_BYTES);
}

static const secret_t *find_secret(const level_t *level, uint32_t position)
{
    for (size_t i = 0; i < level->count; i++)
        if (level->positions[i] == position)
            return &level->secrets[i];
    return NULL;
}

static void change_node(update_t *self, const level_t *below, unsigned level, uint32_t position,
                        secret_t *path_secret)
{
    node_index_t node = node_at(level, position);
    node_index_t children[2] = {node_left(node), node_right(node)};
    uint32_t source = UINT32_MAX; /* a leaf is never one */
    for (unsigned side = 0; side < 2 && source == UINT32_MAX; side++) {
        const secret_t *secret = level > 1 ? find_secret(below, position * 2 + side) : NULL;
        if (!secret)
            continue;
        source = children[side].value;
        kdf(path_secret, secret, KDF_PATH, self->commit->random, COMMIT_RANDOM_BYTES);
    }
    if (source == UINT32_MAX)
        secret_random(path_secret);
    for (unsigned side = 0; side < 2; side++)
        if (children[side].value != source && has_continuing(self, children[side]))
            tell(self, children[side], path_secret);
    kdf(index_map_put(&self->journal->keys, node.value), path_secret, KDF_NODE,
        self->commit->random, COMMIT_RANDOM_BYTES);
}

static void change_paths(update_t *self)
{
    level_t *levels = mem_zalloc(2, sizeof *levels);
    for (unsigned level = 1; level <= self->commit->depth; level++) {
        const level_t *below = &levels[(level + 1) % 2];
        level_t *here = &levels[level % 2];
        here->count = 0;
        for (size_t i = 0; i < self->gone_count; i++) {
            uint32_t position = self->gone[i] >> level;
            if (here->count && here->positions[here->count - 1] == position)
                continue;
            here->positions[here->count] = position;
            change_node(self, below, level, position, &here->secrets[here->count]);
            here->count++;
        }
    }
    sodium_memzero(levels, 2 * sizeof *levels);
    free(levels);
}

static int compare_wraps(const void *a, const void *b)
{
    uint32_t x = ((const commit_wrap_t *)a)->child, y = ((const commit_wrap_t *)b)->child;
    return (x > y) - (x < y);
}

void tree_update(key_journal_t *journal, const roster_table_t *roster, commit_t *commit)
{
    update_t self = {.journal = journal, .roster = roster, .commit = commit};
    collect_gone(&self);
    while (journal->depth < commit->depth)
        key_journal_grow(journal, commit->random);
    step_above_adds(&self);
    randomise_leaves(&self);
    commit->wraps = mem_alloc((self.gone_count * commit->depth + 1) * sizeof *commit->wraps);
    commit->wrap_count = 0;
    change_paths(&self);
    qsort(commit->wraps, commit->wrap_count, sizeof *commit->wraps, compare_wraps);
}
