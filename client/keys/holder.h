/* SPDX-License-Identifier: MPL-2.0 */
/* An admin's state of a group whose key tree it holds: tree, roster, epoch, and what was served
 * lately. Changed by adopted commits only. */
#ifndef CONCLAVE_CLIENT_KEYS_HOLDER_H
#define CONCLAVE_CLIENT_KEYS_HOLDER_H

#include "client/keys/identity.h"
#include "client/keys/key_tree.h"
#include "client/keys/roster_table.h"

/* Owned by one actor. Not thread-safe. */
typedef struct holder holder_t;

/* A new group in epoch 0, without members. The first commit adds the creator, whose join request
 * names holder_transcript as its transcript. */
holder_t *holder_new(const uint8_t group[static GROUP_ID_BYTES], const name_t *group_name,
                     const identity_t *creator);
void holder_destroy(holder_t **self);

const uint8_t *holder_group(const holder_t *self); /* GROUP_ID_BYTES */
const name_t *holder_group_name(const holder_t *self);
uint64_t holder_epoch(const holder_t *self);
const uint8_t *holder_transcript(const holder_t *self); /* HASH_BYTES */
leaf_index_t holder_leaf(const holder_t *self);         /* the admin's own */
const roster_table_t *holder_roster(const holder_t *self);
const key_tree_t *holder_tree(const holder_t *self);
const secret_t *holder_membership(const holder_t *self); /* of the present epoch; zero in epoch 0 */
/* T of an epoch among the last TRANSCRIPTS_KEPT. NULL if unknown. */
const uint8_t *holder_transcript_of(const holder_t *self, uint64_t epoch);

/* A join request that may be served. */
typedef struct {
    join_t request;
    uint8_t hash[HASH_BYTES];
    bool is_held; /* the name holds a leaf now, with the same key: serve as a refresh, or as an add
                     in a commit that removes that leaf */
    uint32_t leaf;
} served_request_t;

/*
 * Checks a join request's bytes in full. STATUS_BAD_JOIN, STATUS_BAD_SIGNATURE, STATUS_BAD_KEY,
 * STATUS_UNKNOWN_GROUP (another group's), STATUS_BAD_TRANSCRIPT (not one of the last
 * TRANSCRIPTS_KEPT epochs'), STATUS_ALREADY_LEFT (served before), STATUS_KEY_CHANGED (the name
 * holds a leaf with another key).
 */
MUST_CHECK status_t holder_check_request(const holder_t *self, bytes_t request,
                                         served_request_t *out);

/*
 * Rows: "h" head; "k" + number (2) keys; "r" + leaf (4) roster; "e" + epoch (8) transcripts and
 * hashes of served requests. save gives what changed since the last save. Load: holder_load_new,
 * then the rows in any order that has "h" first, then holder_load_end, which checks the whole.
 * STATUS_DAMAGED_FILE, STATUS_NEWER_FORMAT.
 */
void holder_save(holder_t *self, row_fn *row, void *context);
void holder_save_all(const holder_t *self, row_fn *row, void *context);
holder_t *holder_load_new(void);
MUST_CHECK status_t holder_load_row(holder_t *self, bytes_t key, bytes_t value);
MUST_CHECK status_t holder_load_end(holder_t *self);

#endif
