/* SPDX-License-Identifier: MPL-2.0 */
/* The clear header of sealed messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "proto/sealed_message.h"

static message_header_t header;
static bytes_t head, sealed;

static status_t parse(const uint8_t *bytes, size_t size)
{
    return message_header_parse(&header, (bytes_t){bytes, size}, &head, &sealed);
}

static void assert_refused(const uint8_t *bytes, size_t size)
{
    assert_int_equal(parse(bytes, size), STATUS_BAD_HEADER);
    assert_true(header.epoch == 0 && header.leaf == 0 && header.generation == 0);
    assert_null(head.data);
    assert_null(sealed.data);
}

static void test_round_trip(void **state)
{
    (void)state;
    const message_header_t in = {
        .epoch = 1000000, .leaf = 300, .generation = 5, .salt = {1, 2, 3, 4, 5, 6, 7, 8}};
    buffer_t out = {0};
    message_header_write(&in, &out);
    size_t size = out.size;
    memset(buffer_extend(&out, 16), 0xee, 16);
    assert_int_equal(parse(out.data, out.size), STATUS_OK);
    assert_true(header.epoch == in.epoch && header.leaf == in.leaf &&
                header.generation == in.generation);
    assert_memory_equal(header.salt, in.salt, sizeof in.salt);
    assert_ptr_equal(head.data, out.data);
    assert_int_equal(head.size, size);
    assert_ptr_equal(sealed.data, out.data + size);
    assert_int_equal(sealed.size, 16);
    for (size_t i = 0; i < out.size; i++)
        assert_refused(out.data, i);
    buffer_free(&out);
}

static void test_longest_fits(void **state)
{
    (void)state;
    const message_header_t in = {.epoch = UINT64_MAX, .leaf = UINT32_MAX, .generation = UINT32_MAX};
    buffer_t out = {0};
    message_header_write(&in, &out);
    assert_int_equal(out.size, MESSAGE_HEADER_MAX_BYTES);
    buffer_free(&out);
}

static void test_refused(void **state)
{
    (void)state;
    uint8_t bytes[64] = {1, 1, 1, 1};
    assert_int_equal(parse(bytes, sizeof bytes), STATUS_OK);
    bytes[0] = 2;
    assert_refused(bytes, sizeof bytes);
    static const uint8_t leaf_outside[64] = {1, 1, 0x80, 0x80, 0x08, 1};
    assert_refused(leaf_outside, 64);
    static const uint8_t last_leaf[64] = {1, 1, 0xff, 0xff, 0x07, 1};
    assert_int_equal(parse(last_leaf, 64), STATUS_OK);
    assert_int_equal(header.leaf, TREE_LEAVES_MAX - 1);
    static const uint8_t generation_too_large[64] = {1, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x10};
    assert_refused(generation_too_large, 64);
    static const uint8_t longer_epoch[64] = {1, 0x81, 0x00, 1, 1};
    assert_refused(longer_epoch, 64);
    static const uint8_t leaf_of_64_bits[64] = {1, 1, 0x80, 0x80, 0x80, 0x80, 0x10, 1};
    assert_refused(leaf_of_64_bits, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_longest_fits),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
