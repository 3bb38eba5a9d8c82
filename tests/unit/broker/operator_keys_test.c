/* SPDX-License-Identifier: MPL-2.0 */
/* Which keys a file of operators' keys lets in. */
#include "broker/operator/operator_keys.h"
#include "proto/endpoint.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[64];
static int root_fd;
static uint8_t mine[KEY_BYTES], other[KEY_BYTES];
static char mine_text[KEY_TEXT_BYTES], other_text[KEY_TEXT_BYTES];

static int setup(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/conclave-operator-keys-XXXXXX");
    assert_non_null(mkdtemp(root));
    root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    memset(mine, 0x5a, sizeof mine);
    memset(other, 0x5a, sizeof other);
    other[KEY_BYTES - 1] ^= 1;
    key_to_text(mine_text, mine);
    key_to_text(other_text, other);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlinkat(root_fd, OPERATOR_KEYS_NAME, 0);
    close(root_fd);
    rmdir(root);
    return 0;
}

static void put_file(const char *text, size_t size, mode_t mode)
{
    unlinkat(root_fd, OPERATOR_KEYS_NAME, 0);
    int fd = openat(root_fd, OPERATOR_KEYS_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

/* M stands for our key's text, O for another's. */
static status_t found_in(const char *pattern)
{
    char text[512];
    size_t size = 0;
    for (; *pattern; pattern++) {
        const char *part = *pattern == 'M' ? mine_text : *pattern == 'O' ? other_text : NULL;
        if (part) {
            memcpy(text + size, part, KEY_TEXT_BYTES - 1);
            size += KEY_TEXT_BYTES - 1;
        } else {
            text[size++] = *pattern;
        }
    }
    put_file(text, size, 0600);
    return operator_keys_find(root_fd, mine);
}

static void a_key_may_stand_on_any_line(void **state)
{
    (void)state;
    static const char *const files[] = {
        "M\n", "M", "O\nM\n", "O\n\n# mine:\nM", "M laptop of bob\nO\n", "M\tlaptop\r\nO\r\n",
        "M\r"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_int_equal(found_in(files[i]), STATUS_OK);
    }
}

static void what_is_no_line_of_the_key_lets_nobody_in(void **state)
{
    (void)state;
    static const char *const files[] = {"",     "\n",   "O\n",  "#M\n", "# M\n",
                                        " M\n", "Mx\n", "xM\n", "OM\n", "M=\n"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_int_equal(found_in(files[i]), STATUS_NOT_FOUND);
    }
    put_file(mine_text, KEY_TEXT_BYTES - 2, 0600); /* a character is missing */
    assert_int_equal(operator_keys_find(root_fd, mine), STATUS_NOT_FOUND);
}

static void the_file_is_read_each_time_and_must_be_private(void **state)
{
    (void)state;
    assert_int_equal(operator_keys_find(root_fd, mine), STATUS_NOT_FOUND); /* no file */
    assert_int_equal(found_in("M\n"), STATUS_OK);
    assert_int_equal(found_in("O\n"), STATUS_NOT_FOUND);
    put_file(mine_text, KEY_TEXT_BYTES - 1, 0660);
    assert_int_equal(operator_keys_find(root_fd, mine), STATUS_UNSAFE_PERMISSIONS);
    put_file(mine_text, KEY_TEXT_BYTES - 1, 0604);
    assert_int_equal(operator_keys_find(root_fd, mine), STATUS_UNSAFE_PERMISSIONS);
}

static void a_file_too_large_is_not_read_in_part(void **state)
{
    (void)state;
    static char text[OPERATOR_KEYS_MAX_BYTES + 64];
    memset(text, '\n', sizeof text);
    memcpy(text, mine_text, KEY_TEXT_BYTES - 1);
    put_file(text, sizeof text, 0600);
    assert_int_not_equal(operator_keys_find(root_fd, mine), STATUS_OK);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(a_key_may_stand_on_any_line),
        PLACED(what_is_no_line_of_the_key_lets_nobody_in),
        PLACED(the_file_is_read_each_time_and_must_be_private),
        PLACED(a_file_too_large_is_not_read_in_part),
    };
    return cmocka_run_group_tests_name("operator_keys", tests, NULL, NULL);
}
