/* SPDX-License-Identifier: MPL-2.0 */
/* The vault on disk: the same answers as the one in memory, refusals, and files of hostile content.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "client/core/vault_memory.h"
#include "client/vault/vault_sqlite.h"
#include "tests/unit/client/temp_dir.h"

static const uint8_t key_a[KEY_BYTES] = {1, 2, 3};
static const uint8_t key_b[KEY_BYTES] = {1, 2, 4};

static bytes_t text(const char *string)
{
    return (bytes_t){(const uint8_t *)string, strlen(string)};
}

static vault_t *open_vault(const char *path)
{
    vault_t *vault = NULL;
    assert_int_equal(vault_sqlite_open(&vault, path, key_a), STATUS_OK);
    assert_non_null(vault);
    return vault;
}

static void put(vault_t *vault, const char *key, const char *value)
{
    writes_t writes = {0};
    writes_put(&writes, text(key), text(value));
    assert_int_equal(vault_apply(vault, &writes), STATUS_OK);
    writes_wipe(&writes);
}

static void assert_value(vault_t *vault, const char *key, const char *value)
{
    buffer_t out = {0};
    assert_int_equal(vault_get(vault, text(key), &out), STATUS_OK);
    assert_int_equal(out.size, strlen(value));
    if (out.size > 0)
        assert_memory_equal(out.data, value, out.size);
    buffer_wipe(&out);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static void keeps_values_across_openings(void **state)
{
    (void)state;
    char *path = temp_path("v");
    vault_t *vault = open_vault(path);
    put(vault, "one", "1");
    put(vault, "two", "");
    put(vault, "one", "one");
    assert_value(vault, "one", "one");
    assert_value(vault, "two", "");
    vault_destroy(&vault);
    assert_null(vault);
    vault = open_vault(path);
    assert_value(vault, "one", "one");
    buffer_t out = {0};
    buffer_u8(&out, 7);
    assert_int_equal(vault_get(vault, text("none"), &out), STATUS_NOT_FOUND);
    assert_int_equal(out.size, 1); /* appends, and nothing on failure */
    assert_int_equal(vault_get(vault, text("one"), &out), STATUS_OK);
    assert_int_equal(out.size, 4);
    buffer_wipe(&out);
    vault_destroy(&vault);
    free(path);
}

static void later_writes_of_a_list_win(void **state)
{
    (void)state;
    char *path = temp_path("v");
    vault_t *vault = open_vault(path);
    writes_t writes = {0};
    writes_put(&writes, text("a1"), text("x"));
    writes_put(&writes, text("a2"), text("x"));
    writes_delete_prefix(&writes, text("a"));
    writes_put(&writes, text("a2"), text("y"));
    writes_delete(&writes, text("nothing"));
    assert_int_equal(vault_apply(vault, &writes), STATUS_OK);
    writes_wipe(&writes);
    buffer_t out = {0};
    assert_int_equal(vault_get(vault, text("a1"), &out), STATUS_NOT_FOUND);
    assert_value(vault, "a2", "y");
    vault_destroy(&vault);
    free(path);
}

/* Everything a range visits, as one byte string. */
static bool collect(void *context, bytes_t key, bytes_t value)
{
    buffer_t *all = context;
    buffer_lp(all, key.data, key.size);
    buffer_lp(all, value.data, value.size);
    return all->size < 4096;
}

static void random_key(uint8_t out[static 3], bytes_t *view)
{
    static const uint8_t alphabet[] = {0x00, 0x01, 0x7f, 0xfe, 0xff};
    for (size_t i = 0; i < 3; i++)
        out[i] = alphabet[randombytes_uniform(sizeof alphabet)];
    *view = (bytes_t){out, randombytes_uniform(4)};
}

static void random_writes(writes_t *writes)
{
    for (uint32_t i = randombytes_uniform(4); i < 4; i++) {
        uint8_t key[3], value[20];
        bytes_t view;
        random_key(key, &view);
        randombytes_buf(value, sizeof value);
        switch (randombytes_uniform(8)) {
        case 0:
            writes_delete(writes, view);
            break;
        case 1:
            if (view.size > 1)
                writes_delete_prefix(writes, view);
            break;
        default:
            writes_put(writes, view, (bytes_t){value, randombytes_uniform(sizeof value)});
        }
    }
}

