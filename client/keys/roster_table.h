/* SPDX-License-Identifier: MPL-2.0 */
/* The whole roster in memory, as an admin needs it: who holds which leaf, which leaf is free, and
 * the Merkle tree (PROTOCOL.md section 8). */
#ifndef CONCLAVE_CLIENT_KEYS_ROSTER_TABLE_H
#define CONCLAVE_CLIENT_KEYS_ROSTER_TABLE_H

#include "client/keys/index_map.h"
#include "client/keys/rows.h"
#include "client/keys/tree_math.h"
#include "proto/commit.h"
#include "proto/roster.h"

/* Owned by one actor. Not thread-safe. */
typedef struct roster_table roster_table_t;

roster_table_t *roster_table_new(void); /* depth 0, nobody */
void roster_table_destroy(roster_table_t **self);

unsigned roster_table_depth(const roster_table_t *self);
size_t roster_table_count(const roster_table_t *self);
/* NULL if the leaf is free or outside. Lives until the table changes. */
const roster_member_t *roster_table_get(const roster_table_t *self, leaf_index_t leaf);
const roster_member_t *roster_table_find(const roster_table_t *self, const name_t *name);
/* The lowest member's leaf from this one on; false if there is none. For iterating, and for "does
 * this subtree hold anybody". */
bool roster_table_next(const roster_table_t *self, leaf_index_t from, leaf_index_t *out);
/* The lowest free leaf from this one on, in a tree that may be taken as grown without end. */
leaf_index_t roster_table_next_free(const roster_table_t *self, leaf_index_t from);
void roster_table_root(const roster_table_t *self, uint8_t out[static HASH_BYTES]);
/* A node's hash, NULL outside the tree. Lives until the table changes. */
const uint8_t *roster_table_hash(const roster_table_t *self, node_index_t node);
/* The admins by ascending leaf; returns how many there are. */
size_t roster_table_admins(const roster_table_t *self,
                           const roster_member_t *out[static ADMINS_MAX]);

/* The entry that an add of a commit leaving this epoch makes, before roles. */
roster_member_t roster_member_of_add(const commit_add_t *add, uint64_t epoch);

/* What a commit changes, beside the table. */
typedef struct {
    const roster_table_t *table; /* borrowed; not needed by write and adopt */
    unsigned depth;
    index_map_t hashes; /* node -> hash */
} roster_journal_t;

/* The journal of a commit that leaves epoch commit->epoch: all of its adds, removals and roles,
 * which must fit the table. Writes the new root. */
void roster_journal_init(roster_journal_t *self, const roster_table_t *table,
                         const commit_t *commit, uint8_t root[static HASH_BYTES]);
void roster_journal_wipe(roster_journal_t *self);
void roster_journal_write(const roster_journal_t *self, buffer_t *out);
MUST_CHECK status_t roster_journal_read(roster_journal_t *self, reader_t *in);
/* The table follows the commit that the journal was made of. The journal is empty afterwards. */
void roster_table_adopt(roster_table_t *self, roster_journal_t *journal, const commit_t *commit);

/* Rows "r" + leaf (4), not secret, changed since the last call. */
void roster_table_save(roster_table_t *self, row_fn *row, void *context);
void roster_table_save_all(const roster_table_t *self, row_fn *row, void *context);
MUST_CHECK status_t roster_table_load_depth(roster_table_t *self, unsigned depth);
MUST_CHECK status_t roster_table_load_row(roster_table_t *self, leaf_index_t leaf, bytes_t value);
/* Rehashes everything; then compare the root. */
void roster_table_load_end(roster_table_t *self);

#endif
