/* SPDX-License-Identifier: MPL-2.0 */
/* What a member checks about a commit before and while it follows it. Nothing here changes a state:
 * results are swapped in by group_state. */
#ifndef CONCLAVE_CLIENT_KEYS_COMMIT_APPLY_H
#define CONCLAVE_CLIENT_KEYS_COMMIT_APPLY_H

#include "client/keys/key_schedule.h"
#include "client/keys/member_path.h"

/* What the commit must leave. */
typedef struct {
    const uint8_t *group;
    uint64_t epoch;
    const uint8_t *transcript;    /* T_e */
    const secret_t *membership;   /* of e */
    const uint8_t *committer_key; /* identity key; NULL if unknown */
} commit_base_t;

/*
 * In this order: STATUS_BAD_TRANSCRIPT (another group), STATUS_STALE_EPOCH, STATUS_EPOCH_AHEAD,
 * STATUS_BAD_TRANSCRIPT (another history), STATUS_BAD_MAC, STATUS_UNPROVEN (no key to check with),
 * STATUS_BAD_SIGNATURE. Gives T_{e+1}. bytes are the whole commit's.
 */
MUST_CHECK status_t commit_check(const commit_t *commit, bytes_t bytes, const commit_base_t *base,
                                 uint8_t next_transcript[static HASH_BYTES]);

/*
 * Moves a copy of the path and derives the new epoch's keys. STATUS_BAD_COMMIT, STATUS_BAD_SEAL,
 * STATUS_BAD_CONFIRMATION: outputs are wiped then.
 */
MUST_CHECK status_t commit_follow(const commit_t *commit,
                                  const uint8_t next_transcript[static HASH_BYTES],
                                  member_path_t *path, epoch_keys_t *keys);

/* The parts, for a newcomer. STATUS_BAD_SIGNATURE; STATUS_BAD_CONFIRMATION. */
MUST_CHECK status_t commit_check_signature(const commit_t *commit,
                                           const uint8_t next_transcript[static HASH_BYTES],
                                           const uint8_t committer_key[static KEY_BYTES]);
MUST_CHECK status_t commit_check_tag(const commit_t *commit,
                                     const uint8_t next_transcript[static HASH_BYTES],
                                     const epoch_keys_t *keys);

/* Is the leaf among these lists (sorted, as parsed)? */
const commit_add_t *commit_find_add(const commit_t *commit, uint32_t leaf);
const commit_removal_t *commit_find_removal(const commit_t *commit, uint32_t leaf);
const commit_refresh_t *commit_find_refresh(const commit_t *commit, uint32_t leaf);

#endif
