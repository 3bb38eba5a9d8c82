/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's key file, the data directory and its lock. */
#include "broker/files/data_dir.h"
#include "broker/files/key_file.h"
#include "broker/files/private_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_BYTES (16 + 4 + 32 + 32 + 32)

static char root[] = "/tmp/conclave-key-file-XXXXXX";
static data_dir_t dir;

static int setup(void **state)
{
    char path[PATH_MAX];
    pid_t holder;
    static int number;
    (void)state;
    snprintf(path, sizeof path, "%s/%d/below", root, number++);
    return data_dir_open(&dir, path, &holder) == STATUS_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    data_dir_close(&dir);
    return 0;
}

static void file_bytes(uint8_t out[FILE_BYTES])
{
    size_t size;
    assert_int_equal(private_file_read(dir.fd, KEY_FILE_NAME, out, FILE_BYTES, &size), STATUS_OK);
    assert_int_equal(size, FILE_BYTES);
}

static status_t open_key(void)
{
    key_pair_t key;
    const key_pair_t none = {0};
    bool is_new;
    status_t status = key_file_open(&key, dir.fd, &is_new);
    if (status != STATUS_OK) {
        assert_memory_equal(&key, &none, sizeof key);
    }
    key_pair_wipe(&key);
    return status;
}

static void test_made_once(void **state)
{
    key_pair_t first;
    key_pair_t second;
    struct stat info;
    bool is_new;
    (void)state;
    assert_int_equal(key_file_open(&first, dir.fd, &is_new), STATUS_OK);
    assert_true(is_new);
    assert_int_equal(fstatat(dir.fd, KEY_FILE_NAME, &info, 0), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(key_file_open(&second, dir.fd, &is_new), STATUS_OK);
    assert_false(is_new);
    assert_memory_equal(&first, &second, sizeof first);
    assert_memory_not_equal(first.public_key, first.secret_key, KEY_BYTES);
    key_pair_wipe(&first);
    key_pair_wipe(&second);
    assert_int_equal(faccessat(dir.fd, KEY_FILE_NAME ".new", F_OK, 0), -1);
}

static void test_leftover_of_a_crash(void **state)
{
    (void)state;
    assert_int_equal(private_file_write(dir.fd, KEY_FILE_NAME ".new", "half", 4), STATUS_OK);
    assert_int_equal(open_key(), STATUS_OK);
}

static void test_every_damaged_byte(void **state)
{
    uint8_t good[FILE_BYTES];
    (void)state;
    assert_int_equal(open_key(), STATUS_OK);
    file_bytes(good);
    for (size_t i = 0; i < FILE_BYTES; i++) {
        uint8_t bad[FILE_BYTES];
        memcpy(bad, good, sizeof bad);
        bad[i] ^= 1;
        assert_int_equal(private_file_write(dir.fd, KEY_FILE_NAME, bad, sizeof bad), STATUS_OK);
        status_t status = open_key();
        assert_true(status == STATUS_DAMAGED_FILE || (i >= 16 && i < 20));
        assert_int_not_equal(status, STATUS_OK);
    }
    for (size_t size = 0; size < FILE_BYTES; size++) {
        assert_int_equal(private_file_write(dir.fd, KEY_FILE_NAME, good, size), STATUS_OK);
        assert_int_equal(open_key(), STATUS_DAMAGED_FILE);
    }
}

static void test_newer_and_longer(void **state)
{
    uint8_t bytes[FILE_BYTES + 1] = {0};
    (void)state;
    assert_int_equal(open_key(), STATUS_OK);
    file_bytes(bytes);
    assert_int_equal(private_file_write(dir.fd, KEY_FILE_NAME, bytes, sizeof bytes), STATUS_OK);
    assert_int_equal(open_key(), STATUS_DAMAGED_FILE);
    bytes[19] = 2;
    assert_int_equal(private_file_write(dir.fd, KEY_FILE_NAME, bytes, FILE_BYTES), STATUS_OK);
    assert_int_equal(open_key(), STATUS_NEWER_FORMAT);
}

static void test_readable_by_others(void **state)
{
    (void)state;
    assert_int_equal(open_key(), STATUS_OK);
    for (mode_t mode = 1; mode < 0100; mode++) {
        assert_int_equal(fchmodat(dir.fd, KEY_FILE_NAME, 0600 | mode, 0), 0);
        assert_int_equal(open_key(), STATUS_UNSAFE_PERMISSIONS);
    }
}

static void test_no_plain_file(void **state)
{
    (void)state;
    assert_int_equal(symlinkat("elsewhere", dir.fd, KEY_FILE_NAME), 0);
    assert_int_equal(open_key(), STATUS_UNSAFE_PERMISSIONS);
    assert_int_equal(unlinkat(dir.fd, KEY_FILE_NAME, 0), 0);
    assert_int_equal(mkfifoat(dir.fd, KEY_FILE_NAME, 0600), 0);
    assert_int_equal(open_key(), STATUS_UNSAFE_PERMISSIONS);
}

/* The file that was there stays, and nothing half-written beside it. */
static void test_what_can_not_be_written_changes_nothing(void **state)
{
    (void)state;
    char text[8];
    size_t size;
    assert_int_equal(private_file_write(dir.fd, "note", "old", 3), STATUS_OK);
    assert_int_equal(mkdirat(dir.fd, "note.new", 0700), 0); /* in the way */
    assert_int_equal(private_file_write(dir.fd, "note", "new", 3), STATUS_IO_ERROR);
    assert_int_equal(private_file_read(dir.fd, "note", text, sizeof text, &size), STATUS_OK);
    assert_int_equal(size, 3);
    assert_memory_equal(text, "old", 3);
    assert_int_equal(mkdirat(dir.fd, "folder", 0700), 0);
    assert_int_equal(private_file_write(dir.fd, "folder", "new", 3), STATUS_IO_ERROR);
    assert_int_equal(faccessat(dir.fd, "folder.new", F_OK, 0), -1);
    char name[80] = {0};
    memset(name, 'x', sizeof name - 1);
    assert_int_equal(private_file_write(dir.fd, name, "new", 3), STATUS_TOO_LARGE);
}

static void test_second_holder_is_told_the_pid(void **state)
{
    data_dir_t second;
    pid_t holder = 0;
    (void)state;
    assert_int_equal(data_dir_open(&second, dir.path, &holder), STATUS_HOME_IN_USE);
    assert_int_equal(holder, getpid());
    assert_int_equal(second.fd, -1);
    char path[PATH_MAX];
    strcpy(path, dir.path);
    data_dir_close(&dir);
    assert_int_equal(data_dir_open(&dir, path, &holder), STATUS_OK);
}

static void test_directory_modes(void **state)
{
    struct stat info;
    pid_t holder;
    char path[PATH_MAX];
    (void)state;
    assert_int_equal(stat(dir.path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    strcpy(path, dir.path);
    data_dir_close(&dir);
    assert_int_equal(chmod(path, 0770), 0);
    assert_int_equal(data_dir_open(&dir, path, &holder), STATUS_UNSAFE_PERMISSIONS);
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(data_dir_open(&dir, "", &holder), STATUS_INVALID);
    assert_int_equal(data_dir_open(&dir, "/dev/null/x", &holder), STATUS_IO_ERROR);
}

static void test_default_path(void **state)
{
    char path[PATH_MAX];
    (void)state;
    setenv("HOME", "/home/a", 1);
    setenv("XDG_DATA_HOME", "/data", 1);
    assert_int_equal(data_dir_default_path(path), STATUS_OK);
    assert_string_equal(path, "/data/conclave-broker");
    setenv("XDG_DATA_HOME", "relative", 1);
    assert_int_equal(data_dir_default_path(path), STATUS_OK);
    assert_string_equal(path, "/home/a/.local/share/conclave-broker");
    unsetenv("HOME");
    assert_int_equal(data_dir_default_path(path), STATUS_INVALID);
}

static int remove_root(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_made_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leftover_of_a_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_damaged_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_and_longer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_readable_by_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_plain_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_can_not_be_written_changes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_second_holder_is_told_the_pid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directory_modes, setup, teardown),
        cmocka_unit_test(test_default_path),
    };
    return mkdtemp(root) ? cmocka_run_group_tests(tests, NULL, remove_root) : 1;
}
