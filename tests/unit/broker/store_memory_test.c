/* SPDX-License-Identifier: MPL-2.0 */
/* The memory engine's faults, and the skip list below it at size. */
#include "broker/store/skip_list.h"
#include "broker/store/store_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static status_t write_put(store_t *store, const char *key)
{
    store_unit_t unit = {0};
    status_t outcome = STATUS_INVALID;
    store_unit_put(&unit, key, strlen(key), "v", 1);
    status_t status = store_write(store, &unit, 1, &outcome);
    assert_true(status == STATUS_OK || outcome == status);
    store_unit_wipe(&unit);
    return status;
}

static status_t write_delete(store_t *store, const char *key)
{
    store_unit_t unit = {0};
    status_t outcome;
    store_unit_delete(&unit, key, strlen(key));
    status_t status = store_write(store, &unit, 1, &outcome);
    store_unit_wipe(&unit);
    return status;
}

static status_t find(store_t *store, const char *key)
{
    return store_get(store, key, strlen(key), NULL, NULL, NULL);
}

static bool count_record(void *context, const store_record_t *record)
{
    (void)record;
    ++*(size_t *)context;
    return true;
}

static void a_failed_write_is_unknown_until_reopened(void **state)
{
    (void)state;
    for (int applied = 0; applied <= 1; applied++) {
        store_t *store = store_memory_new();
        assert_int_equal(write_put(store, "a"), STATUS_OK);
        store_memory_fail_next_write(store, applied);
        assert_int_equal(find(store, "a"), STATUS_OK);
        assert_int_equal(write_put(store, "b"), STATUS_STORE_FAILED);
        assert_int_equal(find(store, "a"), STATUS_STORE_FAILED);
        assert_int_equal(write_put(store, "c"), STATUS_STORE_FAILED);
        size_t count = 0;
        store_range_t all = {0};
        assert_int_equal(store_range(store, &all, count_record, &count), STATUS_STORE_FAILED);
        store_memory_fail_reopens(store, 1);
        assert_int_equal(store_reopen(store), STATUS_STORE_FAILED);
        assert_int_equal(store_room(store), STATUS_STORE_FAILED);
        assert_int_equal(find(store, "a"), STATUS_STORE_FAILED);
        assert_int_equal(store_reopen(store), STATUS_OK);
        assert_int_equal(find(store, "a"), STATUS_OK);
        assert_int_equal(find(store, "b"), applied ? STATUS_OK : STATUS_NOT_FOUND);
        assert_int_equal(find(store, "c"), STATUS_NOT_FOUND);
        assert_int_equal(write_put(store, "c"), STATUS_OK);
        assert_int_equal(store_memory_write_count(store), 2 + applied);
        store_destroy(&store);
    }
}

static void a_full_disk_lets_deletes_through(void **state)
{
    (void)state;
    store_t *store = store_memory_new();
    assert_int_equal(write_put(store, "a"), STATUS_OK);
    assert_int_equal(store_room(store), STATUS_OK);
    store_memory_set_full(store, true);
    assert_int_equal(store_room(store), STATUS_STORE_FULL);
    assert_int_equal(write_put(store, "b"), STATUS_STORE_FULL);
    assert_int_equal(find(store, "b"), STATUS_NOT_FOUND);
    assert_int_equal(write_delete(store, "a"), STATUS_OK);
    store_memory_set_full(store, false);
    assert_int_equal(write_put(store, "b"), STATUS_OK);
    uint64_t bytes;
    assert_int_equal(store_size_bytes(store, &bytes), STATUS_OK);
    assert_int_equal(bytes, 2); /* "b" and "v" */
    assert_int_equal(store_checkpoint(store, "/nowhere"), STATUS_INVALID);
    store_destroy(&store);
    store_destroy(&store);
}

static void check_order(const skip_list_t *list, size_t expected)
{
    size_t count = 0;
    uint32_t last = 0;
    size_t size;
    for (skip_node_t *node = skip_list_at_least(list, NULL, 0); node;
         node = skip_list_next(node), count++) {
        const uint8_t *key = skip_node_key(node, &size);
        uint32_t number =
            (uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3];
        assert_true(count == 0 || number > last);
        assert_int_equal(*(uint32_t *)skip_node_payload(node), number);
        last = number;
    }
    assert_int_equal(count, expected);
    assert_int_equal(skip_list_count(list), expected);
    for (skip_node_t *node = skip_list_below(list, NULL, 0); node;
         node = skip_list_previous(list, node))
        count--;
    assert_int_equal(count, 0);
}

static void the_skip_list_stays_ordered_at_size(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    skip_list_t *list = skip_list_new(sizeof(uint32_t));
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t number = i * 2654435761u; /* odd: no two are the same */
        uint8_t key[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                          (uint8_t)number};
        bool added;
        uint32_t *payload = skip_node_payload(skip_list_add(list, key, 4, &added));
        assert_true(added);
        *payload = number;
        (void)skip_list_add(list, key, 4, &added);
        assert_false(added);
    }
    check_order(list, COUNT);
    for (uint32_t i = 0; i < COUNT; i += 2) {
        uint32_t number = i * 2654435761u;
        uint8_t key[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                          (uint8_t)number};
        skip_list_remove(list, skip_list_find(list, key, 4));
        assert_null(skip_list_find(list, key, 4));
    }
    check_order(list, COUNT / 2);
    skip_list_clear(list);
    check_order(list, 0);
    skip_list_destroy(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_write_is_unknown_until_reopened),
        cmocka_unit_test(a_full_disk_lets_deletes_through),
        cmocka_unit_test(the_skip_list_stays_ordered_at_size),
    };
    return cmocka_run_group_tests_name("store in memory", tests, NULL, NULL);
}
