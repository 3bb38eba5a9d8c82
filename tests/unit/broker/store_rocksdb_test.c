/* SPDX-License-Identifier: MPL-2.0 */
/* The RocksDB engine as files on a disk: locks, formats, readers beside a writer, checkpoints,
 * room. */
#include "broker/store/rocksdb_database.h"
#include "broker/store/store_rocksdb.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const store_rocksdb_options_t no_reserve = {.reserve_bytes = 0};

/* Each test has an empty directory; the store goes into "store" below it. */
typedef struct {
    char root[64];
    char dir[80];
} place_t;

static int make_place(void **state)
{
    static place_t place;
    snprintf(place.root, sizeof place.root, "/tmp/conclave-rocksdb-XXXXXX");
    if (!mkdtemp(place.root))
        return -1;
    snprintf(place.dir, sizeof place.dir, "%s/store", place.root);
    *state = &place;
    return 0;
}

static int remove_place(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", ((place_t *)*state)->root);
    return system(command);
}

static store_t *open_store(const char *dir)
{
    store_t *store = NULL;
    assert_int_equal(store_rocksdb_open(dir, &no_reserve, &store), STATUS_OK);
    return store;
}

static status_t write_pair(store_t *store, uint64_t number)
{
    store_unit_t unit = {0};
    status_t outcome = STATUS_INVALID;
    store_unit_put(&unit, "left", 4, &number, sizeof number);
    store_unit_put(&unit, "right", 5, &number, sizeof number);
    status_t status = store_write(store, &unit, 1, &outcome);
    assert_int_equal(outcome, status);
    store_unit_wipe(&unit);
    return status;
}

static uint64_t read_version(store_t *store, const char *key)
{
    uint64_t version = 0;
    status_t status = store_get(store, key, strlen(key), NULL, NULL, &version);
    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    return version;
}

static void one_process_opens_it_once(void **state)
{
    const place_t *place = *state;
    store_t *store = open_store(place->dir);
    store_t *second = store;
    assert_int_equal(store_rocksdb_open(place->dir, NULL, &second), STATUS_HOME_IN_USE);
    assert_null(second);
    assert_int_equal(store_reopen(store), STATUS_OK);
    assert_int_equal(store_rocksdb_open(place->dir, NULL, &second), STATUS_HOME_IN_USE);
    store_destroy(&store);
    assert_null(store);
    store = open_store(place->dir);
    store_destroy(&store);
}

