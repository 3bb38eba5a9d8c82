/* SPDX-License-Identifier: MPL-2.0 */
/* The senders' ratchets: forward only, bounded, independent of each other, and kept in rows. */
#include "tests/unit/client/keys_world.h"

#include "client/keys/secret_tree.h"

static secret_tree_t tree_of(unsigned depth, uint8_t seed)
{
    secret_t secret = {{seed}};
    secret_tree_t tree;
    secret_tree_init(&tree, depth, &secret);
    return tree;
}

static secret_t take(secret_tree_t *tree, uint32_t leaf, uint32_t generation)
{
    ratchet_step_t step;
    assert_status(secret_tree_peek(tree, leaf_index(leaf), generation, &step), OK);
    secret_t message = step.message;
    secret_tree_keep(tree, &step);
    assert_true(sodium_is_zero((const uint8_t *)&step, sizeof step));
    return message;
}

static void flatten(const secret_tree_t *tree, buffer_t *out)
{
    secret_tree_save_all(tree, append_row, out);
}

static void test_order_does_not_matter(void **state)
{
    (void)state;
    secret_tree_t up = tree_of(4, 1), down = tree_of(4, 1);
    secret_t keys[16];
    for (uint32_t leaf = 0; leaf < 16; leaf++)
        keys[leaf] = take(&up, leaf, 3);
    for (uint32_t leaf = 16; leaf-- > 0;) {
        secret_t key = take(&down, leaf, 3);
        assert_memory_equal(&key, &keys[leaf], sizeof key);
        for (uint32_t other = 0; other < leaf; other++)
            assert_memory_not_equal(&keys[other], &keys[leaf], sizeof key);
    }
    assert_int_equal(up.nodes.count, 0); /* all split */
    buffer_t a = {0}, b = {0};
    flatten(&up, &a);
    flatten(&down, &b);
    assert_same(&a, &b);
    buffer_free(&a);
    buffer_free(&b);
    secret_tree_wipe(&up);
    secret_tree_wipe(&down);
}

static void test_forward_only(void **state)
{
    (void)state;
    secret_tree_t tree = tree_of(2, 1);
    ratchet_step_t step;
    buffer_t before = {0}, after = {0};
    flatten(&tree, &before);
    assert_status(secret_tree_peek(&tree, leaf_index(1), SKIP_MAX, &step), OK);
    assert_status(secret_tree_peek(&tree, leaf_index(1), SKIP_MAX + 1, &step), TOO_FAR_AHEAD);
    assert_status(secret_tree_peek(&tree, leaf_index(1), UINT32_MAX, &step), TOO_FAR_AHEAD);
    assert_status(secret_tree_peek(&tree, leaf_index(4), 0, &step), UNKNOWN_LEAF);
    assert_true(sodium_is_zero((const uint8_t *)&step, sizeof step));
    flatten(&tree, &after);
    assert_same(&before, &after);
    (void)take(&tree, 1, 5);
    for (uint32_t generation = 0; generation <= 5; generation++)
        assert_status(secret_tree_peek(&tree, leaf_index(1), generation, &step), KEY_ERASED);
    (void)take(&tree, 1, 6 + SKIP_MAX);
    assert_int_equal(secret_tree_next_generation(&tree, leaf_index(1)), 7 + SKIP_MAX);
    buffer_free(&before);
    buffer_free(&after);
    secret_tree_wipe(&tree);
}

static void test_single_leaf(void **state)
{
    (void)state;
    secret_tree_t tree = tree_of(0, 9);
    (void)take(&tree, 0, 0);
    (void)take(&tree, 0, 1);
    assert_int_equal(tree.nodes.count, 0);
    secret_tree_wipe(&tree);
}

static status_t load(void *tree, bytes_t key, bytes_t value)
{
    return secret_tree_load_row(tree, key, value);
}

static void test_rows(void **state)
{
    (void)state;
    stored_t rows = {0};
    for (uint8_t epoch = 1; epoch < 4; epoch++) {
        secret_tree_t tree = tree_of(6, epoch);
        for (unsigned i = 0; i < 40; i++) {
            uint32_t leaf = randombytes_uniform(64);
            (void)take(&tree, leaf, (uint32_t)secret_tree_next_generation(&tree, leaf_index(leaf)));
            if (i % 3)
                continue;
            secret_tree_save(&tree, stored_row, &rows);
            secret_tree_t loaded;
            secret_tree_load_start(&loaded, 6);
            assert_status(stored_load(&rows, &loaded, load), OK);
            buffer_t a = {0}, b = {0};
            flatten(&tree, &a);
            flatten(&loaded, &b);
            assert_same(&a, &b);
            buffer_free(&a);
            buffer_free(&b);
            secret_tree_move(&tree, &loaded);
        }
        secret_tree_wipe(&tree);
    }
    stored_free(&rows);
}

/* Rows that aren't all of one moment: a secret that is missing, or that should have been erased. */
static void test_rows_of_two_moments(void **state)
{
    (void)state;
    secret_tree_t tree = tree_of(4, 1);
    stored_t before = {0}, after = {0};
    (void)take(&tree, 3, 5);
    secret_tree_save(&tree, stored_row, &before);
    (void)take(&tree, 9, 0);
    secret_tree_save_all(&tree, stored_row, &after);
    secret_tree_wipe(&tree);

    size_t whole = after.count;
    for (size_t left_out = 0; left_out <= whole; left_out++) {
        secret_tree_load_start(&tree, 4);
        for (size_t i = 0; i < whole; i++)
            if (i != left_out)
                assert_status(load(&tree, buffer_view(&after.items[i].key),
                                   buffer_view(&after.items[i].value)),
                              OK);
        assert_int_equal(secret_tree_load_end(&tree),
                         left_out == whole ? STATUS_OK : STATUS_DAMAGED_FILE);
        secret_tree_wipe(&tree);
    }
    secret_tree_load_start(&tree, 4);
    assert_status(stored_load(&before, &tree, load), OK);
    assert_status(stored_load(&after, &tree, load), OK);
    assert_status(secret_tree_load_end(&tree), DAMAGED_FILE);
    secret_tree_wipe(&tree);
    stored_free(&before);
    stored_free(&after);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_does_not_matter), cmocka_unit_test(test_forward_only),
        cmocka_unit_test(test_single_leaf),           cmocka_unit_test(test_rows),
        cmocka_unit_test(test_rows_of_two_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
