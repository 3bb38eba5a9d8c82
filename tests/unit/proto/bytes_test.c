/* SPDX-License-Identifier: MPL-2.0 */
/* The bounded reader and the growing writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include <sodium.h>

#include "proto/bytes.h"

/* The last block that was wiped (in place of libsodium's, so that a test sees it). */
static struct {
    const void *at;
    size_t size;
} last_wiped;

void sodium_memzero(void *const at, const size_t size)
{
    last_wiped.at = at;
    last_wiped.size = size;
    memset(at, 0, size);
}

static void test_round_trip(void **state)
{
    (void)state;
    buffer_t buffer = {0};
    buffer_u8(&buffer, 0xab);
    buffer_u16(&buffer, 0x0102);
    buffer_u32(&buffer, 0x03040506);
    buffer_u64(&buffer, UINT64_C(0x0708090a0b0c0d0e));
    buffer_varint(&buffer, 300);
    buffer_lp(&buffer, "hello", 5);
    buffer_lp(&buffer, NULL, 0);
    static const uint8_t expected[] = {0xab, 1, 2, 3, 4, 5, 6,   7,   8,   9,   10,  11, 12, 13, 14,
                                       0xac, 2, 0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o', 0,  0,  0,  0};
    assert_int_equal(buffer.size, sizeof expected);
    assert_memory_equal(buffer.data, expected, sizeof expected);

    reader_t in = reader_of(buffer.data, buffer.size);
    assert_int_equal(reader_u8(&in), 0xab);
    assert_int_equal(reader_u16(&in), 0x0102);
    assert_int_equal(reader_u32(&in), 0x03040506);
    assert_true(reader_u64(&in) == UINT64_C(0x0708090a0b0c0d0e));
    assert_int_equal(reader_varint(&in), 300);
    assert_int_equal(reader_u32(&in), 5);
    char text[5];
    reader_copy(&in, text, 5);
    assert_memory_equal(text, "hello", 5);
    assert_true(reader_ok(&in));
    assert_false(reader_done(&in));
    assert_int_equal(reader_u32(&in), 0);
    assert_true(reader_done(&in));
    buffer_wipe(&buffer);
    assert_null(buffer.data);
}

static void test_failure_sticks(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3};
    reader_t in = reader_of(bytes, sizeof bytes);
    assert_int_equal(reader_u32(&in), 0);
    assert_false(reader_ok(&in));
    assert_int_equal(reader_u8(&in), 0);
    assert_null(reader_take(&in, 0));
    char out[2] = {9, 9};
    reader_copy(&in, out, 2);
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 0);
    assert_false(reader_done(&in));
}

static void test_take(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2};
    reader_t in = reader_of(bytes, sizeof bytes);
    assert_ptr_equal(reader_take(&in, 0), bytes);
    assert_ptr_equal(reader_take(&in, 2), bytes);
    assert_true(reader_done(&in));
    assert_null(reader_take(&in, SIZE_MAX));
    in = reader_of(NULL, 0);
    assert_true(reader_done(&in));
    assert_non_null(reader_take(&in, 0));
}

static void assert_varint_refused(const uint8_t *bytes, size_t size)
{
    reader_t in = reader_of(bytes, size);
    assert_int_equal(reader_varint(&in), 0);
    assert_false(reader_ok(&in));
}

static void test_varints_refused(void **state)
{
    (void)state;
    static const uint8_t longer[] = {0x80, 0x00}, longer_still[] = {0xff, 0x80, 0x00};
    static const uint8_t open[] = {0x80};
    static const uint8_t too_large[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    static const uint8_t eleven[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1};
    assert_varint_refused(longer, sizeof longer);
    assert_varint_refused(longer_still, sizeof longer_still);
    assert_varint_refused(open, sizeof open);
    assert_varint_refused(too_large, sizeof too_large);
    assert_varint_refused(eleven, sizeof eleven);
    assert_varint_refused(NULL, 0);
}

static void test_varints(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 64; shift++)
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t value = (UINT64_C(1) << shift) + (uint64_t)delta;
            buffer_t buffer = {0};
            buffer_varint(&buffer, value);
            reader_t in = reader_of(buffer.data, buffer.size);
            assert_true(reader_varint(&in) == value);
            assert_true(reader_done(&in));
            buffer_free(&buffer);
        }
}

static void test_growth(void **state)
{
    (void)state;
    buffer_t buffer = {0};
    assert_int_equal(buffer_view(&buffer).size, 0);
    for (unsigned i = 0; i < 5000; i++)
        buffer_u8(&buffer, (uint8_t)(i * 7));
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(buffer.data[i], (uint8_t)(i * 7));
    const uint8_t *memory = buffer.data;
    buffer_clear(&buffer);
    assert_int_equal(buffer.size, 0);
    assert_ptr_equal(buffer_extend(&buffer, 3), memory);
    buffer_append(&buffer, NULL, 0);
    assert_int_equal(buffer.size, 3);
    buffer_free(&buffer);
    buffer_free(&buffer);
}

/* What was cleared but not wiped must not stay behind in the block that growth frees. */
static void test_growth_wipes_what_was_cleared(void **state)
{
    (void)state;
    buffer_t buffer = {0};
    memset(buffer_extend(&buffer, 100), 's', 100);
    buffer_clear(&buffer);
    buffer_u8(&buffer, 1);
    const void *old = buffer.data;
    size_t old_capacity = buffer.capacity;
    (void)buffer_extend(&buffer, old_capacity);
    assert_true(last_wiped.at == old);
    assert_int_equal(last_wiped.size, old_capacity);
    buffer_wipe(&buffer);

    memset(buffer_extend(&buffer, 100), 's', 100);
    buffer_clear(&buffer);
    old = buffer.data;
    (void)buffer_extend(&buffer, old_capacity + 1);
    assert_true(last_wiped.at == old);
    buffer_wipe(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_failure_sticks),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_varints_refused),
        cmocka_unit_test(test_varints),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_growth_wipes_what_was_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
