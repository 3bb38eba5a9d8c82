/* SPDX-License-Identifier: MPL-2.0 */
/* Messages that must be refused, each with its own status, and what the answer to them can name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>
#include <msgpack/pack.h>

#include "proto/message_fields.h"

static const unsigned any = 7;

static int append(void *out, const char *bytes, size_t size)
{
    buffer_append(out, bytes, size);
    return 0;
}

static buffer_t frame;
static msgpack_packer packer;
static message_t message;

static int start(void **state)
{
    (void)state;
    buffer_free(&frame);
    msgpack_packer_init(&packer, &frame, append);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    buffer_free(&frame);
    return 0;
}

static void pack_bin(const void *data, size_t size)
{
    msgpack_pack_bin(&packer, size);
    msgpack_pack_bin_body(&packer, data, size);
}

static void pack_str(const char *text, size_t size)
{
    msgpack_pack_str(&packer, size);
    msgpack_pack_str_body(&packer, text, size);
}

/* The head of a request with so many fields to follow. */
static void start_request(uint64_t verb, size_t fields)
{
    start(NULL);
    msgpack_pack_array(&packer, 6);
    msgpack_pack_uint64(&packer, MESSAGE_REQUEST);
    msgpack_pack_uint64(&packer, verb);
    msgpack_pack_uint64(&packer, 77);
    pack_bin(NULL, 0);
    pack_str("", 0);
    msgpack_pack_array(&packer, fields);
}

static status_t read_frame(unsigned accept)
{
    bytes_t view = buffer_view(&frame);
    status_t status = message_read(&message, &view, accept);
    if (status != STATUS_OK)
        assert_int_equal(view.size, 0);
    message_lists_free(message.lists);
    message.lists = NULL;
    return status;
}

/* Refused, and the answer can name verb and id. */
static void assert_fault(uint64_t verb, status_t expected)
{
    assert_int_equal(read_frame(any), expected);
    assert_int_equal(message.verb, verb);
    assert_int_equal(message.id, 77);
}

static void assert_headless(status_t expected)
{
    assert_int_equal(read_frame(any), expected);
    assert_int_equal(message.verb, VERB_none);
    assert_int_equal(message.id, 0);
}

static const uint8_t zeros[COMMIT_MAX_BYTES + 1];

static void test_field_types(void **state)
{
    (void)state;
    start_request(VERB_send, 2);
    pack_bin(zeros, 16);
    pack_bin(zeros, SEALED_MAX_BYTES);
    assert_int_equal(read_frame(any), STATUS_OK);

    start_request(VERB_send, 2);
    pack_bin(zeros, 16);
    pack_bin(zeros, SEALED_MAX_BYTES + 1);
    assert_fault(VERB_send, STATUS_TOO_LARGE);

    start_request(VERB_send, 2);
    pack_bin(zeros, 15);
    pack_bin(zeros, 1);
    assert_fault(VERB_send, STATUS_BAD_TYPE);

    start_request(VERB_send, 2);
    pack_bin(zeros, 16);
    pack_str("x", 1);
    assert_fault(VERB_send, STATUS_BAD_TYPE);

    start_request(VERB_send, 2);
    pack_bin(zeros, 16);
    msgpack_pack_nil(&packer);
    assert_fault(VERB_send, STATUS_BAD_TYPE);

    start_request(VERB_send, 2);
    pack_bin(zeros, 16);
    msgpack_pack_array(&packer, 0);
    assert_fault(VERB_send, STATUS_BAD_TYPE);
}