static void answers_as_the_one_in_memory(void **state)
{
    (void)state;
    char *path = temp_path("v");
    vault_t *disk = open_vault(path);
    vault_t *memory = vault_memory_new();
    for (int turn = 0; turn < 300; turn++) {
        writes_t writes = {0};
        random_writes(&writes);
        assert_int_equal(vault_apply(disk, &writes), STATUS_OK);
        assert_int_equal(vault_apply(memory, &writes), STATUS_OK);
        writes_wipe(&writes);
        for (int i = 0; i < 8; i++) {
            uint8_t prefix[3], start[3];
            bytes_t prefix_view, start_view;
            random_key(prefix, &prefix_view);
            prefix_view.size %= 2;
            random_key(start, &start_view);
            if (start_view.size > 0 && prefix_view.size > 0)
                start[0] = prefix[0]; /* from inside the range */
            buffer_t one = {0}, other = {0};
            bool reverse = randombytes_uniform(2) == 1;
            assert_int_equal(vault_range(disk, prefix_view, start_view, reverse, collect, &one),
                             STATUS_OK);
            assert_int_equal(vault_range(memory, prefix_view, start_view, reverse, collect, &other),
                             STATUS_OK);
            assert_int_equal(one.size, other.size);
            if (one.size > 0)
                assert_memory_equal(one.data, other.data, one.size);
            buffer_free(&one);
            buffer_free(&other);
        }
    }
    vault_destroy(&disk);
    vault_destroy(&memory);
    free(path);
}

static bool read_inside(void *context, bytes_t key, bytes_t value)
{
    (void)key;
    (void)value;
    vault_t *vault = context;
    assert_value(vault, "a", "1");
    buffer_t all = {0};
    assert_int_equal(vault_range(vault, text(""), text(""), false, collect, &all), STATUS_OK);
    assert_int_equal(all.size, 2 * (4 + 1 + 4 + 1));
    buffer_free(&all);
    return true;
}

static void a_visitor_may_read(void **state)
{
    (void)state;
    char *path = temp_path("v");
    vault_t *vault = open_vault(path);
    put(vault, "a", "1");
    put(vault, "b", "2");
    assert_int_equal(vault_range(vault, text(""), text(""), false, read_inside, vault), STATUS_OK);
    assert_int_equal(vault_checkpoint(vault), STATUS_OK); /* no statement is left open */
    vault_destroy(&vault);
    free(path);
}

static void files_are_private(void **state)
{
    (void)state;
    char *path = temp_path("v");
    mode_t before = umask(0);
    vault_t *vault = open_vault(path);
    put(vault, "a", "1");
    umask(before);
    char *wal = temp_path("v-wal");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(wal, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    vault_destroy(&vault);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(vault_sqlite_open(&vault, path, key_a), STATUS_UNSAFE_PERMISSIONS);
    assert_null(vault);
    assert_int_equal(chmod(path, 0600), 0);
    char *name = temp_path("link");
    assert_int_equal(symlink(path, name), 0);
    assert_int_equal(vault_sqlite_open(&vault, name, key_a), STATUS_IO_ERROR);
    free(name);
    free(wal);
    free(path);
}

static void a_wrong_key_or_format_is_told(void **state)
{
    (void)state;
    char *path = temp_path("v");
    vault_t *vault = open_vault(path);
    put(vault, "a", "1");
    vault_destroy(&vault);
    assert_int_equal(vault_sqlite_open(&vault, path, key_b), STATUS_DAMAGED_FILE);
    run_sql(path, "UPDATE format SET number = 2");
    assert_int_equal(vault_sqlite_open(&vault, path, key_a), STATUS_NEWER_FORMAT);
    run_sql(path, "UPDATE format SET number = 0");
    assert_int_equal(vault_sqlite_open(&vault, path, key_a), STATUS_DAMAGED_FILE);
    run_sql(path, "DELETE FROM format");
    assert_int_equal(vault_sqlite_open(&vault, path, key_a), STATUS_DAMAGED_FILE);
    run_sql(path, "DROP TABLE format");
    assert_int_equal(vault_sqlite_open(&vault, path, key_a), STATUS_DAMAGED_FILE);
    free(path);
}

static void changed_rows_are_damage(void **state)
{
    (void)state;
    static const char *const attacks[] = {
        "UPDATE vault SET value = (SELECT value FROM vault WHERE key = CAST('b' AS BLOB))"
        " WHERE key = CAST('a' AS BLOB)",
        "UPDATE vault SET value = zeroblob(length(value)) WHERE key = CAST('a' AS BLOB)",
        "UPDATE vault SET value = zeroblob(0) WHERE key = CAST('a' AS BLOB)",
        "UPDATE vault SET value = substr(value, 1, length(value) - 1) WHERE key = CAST('a' AS "
        "BLOB)",
        "UPDATE vault SET value = 'text' WHERE key = CAST('a' AS BLOB)",
    };
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
        char *path = temp_path("v");
        vault_t *vault = open_vault(path);
        put(vault, "a", "1");
        put(vault, "b", "2");
        vault_destroy(&vault);
        run_sql(path, attacks[i]);
        vault = open_vault(path);
        buffer_t out = {0};
        assert_int_equal(vault_get(vault, text("a"), &out), STATUS_DAMAGED_FILE);
        assert_int_equal(out.size, 0);
        assert_int_equal(vault_range(vault, text(""), text(""), false, collect, &out),
                         STATUS_DAMAGED_FILE);
        assert_value(vault, "b", "2");
        buffer_wipe(&out);
        vault_destroy(&vault);
        unlink(path);
        free(path);
    }
}

