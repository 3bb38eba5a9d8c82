/* SPDX-License-Identifier: MPL-2.0 */
/* The vault when things end badly: killed writers, full disks, and what is left in the files of
 * what was erased. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "client/vault/vault_sqlite.h"
#include "tests/unit/client/temp_dir.h"

static const uint8_t seal_key[KEY_BYTES] = {9};

static bytes_t text(const char *string)
{
    return (bytes_t){(const uint8_t *)string, strlen(string)};
}

static vault_t *open_vault(const char *path)
{
    vault_t *vault = NULL;
    assert_int_equal(vault_sqlite_open(&vault, path, seal_key), STATUS_OK);
    return vault;
}

static uint64_t read_number(vault_t *vault, const char *key)
{
    buffer_t out = {0};
    status_t status = vault_get(vault, text(key), &out);
    if (status == STATUS_NOT_FOUND)
        return 0;
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(out.size, 8);
    uint64_t value = get_u64(out.data);
    buffer_free(&out);
    return value;
}

/* Writes both rows of each number in one transaction, and says each number once it is written. */
static void write_for_ever(const char *path, int told)
{
    vault_t *vault = NULL;
    if (vault_sqlite_open(&vault, path, seal_key) != STATUS_OK)
        _exit(1);
    for (uint64_t i = read_number(vault, "a") + 1;; i++) {
        uint8_t value[8];
        put_u64(value, i);
        writes_t writes = {0};
        writes_put(&writes, text("a"), (bytes_t){value, 8});
        writes_put(&writes, text("b"), (bytes_t){value, 8});
        if (vault_apply(vault, &writes) != STATUS_OK)
            _exit(1);
        writes_wipe(&writes);
        if (i % 16 == 0 && vault_checkpoint(vault) != STATUS_OK)
            _exit(1);
        if (write(told, &i, sizeof i) != (ssize_t)sizeof i)
            _exit(1);
    }
}

static void a_killed_writer_loses_nothing(void **state)
{
    (void)state;
    char *path = temp_path("v");
    for (int turn = 0; turn < 12; turn++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(ends[0]);
            write_for_ever(path, ends[1]);
        }
        close(ends[1]);
        uint64_t told = 0, next;
        if (turn % 4) /* else it may be killed while it opens the vault */
            assert_int_equal(read(ends[0], &told, sizeof told), sizeof told);
        usleep(10000 + randombytes_uniform(40000));
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        while (read(ends[0], &next, sizeof next) == (ssize_t)sizeof next)
            told = next;
        close(ends[0]);
        vault_t *vault = open_vault(path);
        uint64_t a = read_number(vault, "a"), b = read_number(vault, "b");
        assert_int_equal(a, b);
        assert_true(a >= told);
        vault_destroy(&vault);
    }
    vault_t *vault = open_vault(path);
    assert_true(read_number(vault, "a") > 0);
    vault_destroy(&vault);
    free(path);
}

static bool file_holds(const char *path, bytes_t wanted)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return false;
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    size_t size = (size_t)info.st_size;
    uint8_t *content = malloc(size + 1);
    assert_int_equal(read(fd, content, size), size);
    close(fd);
    bool is_there = memmem(content, size, wanted.data, wanted.size) != NULL;
    free(content);
    return is_there;
}

/* The sealed value of a row, read past the vault. */
static buffer_t sealed_value(const char *path, const char *key)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    buffer_t out = {0};
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, "SELECT value FROM vault WHERE key = ?1", -1,
                                        &statement, NULL),
                     SQLITE_OK);
    sqlite3_bind_blob(statement, 1, key, (int)strlen(key), SQLITE_STATIC);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    buffer_append(&out, sqlite3_column_blob(statement, 0),
                  (size_t)sqlite3_column_bytes(statement, 0));
    sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    return out;
}