static void test_numbers(void **state)
{
    (void)state;
    start_request(VERB_hello, 3);
    msgpack_pack_int64(&packer, -1);
    msgpack_pack_uint64(&packer, 1);
    pack_str("", 0);
    assert_fault(VERB_hello, STATUS_BAD_TYPE);

    start_request(VERB_hello, 3);
    msgpack_pack_double(&packer, 1.0);
    msgpack_pack_uint64(&packer, 1);
    pack_str("", 0);
    assert_fault(VERB_hello, STATUS_BAD_TYPE);

    start_request(VERB_hello, 3);
    msgpack_pack_true(&packer);
    msgpack_pack_uint64(&packer, 1);
    pack_str("", 0);
    assert_fault(VERB_hello, STATUS_BAD_TYPE);

    /* A longer form of a number is another way to write it. */
    start_request(VERB_hello, 3);
    buffer_append(&frame, "\xcf\0\0\0\0\0\0\0\x05\xd0\x06", 11);
    pack_str("", 0);
    assert_int_equal(read_frame(any), STATUS_OK);
    assert_int_equal(message.body.hello_request.version_min, 5);
    assert_int_equal(message.body.hello_request.version_max, 6);
}

static void test_field_counts(void **state)
{
    (void)state;
    start_request(VERB_send, 1);
    pack_bin(zeros, 16);
    assert_fault(VERB_send, STATUS_MALFORMED);
    start_request(VERB_send, 3);
    pack_bin(zeros, 16);
    pack_bin(zeros, 1);
    msgpack_pack_uint64(&packer, 1);
    assert_fault(VERB_send, STATUS_MALFORMED);
    start_request(VERB_logout, 1);
    msgpack_pack_uint64(&packer, 1);
    assert_fault(VERB_logout, STATUS_MALFORMED);
    start_request(VERB_logout, 0);
    frame.data[frame.size - 1] = 0x00; /* a number in place of the fields */
    assert_fault(VERB_logout, STATUS_BAD_TYPE);
}

static void assert_name(const char *text, size_t size, status_t expected)
{
    start_request(VERB_lookup, 1);
    pack_str(text, size);
    if (expected == STATUS_OK)
        assert_int_equal(read_frame(any), STATUS_OK);
    else
        assert_fault(VERB_lookup, expected);
}

static void test_names(void **state)
{
    (void)state;
    assert_name("", 0, STATUS_OK);
    assert_name("abcdefghijklmnopqrstuvwxyz012345", 32, STATUS_OK);
    assert_name("abcdefghijklmnopqrstuvwxyz0123456", 33, STATUS_BAD_NAME);
    assert_name("Alice", 5, STATUS_BAD_NAME);
    assert_name("a\0b", 3, STATUS_BAD_NAME);
    assert_name("9a", 2, STATUS_BAD_NAME);
    start_request(VERB_lookup, 1);
    pack_bin("alice", 5);
    assert_fault(VERB_lookup, STATUS_BAD_TYPE);
}

static void assert_software(const char *text, size_t size, status_t expected)
{
    start_request(VERB_hello, 3);
    msgpack_pack_uint64(&packer, 1);
    msgpack_pack_uint64(&packer, 1);
    pack_str(text, size);
    if (expected == STATUS_OK)
        assert_int_equal(read_frame(any), STATUS_OK);
    else
        assert_fault(VERB_hello, expected);
}

static void test_texts(void **state)
{
    (void)state;
    char text[SOFTWARE_MAX_BYTES + 1];
    memset(text, 'x', sizeof text);
    assert_software(text, SOFTWARE_MAX_BYTES, STATUS_OK);
    assert_software(text, SOFTWARE_MAX_BYTES + 1, STATUS_TOO_LARGE);
    assert_software("a\0b", 3, STATUS_MALFORMED);
    assert_software("\xc3", 1, STATUS_MALFORMED);
    assert_software("\xed\xa0\x80", 3, STATUS_MALFORMED);
}

static void pack_cursors(size_t count)
{
    start_request(VERB_poll_keys, 1);
    msgpack_pack_array(&packer, count);
    for (size_t i = 0; i < count; i++) {
        msgpack_pack_array(&packer, 2);
        pack_bin(zeros, 16);
        msgpack_pack_uint64(&packer, i);
    }
}

