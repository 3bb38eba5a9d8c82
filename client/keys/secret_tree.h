/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Each sender's message keys of one epoch (PROTOCOL.md section 9, after RFC 9420 section 9): a
 * one-way tree leads to the senders' chains, and each chain goes forward only. What was passed is
 * erased.
 *
 *            tree                     c0 -> c1 -> c2 -> ...     one chain a sender
 *        left    right                |     |     |
 *       /    \   /    \               m0    m1    m2            message keys
 */
#ifndef CONCLAVE_CLIENT_KEYS_SECRET_TREE_H
#define CONCLAVE_CLIENT_KEYS_SECRET_TREE_H

#include "client/keys/index_map.h"
#include "client/keys/rows.h"
#include "client/keys/secret.h"
#include "client/keys/tree_math.h"

/* Embedded; its memory grows with the number of senders heard. */
typedef struct {
    unsigned depth;
    index_map_t nodes;  /* node -> secret_t, not yet split */
    index_map_t chains; /* leaf -> chain_t */
    index_map_t dirty_nodes, dirty_chains;
    bool is_new; /* rows of the epoch before are still on the device */
} secret_tree_t;

typedef struct {
    uint64_t next; /* the lowest generation that isn't used or passed */
    secret_t key;  /* c_next */
} chain_t;

/* tree_secret is moved in. */
void secret_tree_init(secret_tree_t *self, unsigned depth, secret_t *tree_secret);
void secret_tree_wipe(secret_tree_t *self);
/* *to is wiped and takes what *from holds. */
void secret_tree_move(secret_tree_t *to, secret_tree_t *from);

/* A look ahead that changes nothing until it is kept. */
typedef struct {
    leaf_index_t leaf;
    chain_t chain;    /* the sender's chain after this generation */
    secret_t message; /* the generation's message key */
} ratchet_step_t;

/*
 * The message key of a leaf's generation. STATUS_KEY_ERASED (used or passed), STATUS_TOO_FAR_AHEAD
 * (more than SKIP_MAX at once), STATUS_UNKNOWN_LEAF (outside the tree). *out is zero then. The
 * inner secrets above the leaf are split and erased by keep, not here.
 */
MUST_CHECK status_t secret_tree_peek(const secret_tree_t *self, leaf_index_t leaf,
                                     uint32_t generation, ratchet_step_t *out);
/* The next unused generation of a leaf. */
uint64_t secret_tree_next_generation(const secret_tree_t *self, leaf_index_t leaf);
/* Moves the chain, and erases what is passed. The step must have been peeked from this tree as it
 * is. */
void secret_tree_keep(secret_tree_t *self, ratchet_step_t *step);
void ratchet_step_wipe(ratchet_step_t *self);

/* Rows "n" + node (4) and "c" + leaf (4). */
void secret_tree_save(secret_tree_t *self, row_fn *row, void *context);
void secret_tree_save_all(const secret_tree_t *self, row_fn *row, void *context);
void secret_tree_load_start(secret_tree_t *self, unsigned depth);
MUST_CHECK status_t secret_tree_load_row(secret_tree_t *self, bytes_t key, bytes_t value);
/* Checks that the rows are of one moment: to each leaf leads exactly one secret. */
MUST_CHECK status_t secret_tree_load_end(const secret_tree_t *self);

#endif
