/* SPDX-License-Identifier: MPL-2.0 */
/* A data directory and backups whose store holds what no broker wrote. */
#include "broker/backup/backup.h"
#include "broker/backup/offline.h"
#include "broker/files/data_dir.h"
#include "broker/files/folder.h"
#include "broker/files/key_file.h"
#include "broker/rules/rules.h"
#include "broker/store/store_rocksdb.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char root[64];
static data_dir_t dir;
static store_t *store;
static char said[4096]; /* what the last command printed: what it found, then why it can't go on */

static void path_of(char out[static 128], const char *name)
{
    snprintf(out, 128, "%s/%s", root, name);
}

static int setup(void **state)
{
    (void)state;
    static const store_rocksdb_options_t no_reserve = {.reserve_bytes = 0};
    char path[128];
    pid_t holder;
    bool is_new;
    key_pair_t key;
    snprintf(root, sizeof root, "/tmp/conclave-offline-XXXXXX");
    assert_non_null(mkdtemp(root));
    path_of(path, "data");
    assert_int_equal(data_dir_open(&dir, path, &holder), STATUS_OK);
    assert_int_equal(key_file_open(&key, dir.fd, &is_new), STATUS_OK);
    path_of(path, "data/" DATA_STORE_NAME);
    assert_int_equal(store_rocksdb_open(path, &no_reserve, &store), STATUS_OK);
    const rules_config_t config = rules_config_default(key.public_key);
    rules_t *rules = rules_new(store, &config);
    assert_int_equal(rules_open(rules), STATUS_OK);
    rules_destroy(&rules);
    key_pair_wipe(&key);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_destroy(&store);
    data_dir_close(&dir);
    return folder_remove(AT_FDCWD, root) == STATUS_OK ? 0 : -1;
}

static void plant(const char *key, const char *value)
{
    store_unit_t unit = {0};
    status_t outcome = STATUS_INVALID;
    store_unit_put(&unit, key, strlen(key), value, strlen(value));
    assert_int_equal(store_write(store, &unit, 1, &outcome), STATUS_OK);
    assert_int_equal(outcome, STATUS_OK);
    store_unit_wipe(&unit);
}

static void end_broker(void)
{
    store_destroy(&store);
    data_dir_close(&dir);
}

typedef status_t command_fn(const options_t *options, FILE *out, FILE *err);

static status_t run(command_fn *command, const char *data, const char *restore)
{
    options_t options = {0};
    char path[128];
    path_of(path, data);
    snprintf(options.data, sizeof options.data, "%s", path);
    if (restore) {
        path_of(path, restore);
        snprintf(options.restore, sizeof options.restore, "%s", path);
    }
    memset(said, 0, sizeof said);
    FILE *out = fmemopen(said, sizeof said - 1, "w");
    assert_non_null(out);
    status_t status = command(&options, out, out);
    fclose(out);
    return status;
}

static void make_backup(void)
{
    atomic_uint_fast64_t reserve = 0;
    const backup_source_t source = {
        .store = store, .data_fd = dir.fd, .software = "it", .reserve_bytes = &reserve};
    backup_report_t report;
    char path[128];
    path_of(path, "backup");
    assert_int_equal(backup_make(&source, path, &report), STATUS_OK);
}

static void a_record_that_no_broker_wrote_is_found_and_named(void **state)
{
    (void)state;
    plant("?nobody", "record");
    end_broker();
    assert_int_equal(run(offline_fsck, "data", NULL), STATUS_DAMAGED_FILE);
    assert_non_null(
        strstr(said, "problem  3f6e6f626f6479: no record of this version has such a key\n"));
    assert_non_null(strstr(said, "1 problems\ndamaged\n"));
}

static void a_backup_of_it_is_not_restored(void **state)
{
    (void)state;
    char path[128];
    plant("?nobody", "record");
    make_backup();
    end_broker();
    assert_int_equal(run(offline_fsck, "backup", NULL), STATUS_DAMAGED_FILE);
    assert_int_equal(run(offline_restore, "other", "backup"), STATUS_DAMAGED_FILE);
    assert_non_null(strstr(said, "problem  "));
    assert_non_null(strstr(said, "is damaged: take another one"));
    path_of(path, "other/" DATA_STORE_NAME);
    assert_int_equal(access(path, F_OK), -1);
    path_of(path, "other/" DATA_RESTORING_NAME);
    assert_int_equal(access(path, F_OK), -1);
    path_of(path, "other/" KEY_FILE_NAME);
    assert_int_equal(access(path, F_OK), -1);
}

static void without_it_the_same_is_restored(void **state)
{
    (void)state;
    make_backup();
    end_broker();
    assert_int_equal(run(offline_restore, "other", "backup"), STATUS_OK);
    assert_non_null(strstr(said, "the broker as it was at 20"));
    assert_int_equal(run(offline_fsck, "other", NULL), STATUS_OK);
    assert_non_null(strstr(said, "0 problems\nsound\n"));
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(a_record_that_no_broker_wrote_is_found_and_named),
        PLACED(a_backup_of_it_is_not_restored),
        PLACED(without_it_the_same_is_restored),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("offline", tests, NULL, NULL);
}
