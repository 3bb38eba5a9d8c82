/* SPDX-License-Identifier: MPL-2.0 */
/* Passwords from files of every kind. */
#include "client/ui/password.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

static char folder[] = "/tmp/conclave-password-XXXXXX";
static char path[64];

static void put(const char *bytes, size_t size, mode_t mode)
{
    (void)unlink(path);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), size);
    assert_int_equal(fchmod(file, mode), 0);
    close(file);
}

static void check(const char *bytes, size_t size, const char *wanted)
{
    password_t password = {0};
    bool exposed = true;
    put(bytes, size, 0600);
    assert_int_equal(password_read_file(&password, path, &exposed), STATUS_OK);
    assert_string_equal(password.bytes, wanted);
    assert_int_equal(password.size, strlen(wanted));
    assert_false(exposed);
    password_wipe(&password);
    assert_null(password.bytes);
}

static void test_first_line(void **state)
{
    (void)state;
    check("secret", 6, "secret");
    check("secret\n", 7, "secret");
    check("secret\r\n", 8, "secret");
    check("two words \nrest", 15, "two words ");
}

static void refuse(const char *bytes, size_t size, mode_t mode, status_t wanted)
{
    password_t password = {0};
    assert_int_equal(password_set(&password, "before", 6), STATUS_OK);
    put(bytes, size, mode);
    assert_int_equal(password_read_file(&password, path, NULL), wanted);
    assert_string_equal(password.bytes, "before");
    password_wipe(&password);
}

static void test_refusals(void **state)
{
    (void)state;
    char endless[4096];
    memset(endless, 'x', sizeof endless);
    refuse("", 0, 0600, STATUS_INVALID);
    refuse("\nsecond", 7, 0600, STATUS_INVALID);
    refuse("a\0b\n", 4, 0600, STATUS_INVALID);
    refuse(endless, sizeof endless, 0600, STATUS_TOO_LARGE);
    refuse(endless, PASSWORD_MAX_BYTES + 1, 0600, STATUS_TOO_LARGE);
    refuse("secret", 6, 0620, STATUS_UNSAFE_PERMISSIONS);
    refuse("secret", 6, 0602, STATUS_UNSAFE_PERMISSIONS);
    password_t password = {0};
    assert_int_equal(password_read_file(&password, "/nowhere/at/all", NULL), STATUS_IO_ERROR);
    assert_int_equal(password_read_file(&password, folder, NULL), STATUS_IO_ERROR);
    assert_null(password.bytes);
}

static void test_longest(void **state)
{
    (void)state;
    char bytes[PASSWORD_MAX_BYTES + 2];
    password_t password = {0};
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes + PASSWORD_MAX_BYTES, "\r\n", 2);
    put(bytes, sizeof bytes, 0400);
    assert_int_equal(password_read_file(&password, path, NULL), STATUS_OK);
    assert_int_equal(password.size, PASSWORD_MAX_BYTES);
    password_wipe(&password);
}

static void test_readable_by_others(void **state)
{
    (void)state;
    password_t password = {0};
    bool exposed = false;
    put("secret\n", 7, 0444);
    assert_int_equal(password_read_file(&password, path, &exposed), STATUS_OK);
    assert_true(exposed);
    password_wipe(&password);
}

static void test_pipe(void **state)
{
    (void)state;
    int ends[2];
    char name[32];
    password_t password = {0};
    bool exposed = true;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "secret\n", 7), 7); /* no end of file follows */
    (void)snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    assert_int_equal(password_read_file(&password, name, &exposed), STATUS_OK);
    assert_string_equal(password.bytes, "secret");
    assert_false(exposed);
    password_wipe(&password);
    close(ends[0]);
    close(ends[1]);
}

static void test_equal(void **state)
{
    (void)state;
    password_t a = {0}, b = {0};
    assert_true(password_equal(&a, &b));
    assert_int_equal(password_set(&a, "secret", 6), STATUS_OK);
    assert_false(password_equal(&a, &b));
    assert_int_equal(password_set(&b, "secreT", 6), STATUS_OK);
    assert_false(password_equal(&a, &b));
    assert_int_equal(password_set(&b, "secret", 6), STATUS_OK);
    assert_true(password_equal(&a, &b));
    assert_int_equal(password_set(&b, "", 0), STATUS_INVALID);
    password_wipe(&a);
    password_wipe(&b);
    password_wipe(&b);
}

int main(void)
{
    if (sodium_init() < 0 || !mkdtemp(folder))
        return 1;
    (void)snprintf(path, sizeof path, "%s/password", folder);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_line), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_longest),    cmocka_unit_test(test_readable_by_others),
        cmocka_unit_test(test_pipe),       cmocka_unit_test(test_equal),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    (void)rmdir(folder);
    return failed;
}
