/* SPDX-License-Identifier: MPL-2.0 */
/* Commas, escapes, and text that tries to break out of where it is put. */
#include "broker/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_written(buffer_t *out, const char *expected)
{
    buffer_u8(out, 0);
    assert_string_equal((char *)out->data, expected);
    buffer_free(out);
}

static void test_hostile_text_stays_text(void **state)
{
    buffer_t out = {0};
    json_t json = json_of(&out);
    (void)state;
    json_object(&json);
    json_put_text(&json, "a", "</script>\"\\\n\x01&\x7f");
    json_put_text(&json, "b", "\xc3\xa9");
    json_put_text(&json, "c", "\xff\xc3\xa9");
    json_end(&json);
    assert_written(&out,
                   "{\"a\":\"\\u003c/script\\u003e\\u0022\\u005c\\u000a\\u0001\\u0026\\u007f\","
                   "\"b\":\"\xc3\xa9\",\"c\":\"???\"}");
}

static void test_each_kind_of_value(void **state)
{
    const uint8_t bytes[] = {0x00, 0x1f, 0xa0};
    buffer_t out = {0};
    json_t json = json_of(&out);
    (void)state;
    json_array(&json);
    json_decimal(&json, 1500, 3);
    json_decimal(&json, 20, 6);
    json_decimal(&json, 3000, 3);
    json_number(&json, UINT64_MAX);
    json_bool(&json, true);
    json_object(&json);
    json_put_bool(&json, "b", false);
    json_put_hex(&json, "h", (bytes_t){bytes, sizeof bytes});
    json_put_hex(&json, "n", (bytes_t){0});
    json_end(&json);
    json_end(&json);
    assert_written(&out, "[1.5,0.00002,3,18446744073709551615,true,"
                         "{\"b\":false,\"h\":\"001fa0\",\"n\":\"\"}]");
}

static void test_what_does_not_apply_is_left_out(void **state)
{
    buffer_t out = {0};
    json_t json = json_of(&out);
    (void)state;
    json_object(&json);
    json_put_nonzero(&json, "a", 0);
    json_put_nonempty(&json, "b", "");
    json_put_nonzero(&json, "c", 1);
    json_put_nonempty(&json, "d", "x");
    json_put_nonzero(&json, "e", 0);
    json_end(&json);
    assert_written(&out, "{\"c\":1,\"d\":\"x\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_text_stays_text),
        cmocka_unit_test(test_each_kind_of_value),
        cmocka_unit_test(test_what_does_not_apply_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
