/* SPDX-License-Identifier: MPL-2.0 */
/* A member's side of the key tree: the keys from its leaf to the root, and how a commit moves them
 * (PROTOCOL.md section 9). */
#ifndef CONCLAVE_CLIENT_KEYS_MEMBER_PATH_H
#define CONCLAVE_CLIENT_KEYS_MEMBER_PATH_H

#include "client/keys/secret.h"
#include "client/keys/tree_math.h"
#include "proto/commit.h"

/* 600 bytes: copied to work on, swapped when all is verified. */
typedef struct {
    leaf_index_t leaf;
    unsigned depth;
    secret_t keys[TREE_DEPTH_MAX + 1]; /* by level */
} member_path_t;

void member_path_wipe(member_path_t *self);

/*
 * Steps 1 to 4 of a commit that neither adds, removes nor refreshes this leaf. STATUS_BAD_COMMIT (a
 * smaller tree, a wrap missing or one too many), STATUS_BAD_SEAL (a wrap does not open). After a
 * failure the path is of no use: work on a copy.
 */
MUST_CHECK status_t member_path_apply(member_path_t *self, const commit_t *commit);

/* Step 5: the epoch secret, and the root's next key. */
void member_path_epoch(member_path_t *self, const uint8_t random[static COMMIT_RANDOM_BYTES],
                       const uint8_t transcript[static HASH_BYTES], secret_t *epoch_secret);

/* Wraps: 32 bytes under a key that is used once. Shared with the tree's holder. */
void wrap_seal(uint8_t out[static WRAP_BYTES], const secret_t *path_secret,
               const secret_t *child_key, const uint8_t random[static COMMIT_RANDOM_BYTES],
               const uint8_t group[static GROUP_ID_BYTES], uint64_t next_epoch, node_index_t child);
MUST_CHECK status_t wrap_open(secret_t *path_secret, const uint8_t wrap[static WRAP_BYTES],
                              const secret_t *child_key,
                              const uint8_t random[static COMMIT_RANDOM_BYTES],
                              const uint8_t group[static GROUP_ID_BYTES], uint64_t next_epoch,
                              node_index_t child);

#endif