static void test_lists(void **state)
{
    (void)state;
    pack_cursors(POLL_CURSORS_MAX);
    assert_int_equal(read_frame(any), STATUS_OK);
    pack_cursors(POLL_CURSORS_MAX + 1);
    assert_fault(VERB_poll_keys, STATUS_TOO_LARGE);
    start_request(VERB_poll_keys, 1);
    msgpack_pack_array(&packer, 1);
    msgpack_pack_array(&packer, 1);
    pack_bin(zeros, 16);
    assert_fault(VERB_poll_keys, STATUS_MALFORMED);
    start_request(VERB_poll_keys, 1);
    msgpack_pack_array(&packer, 1);
    msgpack_pack_uint64(&packer, 1);
    assert_fault(VERB_poll_keys, STATUS_BAD_TYPE);
    start_request(VERB_poll_keys, 1);
    pack_bin(zeros, 3);
    assert_fault(VERB_poll_keys, STATUS_BAD_TYPE);
    /* A fault in the second element frees the first. */
    start_request(VERB_poll_keys, 1);
    msgpack_pack_array(&packer, 2);
    for (size_t i = 0; i < 2; i++) {
        msgpack_pack_array(&packer, 2);
        pack_bin(zeros, 16 - i);
        msgpack_pack_uint64(&packer, i);
    }
    assert_fault(VERB_poll_keys, STATUS_BAD_TYPE);
}

static void test_hostile_counts(void **state)
{
    (void)state;
    start_request(VERB_poll_keys, 1);
    buffer_append(&frame, "\xdd\x05\xf5\xe1\x00", 5);
    assert_fault(VERB_poll_keys, STATUS_MALFORMED);
    start_request(VERB_send, 2);
    pack_bin(zeros, 16);
    buffer_append(&frame, "\xc6\xff\xff\xff\xff\0", 6);
    assert_fault(VERB_send, STATUS_MALFORMED);
    start(NULL);
    buffer_append(&frame, "\xdd\x05\xf5\xe1\x00", 5);
    assert_headless(STATUS_MALFORMED);
}

static void pack_head(uint64_t kind, uint64_t verb, uint64_t id, size_t count)
{
    start(NULL);
    msgpack_pack_array(&packer, count);
    msgpack_pack_uint64(&packer, kind);
    msgpack_pack_uint64(&packer, verb);
    msgpack_pack_uint64(&packer, id);
}

static void test_heads(void **state)
{
    (void)state;
    start(NULL);
    msgpack_pack_uint64(&packer, 1);
    assert_headless(STATUS_MALFORMED);
    start(NULL);
    msgpack_pack_array(&packer, 0);
    assert_headless(STATUS_MALFORMED);
    start(NULL);
    pack_str("hello", 5);
    assert_headless(STATUS_MALFORMED);
    pack_head(3, VERB_send, 77, 4);
    msgpack_pack_array(&packer, 0);
    assert_headless(STATUS_MALFORMED);
    pack_head(MESSAGE_REQUEST, 65536, 77, 6);
    pack_bin(NULL, 0);
    pack_str("", 0);
    msgpack_pack_array(&packer, 0);
    assert_headless(STATUS_MALFORMED);
    pack_head(MESSAGE_REQUEST, VERB_logout, 77, 5);
    pack_bin(NULL, 0);
    msgpack_pack_array(&packer, 0);
    assert_fault(VERB_logout, STATUS_MALFORMED);
}

static void test_unknown_verbs(void **state)
{
    (void)state;
    static const uint64_t unknown[] = {0, 15, 36, VERB_events, 65535};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        start_request(unknown[i], 0);
        assert_fault(unknown[i], STATUS_UNKNOWN_VERB);
    }
}

