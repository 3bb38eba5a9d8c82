/* SPDX-License-Identifier: MPL-2.0 */
/* A member's keys from leaf to root, and their steps. */
#include "client/keys/member_path.h"

#include <sodium.h>
#include <string.h>

#include "client/keys/kdf.h"

void member_path_wipe(member_path_t *self)
{
    sodium_memzero(self, sizeof *self);
}

#define WRAP_CONTEXT_BYTES (GROUP_ID_BYTES + 8 + 4)

static const uint8_t zero_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

static void wrap_context(uint8_t out[static WRAP_CONTEXT_BYTES], const uint8_t *group,
                         uint64_t next_epoch, node_index_t child)
{
    memcpy(out, group, GROUP_ID_BYTES);
    put_u64(out + GROUP_ID_BYTES, next_epoch);
    put_u32(out + GROUP_ID_BYTES + 8, child.value);
}

void wrap_seal(uint8_t out[static WRAP_BYTES], const secret_t *path_secret,
               const secret_t *child_key, const uint8_t random[static COMMIT_RANDOM_BYTES],
               const uint8_t group[static GROUP_ID_BYTES], uint64_t next_epoch, node_index_t child)
{
    uint8_t context[WRAP_CONTEXT_BYTES];
    wrap_context(context, group, next_epoch, child);
    secret_t key;
    kdf(&key, child_key, KDF_WRAP, random, COMMIT_RANDOM_BYTES);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, path_secret->bytes, KEY_BYTES, context,
                                              sizeof context, NULL, zero_nonce, key.bytes);
    secret_wipe(&key);
}

status_t wrap_open(secret_t *path_secret, const uint8_t wrap[static WRAP_BYTES],
                   const secret_t *child_key, const uint8_t random[static COMMIT_RANDOM_BYTES],
                   const uint8_t group[static GROUP_ID_BYTES], uint64_t next_epoch,
                   node_index_t child)
{
    uint8_t context[WRAP_CONTEXT_BYTES];
    wrap_context(context, group, next_epoch, child);
    secret_t key;
    kdf(&key, child_key, KDF_WRAP, random, COMMIT_RANDOM_BYTES);
    int failed =
        crypto_aead_chacha20poly1305_ietf_decrypt(path_secret->bytes, NULL, NULL, wrap, WRAP_BYTES,
                                                  context, sizeof context, zero_nonce, key.bytes);
    secret_wipe(&key);
    return failed ? STATUS_BAD_SEAL : STATUS_OK;
}

static void step(secret_t *key, kdf_label_t label, const commit_t *commit)
{
    kdf(key, key, label, commit->random, COMMIT_RANDOM_BYTES);
}

/* The lowest level from which on every node above the leaf has one of the commit's added leaves
 * below it. */
static unsigned level_of_adds(leaf_index_t leaf, const commit_t *commit)
{
    unsigned lowest = UINT32_MAX;
    for (size_t i = 0; i < commit->add_count; i++) {
        unsigned level = leaf_meet_level(leaf, leaf_index(commit->adds[i].leaf));
        lowest = level < lowest ? level : lowest;
    }
    return lowest;
}

static bool in_range(uint32_t leaf, node_index_t node)
{
    return leaf >= node_first_leaf(node).value && leaf <= node_last_leaf(node).value;
}

/* A removed or refreshed leaf is below it. */
static bool is_changed(node_index_t node, const commit_t *commit)
{
    if (!node_level(node))
        return false; /* leaves get keys of their own, not from path secrets */
    for (size_t i = 0; i < commit->removal_count; i++)
        if (in_range(commit->removals[i].leaf, node))
            return true;
    for (size_t i = 0; i < commit->refresh_count; i++)
        if (in_range(commit->refreshes[i].leaf, node))
            return true;
    return false;
}

static const commit_wrap_t *find_wrap(const commit_t *commit, node_index_t child)
{
    size_t from = 0, to = commit->wrap_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (commit->wraps[middle].child < child.value)
            from = middle + 1;
        else
            to = middle;
    }
    bool found = from < commit->wrap_count && commit->wraps[from].child == child.value;
    return found ? &commit->wraps[from] : NULL;
}

/* Growth, and the steps for newcomers. */
static void grow_and_join(member_path_t *self, const commit_t *commit)
{
    while (self->depth < commit->depth) {
        secret_t *root = &self->keys[self->depth++];
        kdf(root + 1, root, KDF_GROW, commit->random, COMMIT_RANDOM_BYTES);
        step(root, KDF_NEXT, commit);
    }
    for (unsigned level = level_of_adds(self->leaf, commit); level <= self->depth; level++)
        step(&self->keys[level], KDF_JOIN, commit);
}

/*
 * One changed node above this leaf. secret holds the child's path secret on entry if the child on
 * this path is changed, and the node's own afterwards.
 */
static status_t follow_node(member_path_t *self, const commit_t *commit, unsigned level,
                            secret_t *secret)
{
    node_index_t child = node_above(self->leaf, level - 1);
    node_index_t sibling = node_sibling(child);
    bool is_left = child.value < sibling.value;
    bool is_source = is_changed(child, commit) && (is_left || !is_changed(sibling, commit));
    const commit_wrap_t *wrap = find_wrap(commit, child);
    if (is_source == (wrap != NULL))
        return STATUS_BAD_COMMIT;
    if (is_source) {
        step(secret, KDF_PATH, commit);
    } else {
        status_t status = wrap_open(secret, wrap->sealed, &self->keys[level - 1], commit->random,
                                    commit->group, commit->epoch + 1, child);
        if (status)
            return status;
        step(&self->keys[level - 1], KDF_NEXT, commit);
    }
    kdf(&self->keys[level], secret, KDF_NODE, commit->random, COMMIT_RANDOM_BYTES);
    return STATUS_OK;
}

status_t member_path_apply(member_path_t *self, const commit_t *commit)
{
    if (commit->depth < self->depth || commit->depth > TREE_DEPTH_MAX)
        return STATUS_BAD_COMMIT;
    if (level_of_adds(self->leaf, commit) == 0)
        return STATUS_BAD_COMMIT;
    grow_and_join(self, commit);

    secret_t secret = {0};
    status_t status = STATUS_OK;
    for (unsigned level = 1; level <= self->depth && !status; level++)
        if (is_changed(node_above(self->leaf, level), commit))
            status = follow_node(self, commit, level, &secret);
        else if (find_wrap(commit, node_above(self->leaf, level - 1)))
            status = STATUS_BAD_COMMIT;
    secret_wipe(&secret);
    return status;
}

void member_path_epoch(member_path_t *self, const uint8_t random[static COMMIT_RANDOM_BYTES],
                       const uint8_t transcript[static HASH_BYTES], secret_t *epoch_secret)
{
    secret_t *root = &self->keys[self->depth];
    kdf(epoch_secret, root, KDF_EPOCH, transcript, HASH_BYTES);
    kdf(root, root, KDF_NEXT, random, COMMIT_RANDOM_BYTES);
}
