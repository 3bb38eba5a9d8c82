/* SPDX-License-Identifier: MPL-2.0 */
/* Which names are names, and their form on the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "proto/name.h"

static void test_good(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "z9", "alice", "a.b_c-d",
                                       "abcdefghijklmnopqrstuvwxyz012345"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        name_t name, again;
        assert_int_equal(name_parse(&name, good[i]), STATUS_OK);
        assert_string_equal(name.text, good[i]);
        buffer_t out = {0};
        name8_write(&out, &name);
        assert_int_equal(out.size, 1 + strlen(good[i]));
        assert_int_equal(out.data[0], name_size(&name));
        reader_t in = reader_of(out.data, out.size);
        again = name8_read(&in);
        assert_true(reader_done(&in));
        assert_true(name_equal(&name, &again));
        buffer_free(&out);
    }
}

static void assert_refused(const char *text, size_t size)
{
    name_t name;
    memset(&name, 'x', sizeof name);
    assert_int_equal(name_set(&name, text, size), STATUS_BAD_NAME);
    assert_int_equal(name.text[0], 0);
    uint8_t bytes[64] = {(uint8_t)size};
    memcpy(bytes + 1, text, size);
    reader_t in = reader_of(bytes, size + 1);
    name = name8_read(&in);
    assert_false(reader_ok(&in));
    assert_int_equal(name.text[0], 0);
}

static void test_bad(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "1a",
                                      ".a",
                                      "_a",
                                      "-a",
                                      "Alice",
                                      "a b",
                                      "a/b",
                                      "a\xc3\xa4",
                                      "a\x7f",
                                      "abcdefghijklmnopqrstuvwxyz0123456"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        name_t name;
        assert_int_equal(name_parse(&name, bad[i]), STATUS_BAD_NAME);
        assert_refused(bad[i], strlen(bad[i]));
    }
    assert_refused("ab\0c", 4);
}

static void test_truncated(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {5, 'a', 'l', 'i', 'c', 'e'};
    for (size_t size = 0; size < sizeof bytes; size++) {
        reader_t in = reader_of(bytes, size);
        (void)name8_read(&in);
        assert_false(reader_ok(&in));
    }
}

static void test_equal(void **state)
{
    (void)state;
    name_t a, b;
    assert_int_equal(name_parse(&a, "alice"), STATUS_OK);
    assert_int_equal(name_parse(&b, "alic"), STATUS_OK);
    assert_false(name_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
