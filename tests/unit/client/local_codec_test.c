/* SPDX-License-Identifier: MPL-2.0 */
/* The local protocol's messages: there and back for each verb, exact bytes of one, hostile bytes.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/local/local.h"

enum { ANY_KIND = 7 };

static void every_verb_has_a_body_that_comes_back(void **state)
{
    (void)state;
    size_t verbs = 0;
    for (uint64_t verb = 1; verb < 200; verb++) {
        for (int kind = MESSAGE_REQUEST; kind <= MESSAGE_PUSH; kind++) {
            if (local_body_size((message_kind_t)kind, (local_verb_t)verb) == 0)
                continue;
            verbs++;
            assert_non_null(local_verb_name(verb));
            buffer_t frame = {0};
            if (kind == MESSAGE_REQUEST)
                local_write_request(&frame, (local_verb_t)verb, 1000, NULL, NULL);
            else if (kind == MESSAGE_REPLY)
                local_write_reply(&frame, (local_verb_t)verb, 1000, STATUS_HOME_IN_USE, NULL);
            else
                local_write_push(&frame, (local_verb_t)verb, 1000, NULL);
            local_message_t message;
            assert_int_equal(local_message_read(&message, buffer_view(&frame), ANY_KIND),
                             STATUS_OK);
            assert_int_equal(message.kind, kind);
            assert_int_equal(message.verb, verb);
            assert_int_equal(message.id, 1000);
            assert_int_equal(message.status, kind == MESSAGE_REPLY ? STATUS_HOME_IN_USE : 0);
            local_message_wipe(&message);
            assert_int_equal(
                local_message_read(&message, buffer_view(&frame), ANY_KIND & ~(1 << kind)),
                STATUS_MALFORMED);
            buffer_free(&frame);
        }
    }
    assert_int_equal(verbs, 2 * 16 + 4);
    assert_string_equal(local_verb_name(LOCAL_VERB_send), "send");
    assert_null(local_verb_name(0));
}

static void a_request_has_these_bytes(void **state)
{
    (void)state;
    local_send_request_t body = {.text = {"hi", 2}};
    assert_int_equal(name_parse(&body.name, "g1"), STATUS_OK);
    buffer_t frame = {0};
    local_write_request(&frame, LOCAL_VERB_send, 300, NULL, &body);
    static const uint8_t expected[] = {0x94, 0x00, 0x05, 0xce, 0,    0,   1,  0x2c,
                                       0x92, 0xa2, 'g',  '1',  0xa2, 'h', 'i'};
    assert_int_equal(frame.size, sizeof expected);
    assert_memory_equal(frame.data, expected, sizeof expected);
    buffer_free(&frame);
}

static void a_traced_request_has_one_element_more(void **state)
{
    (void)state;
    const trace_context_t trace = {.trace_id = {1}, .span_id = {2}, .flags = 1};
    static const uint8_t head[] = {0x95, 0x00, 0x0a, 0x07, 0xd9, 55, '0', '0', '-', '0', '1'};
    buffer_t frame = {0};
    local_write_request(&frame, LOCAL_VERB_groups, 7, &trace, NULL);
    assert_int_equal(frame.size, 6 + TRACE_CONTEXT_CHARS + 1);
    assert_memory_equal(frame.data, head, sizeof head);
    local_message_t message;
    assert_int_equal(local_message_read(&message, buffer_view(&frame), ANY_KIND), STATUS_OK);
    assert_memory_equal(&message.trace, &trace, sizeof trace);
    local_message_wipe(&message);
    for (size_t size = 0; size < frame.size; size++)
        assert_int_not_equal(local_message_read(&message, (bytes_t){frame.data, size}, ANY_KIND),
                             STATUS_OK);
    frame.data[8] = '+'; /* no traceparent any more */
    assert_int_equal(local_message_read(&message, buffer_view(&frame), ANY_KIND), STATUS_MALFORMED);
    frame.data[8] = '-';
    frame.data[4] = 0xc4; /* bin */
    assert_int_equal(local_message_read(&message, buffer_view(&frame), ANY_KIND), STATUS_MALFORMED);
    buffer_clear(&frame);
    local_write_reply(&frame, LOCAL_VERB_groups, 7, STATUS_OK, NULL);
    frame.data[0]++; /* only requests have it */
    assert_int_equal(local_message_read(&message, buffer_view(&frame), ANY_KIND), STATUS_MALFORMED);
    buffer_free(&frame);
}