static void erased_values_leave_the_files(void **state)
{
    (void)state;
    char *path = temp_path("v"), *wal = temp_path("v-wal");
    static const char secret[] = "a secret that is long enough to be found when it is there";
    vault_t *vault = open_vault(path);
    writes_t writes = {0};
    writes_put(&writes, text("deleted"), text(secret));
    writes_put(&writes, text("overwritten"), text(secret));
    assert_int_equal(vault_apply(vault, &writes), STATUS_OK);
    writes_wipe(&writes);
    vault_destroy(&vault);
    assert_false(file_holds(path, text(secret))); /* never in clear */
    buffer_t deleted = sealed_value(path, "deleted");
    buffer_t overwritten = sealed_value(path, "overwritten");
    assert_true(file_holds(path, buffer_view(&deleted)));

    vault = open_vault(path);
    writes_delete(&writes, text("deleted"));
    writes_put(&writes, text("overwritten"), text("new"));
    assert_int_equal(vault_apply(vault, &writes), STATUS_OK);
    writes_wipe(&writes);
    assert_int_equal(vault_checkpoint(vault), STATUS_OK);
    struct stat info;
    assert_int_equal(stat(wal, &info), 0);
    assert_int_equal(info.st_size, 0);
    assert_false(file_holds(path, buffer_view(&deleted)));
    assert_false(file_holds(path, buffer_view(&overwritten)));
    vault_destroy(&vault);
    buffer_free(&deleted);
    buffer_free(&overwritten);
    free(path);
    free(wal);
}

/* Fills the vault until it refuses, in these words: each transaction is wholly there or wholly not,
 * and once there is room again it goes on. */
static void fill(vault_t *vault, size_t value_size, uint64_t *stored, status_t refusal)
{
    uint8_t *value = calloc(1, value_size);
    for (uint64_t i = *stored + 1; i < 10000; i++) {
        char key[32];
        put_u64(value, i);
        writes_t writes = {0};
        snprintf(key, sizeof key, "row %llu", (unsigned long long)i);
        writes_put(&writes, text("last"), (bytes_t){value, 8});
        writes_put(&writes, text(key), (bytes_t){value, value_size});
        status_t status = vault_apply(vault, &writes);
        writes_wipe(&writes);
        if (status != STATUS_OK) {
            assert_int_equal(status, refusal);
            assert_int_equal(read_number(vault, "last"), *stored);
            buffer_t out = {0};
            assert_int_equal(vault_get(vault, text(key), &out), STATUS_NOT_FOUND);
            break;
        }
        *stored = i;
    }
    assert_true(*stored < 9999);
    free(value);
}

static void a_full_disk_changes_nothing(void **state)
{
    (void)state;
    char *mounted = temp_path("small");
    assert_int_equal(mkdir(mounted, 0700), 0);
    if (mount("none", mounted, "tmpfs", 0, "size=512k") != 0) {
        print_message("[   NOTE   ] no right to mount a small disk\n");
        free(mounted);
        skip();
    }
    char *path = temp_path("small/v"), *ballast = temp_path("small/ballast");
    int fd = open(ballast, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(posix_fallocate(fd, 0, 200 * 1024), 0);
    close(fd);
    vault_t *vault = open_vault(path);
    uint64_t stored = 0;
    fill(vault, 3000, &stored, STATUS_DISK_FULL);
    assert_true(stored > 0);
    uint64_t before = stored;
    assert_int_equal(unlink(ballast), 0); /* room again */
    fill(vault, 3000, &stored, STATUS_DISK_FULL);
    assert_true(stored > before);
    vault_destroy(&vault);
    vault = open_vault(path);
    assert_int_equal(read_number(vault, "last"), stored);
    vault_destroy(&vault);
    assert_int_equal(umount2(mounted, MNT_DETACH), 0);
    free(path);
    free(ballast);
    free(mounted);
}

static void a_file_size_limit_changes_nothing(void **state)
{
    (void)state;
    char *path = temp_path("v");
    vault_t *vault = open_vault(path);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 256 * 1024;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    uint64_t stored = 0;
    fill(vault, 3000, &stored, STATUS_IO_ERROR);
    assert_true(stored > 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    vault_destroy(&vault);
    vault = open_vault(path);
    assert_int_equal(read_number(vault, "last"), stored);
    vault_destroy(&vault);
    free(path);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_setup, temp_dir_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_killed_writer_loses_nothing),
        TEST(erased_values_leave_the_files),
        TEST(a_full_disk_changes_nothing),
        TEST(a_file_size_limit_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
