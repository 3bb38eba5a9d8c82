/* SPDX-License-Identifier: MPL-2.0 */
/* The store's contract, held against every engine: versions, conflicts, ranges, order, reopening.
 */
#include "broker/store/store_memory.h"
#include "broker/store/store_rocksdb.h"
#include "proto/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    store_t *store;
    char dir[64];
} fixture_t;

static int open_memory(void **state)
{
    fixture_t *self = mem_zalloc(1, sizeof *self);
    self->store = store_memory_new();
    *state = self;
    return 0;
}

static int open_rocksdb(void **state)
{
    fixture_t *self = mem_zalloc(1, sizeof *self);
    snprintf(self->dir, sizeof self->dir, "/tmp/conclave-store-XXXXXX");
    *state = self;
    store_rocksdb_options_t options = {.reserve_bytes = 0};
    return !mkdtemp(self->dir) || store_rocksdb_open(self->dir, &options, &self->store);
}

static int close_store(void **state)
{
    fixture_t *self = *state;
    store_destroy(&self->store);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", self->dir);
    int result = self->dir[0] ? system(command) : 0;
    free(self);
    return result;
}

static store_t *store_of(void **state)
{
    return ((fixture_t *)*state)->store;
}

static status_t write_one(store_t *store, store_unit_t *unit)
{
    status_t outcome = STATUS_INVALID;
    status_t status = store_write(store, unit, 1, &outcome);
    store_unit_clear(unit);
    return status == STATUS_OK ? outcome : status;
}

static void put_text(store_t *store, const char *key, const char *value)
{
    store_unit_t unit = {0};
    store_unit_put(&unit, key, strlen(key), value, strlen(value));
    assert_int_equal(write_one(store, &unit), STATUS_OK);
    store_unit_wipe(&unit);
}

static void check_record(store_t *store, const char *key, const char *text, uint64_t expected)
{
    uint8_t *value = (uint8_t *)1;
    size_t size = 99;
    uint64_t version = 99;
    status_t status = store_get(store, key, strlen(key), &value, &size, &version);
    assert_int_equal(status, text ? STATUS_OK : STATUS_NOT_FOUND);
    assert_int_equal(version, expected);
    assert_int_equal(size, text ? strlen(text) : 0);
    if (text)
        assert_memory_equal(value, text, size);
    else
        assert_null(value);
    free(value);
}

typedef struct {
    char text[512];
    size_t stop_after;
} listing_t;

static bool list_key(void *context, const store_record_t *record)
{
    listing_t *self = context;
    size_t used = strlen(self->text);
    snprintf(self->text + used, sizeof self->text - used, "%.*s=%.*s/%llu ", (int)record->key_size,
             (const char *)record->key, (int)record->value_size, (const char *)record->value,
             (unsigned long long)record->version);
    return self->stop_after == 0 || --self->stop_after > 0;
}

static void check_range(store_t *store, const char *from, const char *to, size_t limit,
                        bool reverse, const char *expected)
{
    listing_t listing = {0};
    store_range_t range = {from, from ? strlen(from) : 0, to, to ? strlen(to) : 0, limit, reverse};
    assert_int_equal(store_range(store, &range, list_key, &listing), STATUS_OK);
    assert_string_equal(listing.text, expected);
}

static void versions_count_writes(void **state)
{
    store_t *store = store_of(state);
    check_record(store, "k", NULL, 0);
    put_text(store, "k", "one");
    check_record(store, "k", "one", 1);
    put_text(store, "k", "");
    check_record(store, "k", "", 2);
    uint64_t version = 0;
    assert_int_equal(store_get(store, "k", 1, NULL, NULL, &version), STATUS_OK);
    assert_int_equal(version, 2);
    assert_int_equal(store_get(store, "k", 1, NULL, NULL, NULL), STATUS_OK);
    store_unit_t unit = {0};
    store_unit_delete(&unit, "k", 1);
    store_unit_delete(&unit, "never", 5);
    assert_int_equal(write_one(store, &unit), STATUS_OK);
    check_record(store, "k", NULL, 0);
    put_text(store, "k", "again");
    check_record(store, "k", "again", 1);
    store_unit_put_new(&unit, "n", 1, "new", 3);
    store_unit_put_version(&unit, "v", 1, "v", 1, 41);
    store_unit_put(&unit, "v", 1, "w", 1);
    assert_int_equal(write_one(store, &unit), STATUS_OK);
    check_record(store, "n", "new", 1);
    check_record(store, "v", "w", 42);
    store_unit_wipe(&unit);
}

