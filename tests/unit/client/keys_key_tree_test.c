/* SPDX-License-Identifier: MPL-2.0 */
/* The holder's keys: each node has a place of its own in the rows, and journals change nothing
 * until adopted. */
#include "tests/unit/client/keys_world.h"

#include "client/keys/key_tree.h"

static const uint8_t random_bytes[COMMIT_RANDOM_BYTES] = {5};

static void grow_to(key_tree_t *tree, unsigned depth)
{
    key_journal_t journal;
    key_journal_init(&journal, tree);
    while (journal.depth < depth)
        key_journal_grow(&journal, random_bytes);
    key_tree_adopt(tree, &journal);
}

static status_t load(void *tree, bytes_t key, bytes_t value)
{
    return key_tree_load_row(tree, (uint16_t)(key.data[1] << 8 | key.data[2]), value);
}

static void test_every_node_has_its_place(void **state)
{
    (void)state;
    enum { DEPTH = 13 };
    key_tree_t *tree = key_tree_new(), *loaded = key_tree_new();
    grow_to(tree, DEPTH);
    key_journal_t journal;
    key_journal_init(&journal, tree);
    for (uint32_t i = 0; i < tree_node_count(DEPTH); i++)
        put_u32(key_journal_get(&journal, node_index(i))->bytes, i);
    key_tree_adopt(tree, &journal);
    stored_t rows = {0};
    key_tree_save(tree, stored_row, &rows);
    assert_int_equal(rows.count, 1 + 4 + 256); /* of six levels each, from the leaves up */
    assert_status(key_tree_load_depth(loaded, DEPTH), OK);
    assert_status(stored_load(&rows, loaded, load), OK);
    for (uint32_t i = 0; i < tree_node_count(DEPTH); i++) {
        assert_int_equal(get_u32(key_tree_get(tree, node_index(i))->bytes), i);
        assert_memory_equal(key_tree_get(loaded, node_index(i)), key_tree_get(tree, node_index(i)),
                            KEY_BYTES);
    }
    stored_free(&rows);
    key_tree_destroy(&tree);
    key_tree_destroy(&loaded);
}

static void test_journal_is_beside_the_tree(void **state)
{
    (void)state;
    key_tree_t *tree = key_tree_new();
    grow_to(tree, 3);
    buffer_t before = {0}, after = {0}, bytes = {0};
    key_tree_save_all(tree, append_row, &before);
    key_journal_t journal, read;
    key_journal_init(&journal, tree);
    key_journal_grow(&journal, random_bytes);
    key_journal_step(&journal, node_index(3), KDF_JOIN, random_bytes);
    key_journal_randomise(&journal, node_index(0));
    key_tree_save_all(tree, append_row, &after);
    assert_same(&before, &after);
    key_journal_write(&journal, &bytes);
    secret_t root = *key_journal_get(&journal, tree_root(4));
    key_journal_wipe(&journal);
    reader_t in = reader_of(bytes.data, bytes.size);
    assert_status(key_journal_read(&read, &in), OK);
    assert_true(reader_done(&in));
    key_tree_adopt(tree, &read);
    assert_int_equal(key_tree_depth(tree), 4);
    assert_memory_equal(key_tree_get(tree, tree_root(4)), &root, sizeof root);
    for (size_t size = 0; size < bytes.size; size++) {
        in = reader_of(bytes.data, size);
        assert_status(key_journal_read(&read, &in), DAMAGED_FILE);
    }
    put_u32(bytes.data + 5, tree_node_count(4)); /* a node outside the tree */
    in = reader_of(bytes.data, bytes.size);
    assert_status(key_journal_read(&read, &in), DAMAGED_FILE);
    buffer_free(&before);
    buffer_free(&after);
    buffer_free(&bytes);
    key_tree_destroy(&tree);
}

static void test_bad_rows(void **state)
{
    (void)state;
    key_tree_t *tree = key_tree_new();
    uint8_t row[8 + KEY_BYTES] = {0};
    put_u64(row, 2);
    assert_status(key_tree_load_depth(tree, TREE_DEPTH_MAX + 1), DAMAGED_FILE);
    assert_status(key_tree_load_row(tree, 4160, (bytes_t){row, sizeof row}), OK);
    assert_status(key_tree_load_row(tree, 4161, (bytes_t){row, sizeof row}), DAMAGED_FILE);
    assert_status(key_tree_load_row(tree, UINT16_MAX, (bytes_t){row, sizeof row}), DAMAGED_FILE);
    assert_status(key_tree_load_row(tree, 0, (bytes_t){row, sizeof row - 1}), DAMAGED_FILE);
    assert_status(key_tree_load_row(tree, 0, (bytes_t){row, 4}), DAMAGED_FILE);
    put_u64(row, 1); /* there is no node 0 in a row */
    assert_status(key_tree_load_row(tree, 0, (bytes_t){row, sizeof row}), DAMAGED_FILE);
    put_u64(row, 6);
    assert_status(key_tree_load_row(tree, 0, (bytes_t){row, sizeof row}), DAMAGED_FILE);
    key_tree_destroy(&tree);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_node_has_its_place),
        cmocka_unit_test(test_journal_is_beside_the_tree),
        cmocka_unit_test(test_bad_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