static void its_directory_is_private(void **state)
{
    const place_t *place = *state;
    store_t *store = open_store(place->dir);
    store_destroy(&store);
    struct stat found;
    assert_int_equal(stat(place->dir, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    assert_int_equal(chmod(place->dir, 0750), 0);
    assert_int_equal(store_rocksdb_open(place->dir, NULL, &store), STATUS_UNSAFE_PERMISSIONS);
    assert_int_equal(store_rocksdb_open("/nowhere/at/all", NULL, &store), STATUS_IO_ERROR);
    assert_int_equal(store_rocksdb_open("", NULL, &store), STATUS_IO_ERROR);
}

/* Writes a record as it lies in RocksDB, below the store. */
static void write_raw(const char *dir, const char *key, size_t key_size, const char *value,
                      size_t value_size)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_writeoptions_t *write = rocksdb_writeoptions_create();
    char *error = NULL;
    rocksdb_t *db = rocksdb_open(options, dir, &error);
    assert_null(error);
    rocksdb_put(db, write, key, key_size, value, value_size, &error);
    assert_null(error);
    rocksdb_close(db);
    rocksdb_writeoptions_destroy(write);
    rocksdb_options_destroy(options);
    assert_int_equal(chmod(dir, 0700), 0);
}

static void the_format_number_decides(void **state)
{
    const place_t *place = *state;
    store_t *store = open_store(place->dir);
    assert_int_equal(write_pair(store, 1), STATUS_OK);
    store_destroy(&store);
    static const struct {
        const char *bytes;
        size_t size;
        status_t status;
    } cases[] = {
        {"\2\0\0\0", 4, STATUS_NEWER_FORMAT},  {"\1\0\0\1", 4, STATUS_NEWER_FORMAT},
        {"\0\0\0\0", 4, STATUS_DAMAGED_FILE},  {"\1", 1, STATUS_DAMAGED_FILE},
        {"\1\0\0\0x", 5, STATUS_DAMAGED_FILE}, {"\1\0\0\0", 4, STATUS_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_raw(place->dir, "", 0, cases[i].bytes, cases[i].size);
        assert_int_equal(store_rocksdb_open(place->dir, NULL, &store), cases[i].status);
        store_destroy(&store);
    }
    char foreign[96];
    snprintf(foreign, sizeof foreign, "%s/foreign", place->root);
    write_raw(foreign, "k", 1, "v", 1);
    assert_int_equal(store_rocksdb_open(foreign, NULL, &store), STATUS_DAMAGED_FILE);
}

static void damage_is_told(void **state)
{
    const place_t *place = *state;
    store_t *store = open_store(place->dir);
    assert_int_equal(write_pair(store, 1), STATUS_OK);
    store_unit_t unit = {0};
    status_t outcome;
    store_unit_put(&unit, "k", 1, "v", 1);
    assert_int_equal(store_write(store, &unit, 1, &outcome), STATUS_OK);
    store_unit_wipe(&unit);
    store_destroy(&store);
    write_raw(place->dir, "k", 1, "short", 5); /* no room for a version */
    store = open_store(place->dir);
    assert_int_equal(store_get(store, "k", 1, NULL, NULL, NULL), STATUS_STORE_FAILED);
    assert_int_equal(read_version(store, "left"), 1); /* the others still read */
    store_destroy(&store);
    char command[128];
    snprintf(command, sizeof command, "echo garbage > '%s/CURRENT'", place->dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(store_rocksdb_open(place->dir, NULL, &store), STATUS_DAMAGED_FILE);
}

typedef struct {
    store_t *store;
    atomic_bool done;
    atomic_ulong torn;
    atomic_ulong reads;
} reader_t;

typedef struct {
    uint64_t versions[2];
    size_t count;
} pair_t;

static bool collect_pair(void *context, const store_record_t *record)
{
    pair_t *self = context;
    if (self->count < 2)
        self->versions[self->count] = record->version;
    self->count++;
    return true;
}

static void *read_pairs(void *argument)
{
    reader_t *self = argument;
    uint64_t last = 0;
    while (!self->done) {
        pair_t pair = {0};
        uint64_t version = 0;
        store_range_t all = {0};
        status_t ranged = store_range(self->store, &all, collect_pair, &pair);
        status_t got = store_get(self->store, "left", 4, NULL, NULL, &version);
        bool whole = ranged == STATUS_OK && (pair.count == 0 || pair.count == 2) &&
                     pair.versions[0] == pair.versions[1] && pair.versions[0] >= last &&
                     (got == STATUS_OK || got == STATUS_NOT_FOUND) && version >= pair.versions[0];
        self->torn += !whole;
        self->reads++;
        last = version;
    }
    return NULL;
}

static void readers_see_whole_writes(void **state)
{
    const place_t *place = *state;
    reader_t reader = {.store = open_store(place->dir)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_pairs, &reader), 0);
    for (uint64_t i = 0; i < 500 || reader.reads < 100; i++) {
        assert_int_equal(write_pair(reader.store, i), STATUS_OK);
        if (i % 100 == 99)
            assert_int_equal(store_reopen(reader.store), STATUS_OK); /* waits for the reader */
    }
    reader.done = true;
    pthread_join(thread, NULL);
    assert_int_equal(reader.torn, 0);
    store_destroy(&reader.store);
}

static void a_checkpoint_opens_like_a_store(void **state)
{
    const place_t *place = *state;
    char copy[96];
    snprintf(copy, sizeof copy, "%s/copy", place->root);
    store_t *store = open_store(place->dir);
    assert_int_equal(write_pair(store, 1), STATUS_OK);
    assert_int_equal(store_checkpoint(store, copy), STATUS_OK);
    assert_int_equal(write_pair(store, 2), STATUS_OK);
    assert_int_equal(store_checkpoint(store, copy), STATUS_IO_ERROR); /* it exists */
    store_t *restored = open_store(copy);
    assert_int_equal(read_version(restored, "left"), 1);
    assert_int_equal(write_pair(restored, 2), STATUS_OK);
    assert_int_equal(read_version(store, "left"), 2);
    store_destroy(&restored);
    store_destroy(&store);
}

static void below_the_reserve_only_deletes_pass(void **state)
{
    const place_t *place = *state;
    store_t *store = open_store(place->dir);
    assert_int_equal(write_pair(store, 1), STATUS_OK);
    store_destroy(&store);
    store_rocksdb_options_t options = {.reserve_bytes = UINT64_MAX / 2};
    assert_int_equal(store_rocksdb_open(place->dir, &options, &store), STATUS_OK);
    assert_int_equal(store_room(store), STATUS_STORE_FULL);
    assert_int_equal(write_pair(store, 2), STATUS_STORE_FULL);
    assert_int_equal(read_version(store, "left"), 1);
    store_unit_t unit = {0};
    status_t outcome;
    store_unit_delete(&unit, "left", 4); /* below a quarter too */
    assert_int_equal(store_write(store, &unit, 1, &outcome), STATUS_STORE_FULL);
    /* Another reserve counts from the next write on. */
    store_rocksdb_set_reserve(store, 0);
    assert_int_equal(store_room(store), STATUS_OK);
    assert_int_equal(write_pair(store, 3), STATUS_OK);
    store_rocksdb_set_reserve(store, UINT64_MAX / 2);
    assert_int_equal(write_pair(store, 4), STATUS_STORE_FULL);
    store_destroy(&store);
    store = open_store(place->dir);
    assert_int_equal(store_write(store, &unit, 1, &outcome), STATUS_OK);
    assert_int_equal(read_version(store, "left"), 0);
    store_unit_wipe(&unit);
    store_destroy(&store);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(one_process_opens_it_once),
        PLACED(its_directory_is_private),
        PLACED(the_format_number_decides),
        PLACED(damage_is_told),
        PLACED(readers_see_whole_writes),
        PLACED(a_checkpoint_opens_like_a_store),
        PLACED(below_the_reserve_only_deletes_pass),
    };
    return cmocka_run_group_tests_name("store on disk", tests, NULL, NULL);
}