static void a_conflict_touches_its_unit_only(void **state)
{
    store_t *store = store_of(state);
    put_text(store, "head", "0");
    store_unit_t units[5] = {0};
    store_unit_expect(&units[0], "head", 4, 1);
    store_unit_put(&units[0], "head", 4, "1", 1);
    store_unit_put(&units[1], "lost", 4, "x", 1); /* stale: sees the bump of units[0] */
    store_unit_delete(&units[1], "head", 4);
    store_unit_expect(&units[1], "head", 4, 1);
    store_unit_expect(&units[2], "head", 4, 2);
    store_unit_put(&units[2], "head", 4, "2", 1);
    store_unit_put_new(&units[2], "e2", 2, "event", 5);
    store_unit_expect(&units[3], "e2", 2, 0); /* there since units[2] */
    store_unit_put(&units[3], "lost", 4, "y", 1);
    store_unit_expect(&units[4], "lost", 4, 0);
    store_unit_expect(&units[4], "head", 4, 3);
    store_unit_delete(&units[4], "e2", 2);
    status_t outcomes[5];
    assert_int_equal(store_write(store, units, 5, outcomes), STATUS_OK);
    const status_t expected[5] = {STATUS_OK, STATUS_CONFLICT, STATUS_OK, STATUS_CONFLICT,
                                  STATUS_OK};
    assert_memory_equal(outcomes, expected, sizeof expected);
    check_range(store, NULL, NULL, 0, false, "head=2/3 ");
    for (size_t i = 0; i < 5; i++)
        store_unit_wipe(&units[i]);
}

static void empty_lists_and_units_are_fine(void **state)
{
    store_t *store = store_of(state);
    assert_int_equal(store_write(store, NULL, 0, NULL), STATUS_OK);
    store_unit_t unit = {0};
    assert_int_equal(write_one(store, &unit), STATUS_OK);
    store_unit_expect(&unit, "a", 1, 5);
    assert_int_equal(write_one(store, &unit), STATUS_CONFLICT);
    check_range(store, NULL, NULL, 0, false, "");
    check_range(store, NULL, NULL, 0, true, "");
    store_unit_wipe(&unit);
}

static void ranges_have_two_ends_a_limit_and_two_directions(void **state)
{
    store_t *store = store_of(state);
    const char *keys[] = {"b", "a", "ab", "c", "\xff", "abc"};
    for (size_t i = 0; i < 6; i++)
        put_text(store, keys[i], "");
    check_range(store, NULL, NULL, 0, false, "a=/1 ab=/1 abc=/1 b=/1 c=/1 \xff=/1 ");
    check_range(store, NULL, NULL, 0, true, "\xff=/1 c=/1 b=/1 abc=/1 ab=/1 a=/1 ");
    check_range(store, "ab", "c", 0, false, "ab=/1 abc=/1 b=/1 ");
    check_range(store, "ab", "c", 0, true, "b=/1 abc=/1 ab=/1 ");
    check_range(store, "aa", "bb", 2, false, "ab=/1 abc=/1 ");
    check_range(store, "aa", "bb", 1, true, "b=/1 ");
    check_range(store, "c", "a", 0, false, "");
    check_range(store, "c", "a", 0, true, "");
    check_range(store, "ab", "ab", 0, false, "");
    check_range(store, "", "", 0, false, "");
    check_range(store, "d", NULL, 0, false, "\xff=/1 ");
    check_range(store, "", "b", 0, true, "abc=/1 ab=/1 a=/1 ");
    listing_t listing = {.stop_after = 2};
    store_range_t range = {0};
    assert_int_equal(store_range(store, &range, list_key, &listing), STATUS_OK);
    assert_string_equal(listing.text, "a=/1 ab=/1 ");
}

