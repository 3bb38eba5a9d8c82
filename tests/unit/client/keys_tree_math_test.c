/* SPDX-License-Identifier: MPL-2.0 */
/* Tree indices against the tables of RFC 9420 appendix C, and against each other. */
#include "tests/unit/client/keys_world.h"

#include "client/keys/tree_math.h"

static void test_rfc_example(void **state)
{
    (void)state;
    /* the tree of eight leaves */
    assert_int_equal(tree_root(3).value, 7);
    assert_int_equal(tree_leaf_count(3), 8);
    assert_int_equal(tree_node_count(3), 15);
    static const uint8_t levels[15] = {0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0};
    static const uint8_t parents[15] = {1, 3, 1, 7, 5, 3, 5, 0, 9, 11, 9, 7, 13, 11, 13};
    for (uint32_t i = 0; i < 15; i++) {
        node_index_t node = node_index(i);
        assert_int_equal(node_level(node), levels[i]);
        if (i != 7)
            assert_int_equal(node_parent(node).value, parents[i]);
    }
    assert_int_equal(node_left(node_index(7)).value, 3);
    assert_int_equal(node_right(node_index(7)).value, 11);
    assert_int_equal(node_left(node_index(5)).value, 4);
    assert_int_equal(node_right(node_index(5)).value, 6);
}

static void test_relations(void **state)
{
    (void)state;
    for (unsigned depth = 0; depth <= 8; depth++)
        for (uint32_t i = 0; i < tree_node_count(depth); i++) {
            node_index_t node = node_index(i);
            unsigned level = node_level(node);
            assert_int_equal(node_at(level, node_position(node)).value, i);
            uint32_t first = node_first_leaf(node).value, last = node_last_leaf(node).value;
            assert_int_equal(last - first + 1, 1u << level);
            for (uint32_t leaf = first; leaf <= last; leaf++)
                assert_int_equal(node_above(leaf_index(leaf), level).value, i);
            if (!level)
                continue;
            assert_int_equal(node_parent(node_left(node)).value, i);
            assert_int_equal(node_parent(node_right(node)).value, i);
            assert_int_equal(node_sibling(node_left(node)).value, node_right(node).value);
            assert_int_equal(node_sibling(node_right(node)).value, node_left(node).value);
        }
}

static void test_meeting(void **state)
{
    (void)state;
    for (uint32_t a = 0; a < 64; a++)
        for (uint32_t b = 0; b < 64; b++) {
            unsigned level = leaf_meet_level(leaf_index(a), leaf_index(b));
            assert_int_equal(a >> level, b >> level);
            if (level)
                assert_int_not_equal(a >> (level - 1), b >> (level - 1));
        }
    assert_int_equal(leaf_meet_level(leaf_index(0), leaf_index(TREE_LEAVES_MAX - 1)), 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_example),
        cmocka_unit_test(test_relations),
        cmocka_unit_test(test_meeting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
