/* SPDX-License-Identifier: MPL-2.0 */
/* Lines of --json. */
#include "client/ui/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_text(const char *bytes, size_t size, const char *wanted)
{
    json_t json;
    json_init(&json);
    json_add_bytes(&json, "t", bytes, size);
    char *line = json_take(&json);
    assert_string_equal(line, wanted);
    free(line);
}

#define TEXT(text, wanted) check_text(text, sizeof text - 1, "{\"t\":" wanted "}")

static void test_kinds(void **state)
{
    (void)state;
    json_t json;
    json_init(&json);
    json_add_text(&json, "type", "message");
    json_add_number(&json, "seq", UINT64_MAX);
    json_add_number(&json, "zero", 0);
    json_add_bool(&json, "own", true);
    json_add_bool(&json, "late", false);
    json_add_null(&json, "who");
    json_add_text(&json, "reason", NULL);
    char *line = json_take(&json);
    assert_string_equal(line, "{\"type\":\"message\",\"seq\":18446744073709551615,\"zero\":0,"
                              "\"own\":true,\"late\":false,\"who\":null,\"reason\":null}");
    free(line);
    json_init(&json);
    line = json_take(&json);
    assert_string_equal(line, "{}");
    free(line);
}

static void test_escapes(void **state)
{
    (void)state;
    TEXT("", "\"\"");
    TEXT("say \"hi\" \\o/", "\"say \\\"hi\\\" \\\\o/\"");
    TEXT("a\nb\tc\rd", "\"a\\nb\\tc\\rd\"");
    TEXT("\0\033\x7F\b", "\"\\u0000\\u001b\\u007f\\u0008\"");
    TEXT("\xC2\x85\u2028\u2029\u202E", "\"\\u0085\\u2028\\u2029\\u202e\"");
    TEXT("\U000E0041", "\"\\udb40\\udc41\"");
    TEXT("\u00E9 日本 😀", "\"\u00E9 日本 😀\"");
    TEXT("a\xFF\xE2\x82", "\"a\uFFFD\uFFFD\"");
    TEXT("\xED\xA0\x80", "\"\uFFFD\uFFFD\uFFFD\"");
}

static void test_write(void **state)
{
    (void)state;
    char *written = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&written, &size);
    for (unsigned i = 0; i < 2; i++) {
        json_t json;
        json_init(&json);
        json_add_number(&json, "n", i);
        assert_int_equal(json_write(&json, stream), STATUS_OK);
        assert_null(json.text.bytes);
    }
    fclose(stream);
    assert_string_equal(written, "{\"n\":0}\n{\"n\":1}\n");
    free(written);
}

static void test_failed_write(void **state)
{
    (void)state;
    FILE *stream = fopen("/dev/full", "w");
    json_t json;
    json_init(&json);
    json_add_text(&json, "t", "x");
    assert_int_equal(json_write(&json, stream), STATUS_IO_ERROR);
    fclose(stream);
    json_init(&json);
    json_wipe(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_failed_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