static void range_deletes_take_effect_in_order(void **state)
{
    store_t *store = store_of(state);
    const char *keys[] = {"a", "b", "ba", "c", "d"};
    for (size_t i = 0; i < 5; i++)
        put_text(store, keys[i], keys[i]);
    store_unit_t units[2] = {0};
    store_unit_put(&units[0], "bb", 2, "gone", 4);
    store_unit_delete_range(&units[0], "b", 1, "d", 1);
    store_unit_put(&units[0], "c", 1, "back", 4);
    store_unit_delete_range(&units[0], "z", 1, "a", 1); /* empty */
    store_unit_delete_range(&units[0], "a", 1, "a", 1); /* empty */
    store_unit_expect(&units[1], "b", 1, 0);
    store_unit_expect(&units[1], "bb", 2, 0);
    store_unit_expect(&units[1], "c", 1, 1);
    store_unit_put(&units[1], "ba", 2, "new", 3);
    status_t outcomes[2];
    assert_int_equal(store_write(store, units, 2, outcomes), STATUS_OK);
    assert_int_equal(outcomes[1], STATUS_OK);
    check_range(store, NULL, NULL, 0, false, "a=a/1 ba=new/1 c=back/1 d=d/1 ");
    store_unit_wipe(&units[0]);
    store_unit_wipe(&units[1]);
}

static void keys_and_values_are_any_bytes(void **state)
{
    store_t *store = store_of(state);
    const uint8_t key[] = {0, 0xff, 0, '\n', 0x80};
    size_t big = 1 << 20;
    uint8_t *value = mem_zalloc(big, 1);
    value[big - 1] = 7;
    store_unit_t unit = {0};
    store_unit_put(&unit, key, 1, "zero", 4);
    store_unit_put(&unit, key, sizeof key, value, big);
    assert_int_equal(write_one(store, &unit), STATUS_OK);
    uint8_t *found;
    size_t size;
    assert_int_equal(store_get(store, key, sizeof key, &found, &size, NULL), STATUS_OK);
    assert_int_equal(size, big);
    assert_memory_equal(found, value, big);
    free(found);
    assert_int_equal(store_get(store, key, 2, &found, &size, NULL), STATUS_NOT_FOUND);
    assert_int_equal(store_get(store, key, 1, &found, &size, NULL), STATUS_OK);
    assert_memory_equal(found, "zero", 4);
    free(found);
    free(value);
    store_unit_wipe(&unit);
}

static void reopening_keeps_everything(void **state)
{
    store_t *store = store_of(state);
    put_text(store, "a", "1");
    put_text(store, "b", "1");
    put_text(store, "b", "2");
    store_unit_t unit = {0};
    store_unit_delete_range(&unit, "a", 1, "b", 1);
    assert_int_equal(write_one(store, &unit), STATUS_OK);
    assert_int_equal(store_reopen(store), STATUS_OK);
    check_range(store, NULL, NULL, 0, false, "b=2/2 ");
    store_unit_expect(&unit, "b", 1, 2);
    store_unit_put(&unit, "b", 1, "3", 1);
    assert_int_equal(write_one(store, &unit), STATUS_OK);
    check_record(store, "b", "3", 3);
    uint64_t bytes = 0;
    assert_int_equal(store_size_bytes(store, &bytes), STATUS_OK);
    assert_true(bytes > 0);
    store_unit_wipe(&unit);
}

/* Random lists against an array of 32 versions; the value is the version's text. */
enum { MODEL_KEYS = 32 };

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static bool apply_random_unit(unsigned *seed, store_unit_t *unit, uint64_t model[MODEL_KEYS])
{
    uint64_t after[MODEL_KEYS];
    memcpy(after, model, sizeof after);
    bool good = true;
    for (unsigned ops = next_random(seed) % 6; ops > 0; ops--) {
        uint8_t key = (uint8_t)(next_random(seed) % MODEL_KEYS);
        uint8_t to = (uint8_t)(next_random(seed) % MODEL_KEYS);
        uint64_t version = after[key] + 1 + next_random(seed) % 3;
        switch (next_random(seed) % 8) {
        case 0: /* right */
            store_unit_expect(unit, &key, 1, model[key]);
            break;
        case 1: /* mostly wrong */
            version = next_random(seed) % 3;
            store_unit_expect(unit, &key, 1, version);
            good &= version == model[key];
            break;
        case 2:
            store_unit_delete(unit, &key, 1);
            after[key] = 0;
            break;
        case 3:
            store_unit_delete_range(unit, &key, 1, &to, 1);
            for (uint8_t k = key; k < to; k++)
                after[k] = 0;
            break;
        case 4:
            if (version == 1 && after[key] != 0)
                break;
            store_unit_put_version(unit, &key, 1, &version, sizeof version, version);
            after[key] = version;
            break;
        default:
            after[key]++;
            store_unit_put(unit, &key, 1, &after[key], sizeof after[key]);
        }
    }
    if (good)
        memcpy(model, after, sizeof after);
    return good;
}

