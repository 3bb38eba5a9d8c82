/* SPDX-License-Identifier: MPL-2.0 */
/* The first pass over MessagePack: what it lets through, and hostile heads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "proto/limits.h"
#include "proto/memory.h"
#include "proto/skim.h"

static status_t skim_exact(const void *bytes, size_t size, size_t *extent)
{
    /* An exact copy, so that a sanitizer sees each byte read beyond it. */
    uint8_t *copy = mem_dup(bytes, size);
    status_t status = skim((bytes_t){copy, size}, extent);
    free(copy);
    return status;
}

#define ASSERT_SKIM(literal, expected)                                                             \
    do {                                                                                           \
        size_t extent_;                                                                            \
        assert_int_equal(skim_exact(literal, sizeof literal - 1, &extent_), expected);             \
        assert_int_equal(extent_, (expected) == STATUS_OK ? sizeof literal - 1 : 0);               \
    } while (0)

static void test_whole_objects(void **state)
{
    (void)state;
    ASSERT_SKIM("\x00", STATUS_OK);
    ASSERT_SKIM("\x7f", STATUS_OK);
    ASSERT_SKIM("\xff", STATUS_OK);
    ASSERT_SKIM("\xcc\x01", STATUS_OK);
    ASSERT_SKIM("\xcd\x01\x02", STATUS_OK);
    ASSERT_SKIM("\xce\x01\x02\x03\x04", STATUS_OK);
    ASSERT_SKIM("\xcf\x01\x02\x03\x04\x05\x06\x07\x08", STATUS_OK);
    ASSERT_SKIM("\xd3\x01\x02\x03\x04\x05\x06\x07\x08", STATUS_OK);
    ASSERT_SKIM("\xa0", STATUS_OK);
    ASSERT_SKIM("\xa2hi", STATUS_OK);
    ASSERT_SKIM("\xd9\x02hi", STATUS_OK);
    ASSERT_SKIM("\xda\x00\x02hi", STATUS_OK);
    ASSERT_SKIM("\xdb\x00\x00\x00\x02hi", STATUS_OK);
    ASSERT_SKIM("\xc4\x02hi", STATUS_OK);
    ASSERT_SKIM("\xc5\x00\x02hi", STATUS_OK);
    ASSERT_SKIM("\xc6\x00\x00\x00\x02hi", STATUS_OK);
    ASSERT_SKIM("\x90", STATUS_OK);
    ASSERT_SKIM("\x93\x01\x92\x02\x03\xa1x", STATUS_OK);
    ASSERT_SKIM("\xdc\x00\x02\x01\x90", STATUS_OK);
    ASSERT_SKIM("\xdd\x00\x00\x00\x02\x01\x90", STATUS_OK);
}

static void test_refused_types(void **state)
{
    (void)state;
    ASSERT_SKIM("\xc0", STATUS_BAD_TYPE);
    ASSERT_SKIM("\xc1", STATUS_MALFORMED);
    ASSERT_SKIM("\xc2", STATUS_BAD_TYPE);
    ASSERT_SKIM("\xc3", STATUS_BAD_TYPE);
    ASSERT_SKIM("\xca\x00\x00\x00\x00", STATUS_BAD_TYPE);
    ASSERT_SKIM("\xcb\x00\x00\x00\x00\x00\x00\x00\x00", STATUS_BAD_TYPE);
    ASSERT_SKIM("\x80", STATUS_BAD_TYPE);
    ASSERT_SKIM("\xde\x00\x00", STATUS_BAD_TYPE);
    ASSERT_SKIM("\xdf\x00\x00\x00\x00", STATUS_BAD_TYPE);
    ASSERT_SKIM("\xc7\x00\x01", STATUS_BAD_TYPE);
    ASSERT_SKIM("\xd4\x01\x01", STATUS_BAD_TYPE);
    ASSERT_SKIM("\xd8\x01\x01", STATUS_BAD_TYPE);
    ASSERT_SKIM("\x92\x01\xc0", STATUS_BAD_TYPE);
}

static void test_hostile_heads(void **state)
{
    (void)state;
    ASSERT_SKIM("", STATUS_MALFORMED);
    ASSERT_SKIM("\xdd\x05\xf5\xe1\x00", STATUS_MALFORMED); /* 10^8 elements */
    ASSERT_SKIM("\xdd\xff\xff\xff\xff", STATUS_MALFORMED);
    ASSERT_SKIM("\xdc\xff\xff\x01\x01", STATUS_MALFORMED);
    ASSERT_SKIM("\xc6\xff\xff\xff\xff\x01", STATUS_MALFORMED);
    ASSERT_SKIM("\xdb\x05\xf5\xe1\x00", STATUS_MALFORMED);
    ASSERT_SKIM("\x9f\x01", STATUS_MALFORMED);
    ASSERT_SKIM("\x92\x01", STATUS_MALFORMED);
    ASSERT_SKIM("\x92\x92\x01\x02", STATUS_MALFORMED);
    ASSERT_SKIM("\xcf\x01\x02\x03\x04\x05\x06\x07", STATUS_MALFORMED);
    ASSERT_SKIM("\xdd\x00\x00", STATUS_MALFORMED);
}

static void test_trailing_is_left(void **state)
{
    (void)state;
    size_t extent;
    assert_int_equal(skim_exact("\x92\x01\x02\xc0\xc0", 5, &extent), STATUS_OK);
    assert_int_equal(extent, 3);
    assert_int_equal(skim_exact("\x90\xc1", 2, &extent), STATUS_OK);
    assert_int_equal(extent, 1);
}

static void test_depth(void **state)
{
    (void)state;
    uint8_t bytes[NESTING_MAX + 2];
    memset(bytes, 0x91, sizeof bytes);
    size_t extent;
    bytes[NESTING_MAX] = 0x01;
    assert_int_equal(skim_exact(bytes, NESTING_MAX + 1, &extent), STATUS_OK);
    bytes[NESTING_MAX] = 0x90;
    assert_int_equal(skim_exact(bytes, NESTING_MAX + 1, &extent), STATUS_OK);
    bytes[NESTING_MAX] = 0x91;
    bytes[NESTING_MAX + 1] = 0x01;
    assert_int_equal(skim_exact(bytes, NESTING_MAX + 2, &extent), STATUS_MALFORMED);
    /* Depth counts what is open, not what was. */
    assert_int_equal(
        skim_exact(
            "\x9a\x91\x01\x91\x01\x91\x01\x91\x01\x91\x01\x91\x01\x91\x01\x91\x01\x91\x01\x91\x01",
            21, &extent),
        STATUS_OK);
}

static void test_items(void **state)
{
    (void)state;
    uint8_t *bytes = mem_zalloc(FRAME_MAX_ITEMS + 16, 1);
    size_t extent;
    bytes[0] = 0xdd; /* the array is an item as well */
    put_u32(bytes + 1, FRAME_MAX_ITEMS - 1);
    assert_int_equal(skim((bytes_t){bytes, FRAME_MAX_ITEMS + 16}, &extent), STATUS_OK);
    put_u32(bytes + 1, FRAME_MAX_ITEMS);
    assert_int_equal(skim((bytes_t){bytes, FRAME_MAX_ITEMS + 16}, &extent), STATUS_TOO_LARGE);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_objects), cmocka_unit_test(test_refused_types),
        cmocka_unit_test(test_hostile_heads), cmocka_unit_test(test_trailing_is_left),
        cmocka_unit_test(test_depth),         cmocka_unit_test(test_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
