/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The key tree's holder's side (PROTOCOL.md section 9, after RFC 2627): a key for every node, made
 * when first needed.
 *
 * Kept in rows of up to 63 nodes: subtrees of six levels, so that the way from a leaf to the root
 * of the largest tree crosses three rows.
 */
#ifndef CONCLAVE_CLIENT_KEYS_KEY_TREE_H
#define CONCLAVE_CLIENT_KEYS_KEY_TREE_H

#include "client/keys/index_map.h"
#include "client/keys/kdf.h"
#include "client/keys/rows.h"
#include "client/keys/secret.h"
#include "client/keys/tree_math.h"

/* Owned by one actor. Not thread-safe. */
typedef struct key_tree key_tree_t;

key_tree_t *key_tree_new(void); /* one leaf */
void key_tree_destroy(key_tree_t **self);
unsigned key_tree_depth(const key_tree_t *self);
/* NULL if the node has no key yet. Lives until the tree changes. */
const secret_t *key_tree_get(const key_tree_t *self, node_index_t node);

/* Rows changed since the last call, as keys "k" + number (2). Nothing is dirty afterwards. */
void key_tree_save(key_tree_t *self, row_fn *row, void *context);
void key_tree_save_all(const key_tree_t *self, row_fn *row, void *context);
/* Sets the depth before the rows are read. STATUS_DAMAGED_FILE. */
MUST_CHECK status_t key_tree_load_depth(key_tree_t *self, unsigned depth);
MUST_CHECK status_t key_tree_load_row(key_tree_t *self, uint16_t number, bytes_t value);

/*
 * A journal: what a commit changes, beside the tree, which stays as it is until the journal is
 * adopted. Its size is that of the changes.
 */
typedef struct {
    const key_tree_t *tree; /* borrowed; not needed by write and adopt */
    unsigned depth;
    index_map_t keys; /* node -> secret_t */
} key_journal_t;

void key_journal_init(key_journal_t *self, const key_tree_t *tree);
void key_journal_wipe(key_journal_t *self);

/* The steps of PROTOCOL.md section 9; R is COMMIT_RANDOM_BYTES. */
void key_journal_grow(key_journal_t *self, const uint8_t *random);
/* k = KDF(k, label, R). */
void key_journal_step(key_journal_t *self, node_index_t node, kdf_label_t label,
                      const uint8_t *random);
void key_journal_randomise(key_journal_t *self, node_index_t node);
/* The key as of now; makes one at random where there was none. Lives until the next call that makes
 * a key. */
secret_t *key_journal_get(key_journal_t *self, node_index_t node);

void key_journal_write(const key_journal_t *self, buffer_t *out);
MUST_CHECK status_t key_journal_read(key_journal_t *self, reader_t *in); /* STATUS_DAMAGED_FILE */
/* Takes the journal's keys over into the tree that it was made on. The journal is empty afterwards.
 */
void key_tree_adopt(key_tree_t *self, key_journal_t *journal);

#endif