static bool check_model(void *context, const store_record_t *record)
{
    uint64_t *model = context;
    assert_int_equal(record->key_size, 1);
    assert_int_equal(record->version, model[record->key[0]]);
    assert_int_equal(record->value_size, sizeof record->version);
    assert_memory_equal(record->value, &record->version, sizeof record->version);
    model[record->key[0]] = 0; /* seen */
    return true;
}

static void random_lists_follow_the_model(void **state)
{
    store_t *store = store_of(state);
    unsigned seed = 20240607;
    uint64_t model[MODEL_KEYS] = {0};
    store_unit_t units[8] = {0};
    for (int round = 0; round < 400; round++) {
        size_t count = next_random(&seed) % 9;
        bool good[8];
        status_t outcomes[8];
        for (size_t i = 0; i < count; i++) {
            store_unit_clear(&units[i]);
            good[i] = apply_random_unit(&seed, &units[i], model);
        }
        assert_int_equal(store_write(store, units, count, outcomes), STATUS_OK);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(outcomes[i], good[i] ? STATUS_OK : STATUS_CONFLICT);
        uint64_t seen[MODEL_KEYS];
        memcpy(seen, model, sizeof seen);
        store_range_t range = {.reverse = round & 1};
        assert_int_equal(store_range(store, &range, check_model, seen), STATUS_OK);
        for (size_t i = 0; i < MODEL_KEYS; i++)
            assert_int_equal(seen[i], 0);
        if (round % 100 == 99)
            assert_int_equal(store_reopen(store), STATUS_OK);
    }
    for (size_t i = 0; i < 8; i++)
        store_unit_wipe(&units[i]);
}

static void prefixes_end_after_their_last_key(void **state)
{
    (void)state;
    uint8_t end[4];
    assert_int_equal(store_prefix_end("ab", 2, end), 2);
    assert_memory_equal(end, "ac", 2);
    assert_int_equal(store_prefix_end("a\xff\xff", 3, end), 1);
    assert_memory_equal(end, "b", 1);
    assert_int_equal(store_prefix_end("\xff\xff", 2, end), 0);
    assert_int_equal(store_prefix_end("", 0, end), 0);
    assert_true(store_key_compare("a", 1, "ab", 2) < 0);
    assert_true(store_key_compare("b", 1, "ab", 2) > 0);
    assert_true(store_key_compare("\x80", 1, "\x7f", 1) > 0);
    assert_int_equal(store_key_compare(NULL, 0, "", 0), 0);
}

#define ON_BOTH(test)                                                                              \
    {#test " (memory)", test, open_memory, close_store, NULL},                                     \
    {                                                                                              \
#test " (rocksdb)", test, open_rocksdb, close_store, NULL                                  \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(versions_count_writes),
        ON_BOTH(a_conflict_touches_its_unit_only),
        ON_BOTH(empty_lists_and_units_are_fine),
        ON_BOTH(ranges_have_two_ends_a_limit_and_two_directions),
        ON_BOTH(range_deletes_take_effect_in_order),
        ON_BOTH(keys_and_values_are_any_bytes),
        ON_BOTH(reopening_keeps_everything),
        ON_BOTH(random_lists_follow_the_model),
        cmocka_unit_test(prefixes_end_after_their_last_key),
    };
    return cmocka_run_group_tests_name("store contract", tests, NULL, NULL);
}