/* A push of lines: lists of records with every kind of field. */
static buffer_t some_lines(void)
{
    static const char words[] = "words that nobody else may read";
    local_line_record_t lines[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        lines[i].kind = LINE_MESSAGE;
        lines[i].sequence = i + 1;
        lines[i].time_ms = UINT64_MAX;
        memset(lines[i].group, (int)i, sizeof lines[i].group);
        lines[i].text = (text_t){words, sizeof words - 1};
        assert_int_equal(name_parse(&lines[i].sender, "bob"), STATUS_OK);
    }
    local_line_push_t body = {.late = 1, .lines = {lines, 3}};
    buffer_t frame = {0};
    local_write_push(&frame, LOCAL_VERB_line, 9, &body);
    return frame;
}

static void lists_of_records_come_back(void **state)
{
    (void)state;
    buffer_t frame = some_lines();
    local_message_t message;
    assert_int_equal(local_message_read(&message, buffer_view(&frame), 1u << MESSAGE_PUSH),
                     STATUS_OK);
    const local_line_push_t *push = &message.body.line_push;
    assert_int_equal(push->late, 1);
    assert_int_equal(push->lines.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(push->lines.items[i].sequence, i + 1);
        assert_true(push->lines.items[i].time_ms == UINT64_MAX);
        assert_int_equal(push->lines.items[i].group[15], i);
        assert_string_equal(push->lines.items[i].sender.text, "bob");
        assert_int_equal(push->lines.items[i].text.size, 31);
    }
    local_message_wipe(&message);
    buffer_free(&frame);
}

static void every_cut_and_any_change_is_a_status(void **state)
{
    (void)state;
    buffer_t frame = some_lines();
    local_message_t message;
    for (size_t size = 0; size < frame.size; size++) {
        uint8_t *cut = malloc(size + 1); /* so that a sanitizer sees a read beyond */
        memcpy(cut, frame.data, size);
        uint8_t *exact = realloc(cut, size ? size : 1);
        assert_int_not_equal(local_message_read(&message, (bytes_t){exact, size}, ANY_KIND),
                             STATUS_OK);
        local_message_wipe(&message);
        free(exact);
    }
    for (int turn = 0; turn < 20000; turn++) {
        size_t at = randombytes_uniform((uint32_t)frame.size);
        uint8_t before = frame.data[at];
        frame.data[at] = (uint8_t)randombytes_random();
        if (local_message_read(&message, buffer_view(&frame), ANY_KIND) == STATUS_OK)
            assert_true(message.kind == MESSAGE_PUSH);
        local_message_wipe(&message);
        frame.data[at] = before;
    }
    buffer_u8(&frame, 0xc0); /* something after the end */
    assert_int_not_equal(local_message_read(&message, buffer_view(&frame), ANY_KIND), STATUS_OK);
    buffer_free(&frame);
}

static void strange_heads_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[8];
        size_t size;
        status_t status;
    } cases[] = {
        {{0x94, 0, 10, 1, 0x90}, 5, STATUS_OK},
        {{0x94, 0, 99, 1, 0x90}, 5, STATUS_UNKNOWN_VERB},
        {{0x94, 2, 10, 1, 0x90}, 5, STATUS_UNKNOWN_VERB}, /* a request's verb as a push */
        {{0x95, 0, 10, 1, 0, 0x90}, 6, STATUS_MALFORMED},
        {{0x94, 3, 10, 1, 0x90}, 5, STATUS_MALFORMED},
        {{0x94, 0xff, 10, 1, 0x90}, 5, STATUS_MALFORMED},
        {{0x94, 0, 0xcd, 0xff, 0xff, 1, 0x90}, 7, STATUS_UNKNOWN_VERB},
        {{0x94, 0, 0xa1, 'x', 1, 0x90}, 6, STATUS_MALFORMED},
        {{0x94, 0, 10, 1, 0x91, 0}, 6, STATUS_MALFORMED}, /* a field too many */
        {{0x94, 0, 10, 1, 0x80}, 5, STATUS_BAD_TYPE},     /* a map */
        {{0x95, 1, 10, 1, 0xcc, 250, 0x90}, 7, STATUS_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        local_message_t message;
        bytes_t bytes = {cases[i].bytes, cases[i].size};
        assert_int_equal(local_message_read(&message, bytes, ANY_KIND), cases[i].status);
        local_message_wipe(&message);
    }
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_has_a_body_that_comes_back),
        cmocka_unit_test(a_request_has_these_bytes),
        cmocka_unit_test(a_traced_request_has_one_element_more),
        cmocka_unit_test(lists_of_records_come_back),
        cmocka_unit_test(every_cut_and_any_change_is_a_status),
        cmocka_unit_test(strange_heads_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
