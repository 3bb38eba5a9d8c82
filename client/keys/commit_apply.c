/* SPDX-License-Identifier: MPL-2.0 */
/* Verifying a commit, and following it on copies. */
#include "client/keys/commit_apply.h"

#include <sodium.h>
#include <string.h>

#include "proto/statement.h"

status_t commit_check(const commit_t *commit, bytes_t bytes, const commit_base_t *base,
                      uint8_t next_transcript[static HASH_BYTES])
{
    if (memcmp(commit->group, base->group, GROUP_ID_BYTES))
        return STATUS_BAD_TRANSCRIPT;
    if (commit->epoch != base->epoch)
        return commit->epoch < base->epoch ? STATUS_STALE_EPOCH : STATUS_EPOCH_AHEAD;
    if (memcmp(commit->transcript, base->transcript, HASH_BYTES))
        return STATUS_BAD_TRANSCRIPT;
    transcript_extend(next_transcript, commit->transcript, commit_body(bytes));
    uint8_t code[HASH_BYTES];
    membership_code(code, base->membership, next_transcript, commit->tag);
    if (sodium_memcmp(code, commit->mac, HASH_BYTES))
        return STATUS_BAD_MAC;
    if (!base->committer_key)
        return STATUS_UNPROVEN;
    return commit_check_signature(commit, next_transcript, base->committer_key);
}

status_t commit_check_signature(const commit_t *commit,
                                const uint8_t next_transcript[static HASH_BYTES],
                                const uint8_t committer_key[static KEY_BYTES])
{
    buffer_t statement = {0};
    statement_commit(&statement, commit->group, next_transcript, commit->tag);
    status_t status = signature_verify(commit->signature, committer_key, buffer_view(&statement));
    buffer_free(&statement);
    return status;
}

status_t commit_check_tag(const commit_t *commit, const uint8_t next_transcript[static HASH_BYTES],
                          const epoch_keys_t *keys)
{
    uint8_t tag[HASH_BYTES];
    confirmation_tag(tag, &keys->confirm, next_transcript);
    return sodium_memcmp(tag, commit->tag, HASH_BYTES) ? STATUS_BAD_CONFIRMATION : STATUS_OK;
}

status_t commit_follow(const commit_t *commit, const uint8_t next_transcript[static HASH_BYTES],
                       member_path_t *path, epoch_keys_t *keys)
{
    status_t status = member_path_apply(path, commit);
    if (!status) {
        secret_t epoch_secret;
        member_path_epoch(path, commit->random, next_transcript, &epoch_secret);
        epoch_keys_derive(keys, &epoch_secret);
        status = commit_check_tag(commit, next_transcript, keys);
    }
    if (status) {
        member_path_wipe(path);
        epoch_keys_wipe(keys);
    }
    return status;
}

/* Each list starts its items with the leaf, and is in ascending order; the lists are short. */
#define FIND(items, count, wanted)                                                                 \
    for (size_t i = 0; i < (count); i++)                                                           \
        if ((items)[i].leaf == (wanted))                                                           \
            return &(items)[i];                                                                    \
    return NULL

const commit_add_t *commit_find_add(const commit_t *commit, uint32_t leaf)
{
    FIND(commit->adds, commit->add_count, leaf);
}

const commit_removal_t *commit_find_removal(const commit_t *commit, uint32_t leaf)
{
    FIND(commit->removals, commit->removal_count, leaf);
}

const commit_refresh_t *commit_find_refresh(const commit_t *commit, uint32_t leaf)
{
    FIND(commit->refreshes, commit->refresh_count, leaf);
}
