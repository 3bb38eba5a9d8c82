/* SPDX-License-Identifier: MPL-2.0 */
/* The two hash maps against plain arrays, with many removals. */
#include "tests/unit/client/keys_world.h"

#include "client/keys/index_map.h"
#include "client/keys/name_index.h"

#define KEYS 512

static void test_index_map(void **state)
{
    (void)state;
    index_map_t map;
    index_map_init(&map, sizeof(uint64_t));
    uint64_t expected[KEYS] = {0};
    assert_null(index_map_get(&map, 1));
    assert_null(index_map_keys(&map));
    index_map_remove(&map, 1);
    for (unsigned round = 0; round < 20000; round++) {
        uint32_t key = randombytes_uniform(KEYS) * 64; /* close to each other in the table */
        uint64_t value = round + 1;
        if (randombytes_uniform(3)) {
            *(uint64_t *)index_map_put(&map, key) = value;
            expected[key / 64] = value;
        } else {
            index_map_remove(&map, key);
            expected[key / 64] = 0;
        }
    }
    size_t count = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        const uint64_t *value = index_map_get(&map, i * 64);
        assert_true(value ? *value == expected[i] : !expected[i]);
        count += expected[i] != 0;
    }
    assert_int_equal(map.count, count);
    uint32_t *keys = index_map_keys(&map);
    for (size_t i = 1; i < count; i++)
        assert_true(keys[i] > keys[i - 1]);
    free(keys);
    index_map_wipe(&map);
    assert_int_equal(*(uint64_t *)index_map_put(&map, 7), 0);
    index_map_wipe(&map);
}

static void test_name_index(void **state)
{
    (void)state;
    static roster_member_t members[KEYS];
    static bool inside[KEYS];
    name_index_t index;
    name_index_init(&index);
    for (uint32_t i = 0; i < KEYS; i++)
        snprintf(members[i].name.text, sizeof members[i].name.text, "n%u", i);
    assert_int_equal(name_index_find(&index, members, &members[0].name), UINT32_MAX);
    for (unsigned round = 0; round < 10000; round++) {
        uint32_t leaf = randombytes_uniform(KEYS);
        if (inside[leaf])
            name_index_remove(&index, members, leaf);
        else
            name_index_add(&index, members, leaf);
        inside[leaf] = !inside[leaf];
    }
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(name_index_find(&index, members, &members[i].name),
                         inside[i] ? i : UINT32_MAX);
    name_index_free(&index);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_map),
        cmocka_unit_test(test_name_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