static void a_strange_file_is_damage(void **state)
{
    (void)state;
    char *path = temp_path("v");
    uint8_t noise[8192];
    randombytes_buf(noise, sizeof noise);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, noise, sizeof noise), sizeof noise);
    close(fd);
    vault_t *vault = NULL;
    assert_int_equal(vault_sqlite_open(&vault, path, key_a), STATUS_DAMAGED_FILE);
    assert_null(vault);
    unlink(path);
    run_sql(path, "CREATE TABLE other (x)");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(vault_sqlite_open(&vault, path, key_a), STATUS_DAMAGED_FILE);
    free(path);
}

/* Damage anywhere in the file is a status, now or when it is read; never a wrong value. */
static void damage_anywhere_is_noticed_or_harmless(void **state)
{
    (void)state;
    char *path = temp_path("v");
    vault_t *vault = open_vault(path);
    for (int i = 0; i < 50; i++) {
        char key[8], value[64];
        snprintf(key, sizeof key, "k%02d", i);
        snprintf(value, sizeof value, "value of %s", key);
        put(vault, key, value);
    }
    vault_destroy(&vault);
    int fd = open(path, O_RDWR);
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    for (int turn = 0; turn < 300; turn++) {
        off_t at = (off_t)randombytes_uniform((uint32_t)info.st_size);
        uint8_t before, after;
        assert_int_equal(pread(fd, &before, 1, at), 1);
        after = (uint8_t)(before ^ (1u << randombytes_uniform(8)));
        assert_int_equal(pwrite(fd, &after, 1, at), 1);
        status_t status = vault_sqlite_open(&vault, path, key_a);
        if (status == STATUS_OK) {
            buffer_t out = {0};
            if (vault_get(vault, text("k07"), &out) == STATUS_OK)
                assert_memory_equal(out.data, "value of k07", out.size);
            buffer_wipe(&out);
            vault_destroy(&vault);
        } else {
            assert_true(status == STATUS_DAMAGED_FILE || status == STATUS_NEWER_FORMAT ||
                        status == STATUS_IO_ERROR);
        }
        assert_int_equal(pwrite(fd, &before, 1, at), 1);
    }
    close(fd);
    free(path);
}

static void one_process_at_a_time(void **state)
{
    (void)state;
    char *path = temp_path("v");
    vault_t *vault = open_vault(path);
    put(vault, "a", "1");
    pid_t pid = fork();
    if (pid == 0) {
        vault_t *other = NULL;
        _exit(vault_sqlite_open(&other, path, key_a) == STATUS_HOME_IN_USE ? 0 : 1);
    }
    int result = -1;
    assert_int_equal(waitpid(pid, &result, 0), pid);
    assert_int_equal(result, 0);
    assert_value(vault, "a", "1");
    vault_destroy(&vault);
    free(path);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_setup, temp_dir_teardown)
    const struct CMUnitTest tests[] = {
        TEST(keeps_values_across_openings),
        TEST(later_writes_of_a_list_win),
        TEST(answers_as_the_one_in_memory),
        TEST(a_visitor_may_read),
        TEST(files_are_private),
        TEST(a_wrong_key_or_format_is_told),
        TEST(changed_rows_are_damage),
        TEST(a_strange_file_is_damage),
        TEST(damage_anywhere_is_noticed_or_harmless),
        TEST(one_process_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
