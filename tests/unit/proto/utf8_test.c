/* SPDX-License-Identifier: MPL-2.0 */
/* UTF-8 by Unicode's table 3-7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "proto/utf8.h"

/* Decodes by the arithmetic definition: what utf8_valid must agree with. */
static bool is_one_scalar(const uint8_t *bytes, size_t size)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (size == 1)
        return bytes[0] < 0x80 && bytes[0] != 0;
    if (size < 2 || size > 4)
        return false;
    unsigned lead = (0xf00u >> size) & 0xff, mask = 0xffu >> (size + 1);
    if ((bytes[0] & ~mask & 0xff) != lead)
        return false;
    uint32_t code = bytes[0] & mask;
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return false;
        code = code << 6 | (bytes[i] & 0x3f);
    }
    return code >= least[size] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static bool is_valid(const uint8_t *bytes, size_t size)
{
    if (!size)
        return true;
    for (size_t first = 1; first <= size && first <= 4; first++)
        if (is_one_scalar(bytes, first))
            return is_valid(bytes + first, size - first);
    return false;
}

static void test_all_of_three_bytes(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 1u << 24; value += 1) {
        /* The last byte matters only as to its class. */
        if ((value & 0x0f) && (value & 0x0f) != 0x0f)
            continue;
        const uint8_t bytes[] = {(uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
        if (utf8_valid((const char *)bytes, 3) != is_valid(bytes, 3))
            fail_msg("%06x", value);
    }
}

static void test_four_bytes(void **state)
{
    (void)state;
    for (unsigned lead = 0xe8; lead < 0x100; lead++)
        for (unsigned second = 0x70; second < 0x100; second++)
            for (unsigned rest = 0; rest < 16; rest++) {
                static const uint8_t edges[] = {0x00, 0x7f, 0x80, 0xc0};
                const uint8_t bytes[] = {(uint8_t)lead, (uint8_t)second, edges[rest / 4],
                                         edges[rest % 4]};
                assert_int_equal(utf8_valid((const char *)bytes, 4), is_valid(bytes, 4));
            }
}

static void test_texts(void **state)
{
    (void)state;
    assert_true(utf8_valid(NULL, 0));
    assert_true(utf8_valid("Gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 15));
    assert_false(utf8_valid("a\0b", 3));
    assert_false(utf8_valid("\xf0\x9f\x98", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_three_bytes),
        cmocka_unit_test(test_four_bytes),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
