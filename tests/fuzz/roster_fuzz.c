/* SPDX-License-Identifier: MPL-2.0 */
/* Roster proofs: the entry that stands in the tree is proven, and nothing else is: no other entry,
 * leaf, depth or sibling. */
#include <string.h>

#include "proto/roster.h"
#include "tests/fuzz/fixed_random.h"

enum { DEPTH = 3, LEAVES = 1 << DEPTH };

static uint8_t tree[DEPTH + 1][LEAVES][HASH_BYTES];

static void load(void *context, unsigned level, uint32_t index, uint8_t out[HASH_BYTES])
{
    (void)context;
    memcpy(out, tree[level][index], HASH_BYTES);
}

static void store(void *context, unsigned level, uint32_t index, const uint8_t hash[HASH_BYTES])
{
    (void)context;
    memcpy(tree[level][index], hash, HASH_BYTES);
}

static const roster_nodes_t nodes = {NULL, load, store};

static roster_member_t member_of(uint32_t leaf)
{
    roster_member_t member = {.leaf = leaf, .epoch_added = leaf + 1};
    FUZZ_MUST(name_parse(&member.name, "somebody") == STATUS_OK);
    member.identity_key[0] = (uint8_t)leaf;
    return member;
}

static void start(void)
{
    fixed_random_start(1);
    for (uint32_t leaf = 0; leaf < LEAVES; leaf += leaf == 2 ? 2 : 1) { /* 3 is free */
        roster_member_t member = member_of(leaf);
        roster_set(&nodes, DEPTH, leaf, &member);
    }
}

/* The bytes: a leaf, a depth, then edits of the entry and its proof: where, what to xor. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct {
        uint8_t leaf[4], key[KEY_BYTES], epoch[8], role;
        uint8_t proof[DEPTH * HASH_BYTES];
    } edited = {0}, original;
    static int is_started;
    if (!is_started++)
        start();
    if (size < 2)
        return 0;
    uint32_t leaf = data[0] % LEAVES;
    roster_member_t member = member_of(leaf);
    put_u32(edited.leaf, leaf);
    put_u64(edited.epoch, member.epoch_added);
    memcpy(edited.key, member.identity_key, KEY_BYTES);
    roster_prove(&nodes, DEPTH, leaf, edited.proof);
    original = edited;
    for (size_t i = 2; i + 2 <= size; i += 2)
        ((uint8_t *)&edited)[data[i] % sizeof edited] ^= data[i + 1];
    member.leaf = get_u32(edited.leaf);
    member.epoch_added = get_u64(edited.epoch);
    member.role = edited.role;
    memcpy(member.identity_key, edited.key, KEY_BYTES);
    unsigned depth = data[1] % (DEPTH + 1);
    uint8_t root[HASH_BYTES];
    roster_root(&nodes, DEPTH, root);
    status_t status = roster_proof_verify(&member, edited.proof, depth, root);
    bool is_true = depth == DEPTH && leaf != 3 && !memcmp(&edited, &original, sizeof edited);
    FUZZ_MUST((status == STATUS_OK) == is_true);
    return 0;
}
