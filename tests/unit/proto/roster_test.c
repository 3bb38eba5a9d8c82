/* SPDX-License-Identifier: MPL-2.0 */
/* The roster's tree: incremental against from scratch, growth, proofs and their forgeries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "proto/roster.h"

enum { DEPTH = 4, LEAVES = 1 << DEPTH };

static uint8_t tree[DEPTH + 2][2 * LEAVES][HASH_BYTES];
static roster_member_t members[LEAVES];
static bool present[LEAVES];

static void load_node(void *context, unsigned level, uint32_t index, uint8_t out[HASH_BYTES])
{
    assert_null(context);
    memcpy(out, tree[level][index], HASH_BYTES);
}

static void store_node(void *context, unsigned level, uint32_t index,
                       const uint8_t hash[HASH_BYTES])
{
    assert_null(context);
    memcpy(tree[level][index], hash, HASH_BYTES);
}

static const roster_nodes_t nodes = {NULL, load_node, store_node};

static int empty_tree(void **state)
{
    (void)state;
    memset(tree, 0, sizeof tree);
    memset(present, 0, sizeof present);
    for (uint32_t leaf = 0; leaf < LEAVES; leaf++) {
        members[leaf] = (roster_member_t){
            .leaf = leaf, .identity_key = {(uint8_t)leaf, 1}, .epoch_added = leaf + 3};
        assert_int_equal(name_parse(&members[leaf].name, "somebody"), STATUS_OK);
    }
    return 0;
}

static void hash_from_scratch(unsigned level, uint32_t index, uint8_t out[HASH_BYTES])
{
    uint8_t left[HASH_BYTES], right[HASH_BYTES];
    memset(out, 0, HASH_BYTES);
    if (level == 0) {
        if (index < LEAVES && present[index])
            roster_leaf_hash(out, &members[index]);
        return;
    }
    hash_from_scratch(level - 1, 2 * index, left);
    hash_from_scratch(level - 1, 2 * index + 1, right);
    roster_node_hash(out, left, right);
}

static void set_leaf(uint32_t leaf, bool is_present)
{
    present[leaf] = is_present;
    roster_set(&nodes, DEPTH, leaf, is_present ? &members[leaf] : NULL);
}

static void assert_all_proofs(unsigned depth)
{
    uint8_t root[HASH_BYTES], expected[HASH_BYTES], proof[(DEPTH + 1) * HASH_BYTES];
    roster_root(&nodes, depth, root);
    hash_from_scratch(depth, 0, expected);
    assert_memory_equal(root, expected, HASH_BYTES);
    for (uint32_t leaf = 0; leaf < LEAVES; leaf++) {
        roster_prove(&nodes, depth, leaf, proof);
        status_t status = roster_proof_verify(&members[leaf], proof, depth, root);
        assert_int_equal(status, present[leaf] ? STATUS_OK : STATUS_BAD_PROOF);
    }
}

static void test_sets_and_removals(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (unsigned round = 0; round < 200; round++) {
        random = random * 1664525u + 1013904223u;
        set_leaf(random >> 28, random >> 27 & 1);
        assert_all_proofs(DEPTH);
    }
    for (uint32_t leaf = 0; leaf < LEAVES; leaf++)
        set_leaf(leaf, false);
    static const uint8_t zero[HASH_BYTES];
    uint8_t root[HASH_BYTES];
    roster_root(&nodes, DEPTH, root);
    assert_memory_equal(root, zero, HASH_BYTES);
}

static void test_growth(void **state)
{
    (void)state;
    present[0] = true;
    roster_set(&nodes, 0, 0, &members[0]);
    for (unsigned depth = 0; depth < DEPTH; depth++) {
        roster_grow(&nodes, depth);
        uint32_t leaf = (1u << depth) + (depth > 1 ? 1 : 0);
        present[leaf] = true;
        roster_set(&nodes, depth + 1, leaf, &members[leaf]);
        uint8_t root[HASH_BYTES], expected[HASH_BYTES];
        roster_root(&nodes, depth + 1, root);
        hash_from_scratch(depth + 1, 0, expected);
        assert_memory_equal(root, expected, HASH_BYTES);
    }
    roster_grow(&nodes, DEPTH);
    assert_all_proofs(DEPTH + 1);
}

static void test_forged_proofs(void **state)
{
    (void)state;
    for (uint32_t leaf = 0; leaf < LEAVES; leaf += 3)
        set_leaf(leaf, true);
    uint8_t root[HASH_BYTES], proof[DEPTH * HASH_BYTES];
    roster_root(&nodes, DEPTH, root);
    roster_prove(&nodes, DEPTH, 6, proof);
    roster_member_t member = members[6];
    assert_int_equal(roster_proof_verify(&member, proof, DEPTH, root), STATUS_OK);
    member.leaf = 9; /* the same path, read in another direction */
    assert_int_equal(roster_proof_verify(&member, proof, DEPTH, root), STATUS_BAD_PROOF);
    member.leaf = 6 + LEAVES;
    assert_int_equal(roster_proof_verify(&member, proof, DEPTH, root), STATUS_BAD_PROOF);
    member = members[6];
    member.role ^= 1;
    assert_int_equal(roster_proof_verify(&member, proof, DEPTH, root), STATUS_BAD_PROOF);
    member = members[6];
    member.epoch_added++;
    assert_int_equal(roster_proof_verify(&member, proof, DEPTH, root), STATUS_BAD_PROOF);
    member = members[6];
    assert_int_equal(roster_proof_verify(&member, proof, DEPTH - 1, root), STATUS_BAD_PROOF);
    assert_int_equal(roster_proof_verify(&member, proof, TREE_DEPTH_MAX + 1, root),
                     STATUS_BAD_PROOF);
    for (size_t i = 0; i < sizeof proof; i++) {
        proof[i] ^= 0x80;
        assert_int_equal(roster_proof_verify(&member, proof, DEPTH, root), STATUS_BAD_PROOF);
        proof[i] ^= 0x80;
    }
}

static void test_one_leaf(void **state)
{
    (void)state;
    uint8_t root[HASH_BYTES];
    roster_leaf_hash(root, &members[0]);
    assert_int_equal(roster_proof_verify(&members[0], NULL, 0, root), STATUS_OK);
    assert_int_equal(roster_proof_verify(&members[1], NULL, 0, root), STATUS_BAD_PROOF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_sets_and_removals, empty_tree),
        cmocka_unit_test_setup(test_growth, empty_tree),
        cmocka_unit_test_setup(test_forged_proofs, empty_tree),
        cmocka_unit_test_setup(test_one_leaf, empty_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
