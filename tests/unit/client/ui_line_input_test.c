/* SPDX-License-Identifier: MPL-2.0 */
/* Bytes cut into lines, and into keys. */
#include "client/ui/line_keys.h"
#include "client/ui/line_splitter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_line(line_splitter_t *splitter, bool end, const char *wanted)
{
    char *line = line_splitter_take(splitter, end);
    if (wanted)
        assert_string_equal(line, wanted);
    else
        assert_null(line);
    free(line);
}

static void test_lines(void **state)
{
    (void)state;
    line_splitter_t splitter = {.line_max = 5};
    check_line(&splitter, false, NULL);
    line_splitter_add(&splitter, "a", 1);
    check_line(&splitter, false, NULL);
    line_splitter_add(&splitter, "b\r\n\n\r\nlast", 10);
    check_line(&splitter, false, "ab");
    check_line(&splitter, false, "");
    check_line(&splitter, false, "");
    check_line(&splitter, false, NULL);
    check_line(&splitter, true, "last");
    check_line(&splitter, true, NULL);
    line_splitter_wipe(&splitter);
}

static void test_long_lines_are_cut_once(void **state)
{
    (void)state;
    line_splitter_t splitter = {.line_max = 5};
    line_splitter_add(&splitter, "1234567\nok\n12345\n", 17);
    check_line(&splitter, false, "12345");
    check_line(&splitter, false, "ok");
    check_line(&splitter, false, "12345");
    for (size_t i = 0; i < 1000; i++) {
        line_splitter_add(&splitter, "abcdef", 6);
        check_line(&splitter, false, i ? NULL : "abcde");
        assert_true(splitter.pending.capacity < 1024);
    }
    line_splitter_add(&splitter, "x\ny\n", 4);
    check_line(&splitter, false, "y");
    check_line(&splitter, true, NULL);
    line_splitter_wipe(&splitter);
}

static void check_key(const char *bytes, bool waited, line_key_t key, size_t length)
{
    size_t taken = 99;
    assert_int_equal(line_keys_next(bytes, strlen(bytes), waited, &taken), key);
    assert_int_equal(taken, length);
}

static void test_keys(void **state)
{
    (void)state;
    check_key("ab", false, LINE_KEY_CHARACTER, 1);
    check_key("\r", false, LINE_KEY_CHARACTER, 1);
    check_key("\xC3\xA9x", false, LINE_KEY_CHARACTER, 2);
    check_key("\xEF\xBF\xBD", false, LINE_KEY_CHARACTER, 3);
    check_key("\xC3", true, LINE_KEY_PARTIAL, 0);
    check_key("\xFFx", false, LINE_KEY_GARBAGE, 1);
    check_key("\xE2\x82x", false, LINE_KEY_GARBAGE, 2);
    check_key("\033", false, LINE_KEY_PARTIAL, 0);
    check_key("\033", true, LINE_KEY_GARBAGE, 1);
    check_key("\033bc", false, LINE_KEY_META, 2);
    check_key("\033\xC3\xA9", false, LINE_KEY_META, 3);
    check_key("\033\033[A", false, LINE_KEY_GARBAGE, 1);
    check_key("\033[Ax", false, LINE_KEY_SEQUENCE, 3);
    check_key("\033OAx", false, LINE_KEY_SEQUENCE, 3);
    check_key("\033O", false, LINE_KEY_PARTIAL, 0);
    check_key("\033O", true, LINE_KEY_META, 2);
    check_key("\033[200", false, LINE_KEY_PARTIAL, 0);
    check_key("\033[200", true, LINE_KEY_GARBAGE, 5);
    check_key("\033[200~", false, LINE_KEY_SEQUENCE, 6);
    check_key("\033[2\r", false, LINE_KEY_GARBAGE, 3);
    check_key("\033[11111111111111111111111111111111111111111", false, LINE_KEY_GARBAGE,
              LINE_KEYS_SEQUENCE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_long_lines_are_cut_once),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