static void test_tokens_and_traces(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 31, 32, 33};
    static const status_t expected[] = {STATUS_OK, STATUS_BAD_TYPE, STATUS_OK, STATUS_TOO_LARGE};
    for (size_t i = 0; i < 4; i++) {
        pack_head(MESSAGE_REQUEST, VERB_logout, 77, 6);
        pack_bin(zeros, sizes[i]);
        pack_str("", 0);
        msgpack_pack_array(&packer, 0);
        assert_int_equal(read_frame(any), expected[i]);
        assert_int_equal(message.id, 77);
    }
    char trace[TRACEPARENT_MAX_BYTES + 1];
    memset(trace, '0', sizeof trace);
    pack_head(MESSAGE_REQUEST, VERB_logout, 77, 6);
    pack_bin(NULL, 0);
    pack_str(trace, sizeof trace);
    msgpack_pack_array(&packer, 0);
    assert_fault(VERB_logout, STATUS_TOO_LARGE);
}

static void test_accepted_kinds(void **state)
{
    (void)state;
    start(NULL);
    message_write_reply(&frame, VERB_logout, 77, STATUS_OK, NULL);
    assert_int_equal(read_frame(1 << MESSAGE_REPLY), STATUS_OK);
    assert_int_equal(read_frame(1 << MESSAGE_REQUEST | 1 << MESSAGE_PUSH), STATUS_MALFORMED);
    start_request(VERB_logout, 0);
    assert_int_equal(read_frame(1 << MESSAGE_REQUEST), STATUS_OK);
    assert_int_equal(read_frame(1 << MESSAGE_REPLY | 1 << MESSAGE_PUSH), STATUS_MALFORMED);
}

/* A broker that doesn't know a verb answers with no fields: good for a refusal, not for success. */
static void test_bare_refusals(void **state)
{
    (void)state;
    for (int status = STATUS_OK; status <= STATUS_UNKNOWN_VERB; status++) {
        pack_head(MESSAGE_REPLY, VERB_send, 77, 5);
        msgpack_pack_int(&packer, status);
        msgpack_pack_array(&packer, 0);
        assert_int_equal(read_frame(any), status == STATUS_OK ? STATUS_MALFORMED : STATUS_OK);
        assert_int_equal(message.id, 77);
    }
    pack_head(MESSAGE_REPLY, VERB_send, 77, 5);
    msgpack_pack_int(&packer, 99); /* of a later version */
    msgpack_pack_array(&packer, 0);
    assert_int_equal(read_frame(any), STATUS_OK);
    assert_int_equal(message.status, STATUS_MALFORMED);
}

static void test_several_in_a_frame(void **state)
{
    (void)state;
    start(NULL);
    for (uint64_t id = 0; id < 5; id++)
        message_write_reply(&frame, VERB_logout, id, STATUS_OK, NULL);
    buffer_u8(&frame, 0xc1);
    message_write_reply(&frame, VERB_logout, 6, STATUS_OK, NULL);
    bytes_t view = buffer_view(&frame);
    for (uint64_t id = 0; id < 5; id++) {
        assert_int_equal(message_read(&message, &view, any), STATUS_OK);
        assert_true(message.id == id);
        message_wipe(&message);
    }
    assert_int_equal(message_read(&message, &view, any), STATUS_MALFORMED);
    assert_int_equal(message_read(&message, &view, any), STATUS_NOT_FOUND);
}

static void test_large_frames(void **state)
{
    (void)state;
    start(NULL);
    while (frame.size <= FRAME_MAX_BYTES)
        message_write_reply(&frame, VERB_logout, 1, STATUS_OK, NULL);
    assert_headless(STATUS_TOO_LARGE);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(test_field_types),
        CASE(test_numbers),
        CASE(test_field_counts),
        CASE(test_names),
        CASE(test_texts),
        CASE(test_lists),
        CASE(test_hostile_counts),
        CASE(test_heads),
        CASE(test_unknown_verbs),
        CASE(test_tokens_and_traces),
        CASE(test_accepted_kinds),
        CASE(test_bare_refusals),
        CASE(test_several_in_a_frame),
        CASE(test_large_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
