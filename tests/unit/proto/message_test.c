/* SPDX-License-Identifier: MPL-2.0 */
/* Every request, reply and push with random fields: written, read back, compared; then cut and
 * bent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "proto/memory.h"
#include "proto/message_fields.h"
#include "tests/splitmix.h"

static uint64_t seed = 1;

static uint64_t next_random(void)
{
    return splitmix_next(&seed);
}

static size_t random_below(size_t bound)
{
    return (size_t)(next_random() % bound);
}

/* What random bodies point to. */
static void *owned[65536];
static size_t owned_count;

static void *own(size_t size)
{
    assert_true(owned_count < sizeof owned / sizeof owned[0]);
    return owned[owned_count++] = mem_zalloc(1, size);
}

static void free_owned(void)
{
    while (owned_count)
        free(owned[--owned_count]);
}

static size_t random_size(size_t max)
{
    switch (random_below(8)) {
    case 0:
        return 0;
    case 1:
        return max < 3000 ? max : random_below(3000);
    default:
        return random_below((max < 60 ? max : 60) + 1);
    }
}

static name_t random_name(void)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    name_t name = {0};
    size_t size = random_size(NAME_MAX_BYTES);
    for (size_t i = 0; i < size; i++)
        name.text[i] = alphabet[random_below(i ? sizeof alphabet - 1 : 26)];
    return name;
}

static text_t random_text(size_t max)
{
    static const char *const pieces[] = {
        "a", "Z", " ", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    char *data = own(max + 1);
    size_t size = 0, wanted = random_size(max);
    while (size < wanted) {
        const char *piece = pieces[random_below(6)];
        if (size + strlen(piece) > max)
            break;
        memcpy(data + size, piece, strlen(piece));
        size += strlen(piece);
    }
    return (text_t){data, size};
}

static void fill_random(void *data, size_t size)
{
    uint8_t *out = data;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)next_random();
}

static bytes_t random_bytes(size_t max)
{
    size_t size = random_size(max);
    uint8_t *data = own(size);
    fill_random(data, size);
    return (bytes_t){data, size};
}

static void fill_body(uint8_t *out, const message_shape_t *shape);

static message_list_t random_list(const message_field_t *field)
{
    const message_shape_t *record = field->record();
    size_t count = random_below((field->max < 12 ? field->max : 12) + 1);
    uint8_t *items = own(count * record->size);
    for (size_t i = 0; i < count; i++)
        fill_body(items + i * record->size, record);
    return (message_list_t){items, count};
}

static void fill_field(uint8_t *out, const message_field_t *field)
{
    uint64_t number = next_random() >> random_below(64);
    bytes_t bytes;
    text_t text;
    name_t name;
    message_list_t list;
    switch (field->kind) {
    case FIELD_U64:
        memcpy(out, &number, sizeof number);
        break;
    case FIELD_FIXED:
        fill_random(out, field->max);
        break;
    case FIELD_BYTES:
        bytes = random_bytes(field->max);
        memcpy(out, &bytes, sizeof bytes);
        break;
    case FIELD_TEXT:
        text = random_text(field->max);
        memcpy(out, &text, sizeof text);
        break;
    case FIELD_NAME:
        name = random_name();
        memcpy(out, &name, sizeof name);
        break;
    case FIELD_LIST:
        list = random_list(field);
        memcpy(out, &list, sizeof list);
        break;
    }
}

static void fill_body(uint8_t *out, const message_shape_t *shape)
{
    for (size_t i = 0; i < shape->count; i++)
        fill_field(out + shape->fields[i].offset, &shape->fields[i]);
}

static void assert_same_bodies(const uint8_t *a, const uint8_t *b, const message_shape_t *shape);

static void assert_same_fields(const uint8_t *a, const uint8_t *b, const message_field_t *field)
{
    bytes_t bytes_a, bytes_b;
    message_list_t list_a, list_b;
    switch (field->kind) {
    case FIELD_U64:
        assert_memory_equal(a, b, sizeof(uint64_t));
        break;
    case FIELD_FIXED:
        assert_memory_equal(a, b, field->max);
        break;
    case FIELD_BYTES:
    case FIELD_TEXT: /* of the same form */
        memcpy(&bytes_a, a, sizeof bytes_a);
        memcpy(&bytes_b, b, sizeof bytes_b);
        assert_int_equal(bytes_a.size, bytes_b.size);
        if (bytes_a.size)
            assert_memory_equal(bytes_a.data, bytes_b.data, bytes_a.size);
        break;
    case FIELD_NAME:
        assert_string_equal((const char *)a, (const char *)b);
        break;
    case FIELD_LIST:
        memcpy(&list_a, a, sizeof list_a);
        memcpy(&list_b, b, sizeof list_b);
        assert_int_equal(list_a.count, list_b.count);
        for (size_t i = 0; i < list_a.count; i++) {
            size_t at = i * field->record()->size;
            assert_same_bodies((const uint8_t *)list_a.items + at,
                               (const uint8_t *)list_b.items + at, field->record());
        }
        break;
    }
}

static void assert_same_bodies(const uint8_t *a, const uint8_t *b, const message_shape_t *shape)
{
    for (size_t i = 0; i < shape->count; i++)
        assert_same_fields(a + shape->fields[i].offset, b + shape->fields[i].offset,
                           &shape->fields[i]);
}

static void write_message(buffer_t *out, const message_t *message)
{
    if (message->kind == MESSAGE_REQUEST)
        message_write_request(out, message->verb, message->id, message->token, message->traceparent,
                              &message->body);
    else if (message->kind == MESSAGE_REPLY)
        message_write_reply(out, message->verb, message->id, message->status, &message->body);
    else
        message_write_push(out, message->verb, message->id, &message->body);
}

static message_t random_message(message_kind_t kind, verb_t verb)
{
    message_t message = {.kind = kind, .verb = verb, .id = next_random() >> random_below(64)};
    if (kind == MESSAGE_REQUEST) {
        uint8_t *token = own(TOKEN_BYTES);
        fill_random(token, TOKEN_BYTES);
        message.token = (bytes_t){token, random_below(2) ? TOKEN_BYTES : 0};
        message.traceparent = random_text(TRACEPARENT_MAX_BYTES);
    }
    if (kind == MESSAGE_REPLY)
        message.status = random_below(2) ? STATUS_OK : STATUS_STALE_EPOCH;
    fill_body((uint8_t *)&message.body, message_shape(kind, verb));
    return message;
}

/* Reads what was bent: any answer is right that does not crash, and whatever is accepted must
 * survive another round. */
static void read_bent(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = mem_dup(bytes, size);
    bytes_t frame = {copy, size};
    message_t message, again;
    status_t status = message_read(&message, &frame, 7);
    if (status == STATUS_OK) {
        buffer_t out = {0}, other = {0};
        write_message(&out, &message);
        bytes_t view = buffer_view(&out);
        assert_int_equal(message_read(&again, &view, 7), STATUS_OK);
        assert_int_equal(view.size, 0);
        write_message(&other, &again);
        assert_int_equal(out.size, other.size);
        assert_memory_equal(out.data, other.data, out.size);
        message_wipe(&again);
        buffer_free(&out);
        buffer_free(&other);
    } else {
        assert_int_equal(frame.size, 0);
        assert_null(message.lists);
    }
    message_wipe(&message);
    free(copy);
}

static void bend(const buffer_t *written)
{
    uint8_t *copy = mem_dup(written->data, written->size);
    for (unsigned i = 0; i < 30; i++) {
        size_t at = random_below(written->size < 80 || i % 2 ? written->size : 80);
        uint8_t before = copy[at];
        unsigned bent = i % 3 ? (unsigned)next_random() : before ^ 1u << random_below(8);
        copy[at] = (uint8_t)bent;
        read_bent(copy, written->size);
        if (i % 5)
            copy[at] = before;
    }
    free(copy);
}

static void check_message(message_kind_t kind, verb_t verb)
{
    for (unsigned round = 0; round < 40; round++) {
        message_t message = random_message(kind, verb), read;
        buffer_t out = {0};
        write_message(&out, &message);
        bytes_t frame = buffer_view(&out);
        assert_int_equal(message_read(&read, &frame, 1u << kind), STATUS_OK);
        assert_int_equal(frame.size, 0);
        assert_int_equal(read.kind, kind);
        assert_int_equal(read.verb, verb);
        assert_true(read.id == message.id);
        assert_int_equal(read.status, message.status);
        assert_same_bodies((const uint8_t *)&read.body, (const uint8_t *)&message.body,
                           message_shape(kind, verb));
        message_wipe(&read);
        for (size_t size = 0; size < out.size; size += out.size < 400 ? 1 : 1 + random_below(200)) {
            frame = (bytes_t){out.data, size};
            status_t expected = size ? STATUS_MALFORMED : STATUS_NOT_FOUND;
            assert_int_equal(message_read(&read, &frame, 7), expected);
        }
        bend(&out);
        buffer_free(&out);
        free_owned();
    }
}

static void test_every_message(void **state)
{
    (void)state;
    size_t seen = 0;
    for (uint64_t verb = 1; verb < 256; verb++)
        for (int kind = MESSAGE_REQUEST; kind <= MESSAGE_PUSH; kind++)
            if (message_shape((message_kind_t)kind, verb)) {
                check_message((message_kind_t)kind, (verb_t)verb);
                seen++;
            }
    const size_t in_table = 0
#define RECORD(record, fields)
#define PUSH(code, verb, fields)                          +1
#define REQUEST(code, verb, request_fields, reply_fields) +2
#include "proto/messages.def"
#undef RECORD
#undef PUSH
#undef REQUEST
        ;
    assert_int_equal(seen, in_table);
}

/* NULL as a body is all zero, and a refused reply with it reads back as such. */
static void test_empty_bodies(void **state)
{
    (void)state;
    static const message_t zero;
    for (uint64_t verb = 0; verb < 256; verb++) {
        const message_shape_t *shape = message_shape(MESSAGE_REPLY, verb);
        if (!shape)
            continue;
        buffer_t out = {0};
        message_t read;
        message_write_reply(&out, (verb_t)verb, 5, STATUS_NOT_MEMBER, NULL);
        bytes_t frame = buffer_view(&out);
        assert_int_equal(message_read(&read, &frame, 1 << MESSAGE_REPLY), STATUS_OK);
        assert_int_equal(read.status, STATUS_NOT_MEMBER);
        assert_same_bodies((const uint8_t *)&read.body, (const uint8_t *)&zero.body, shape);
        message_wipe(&read);
        buffer_free(&out);
    }
}

static void test_bodies_alone(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        message_t message = random_message(MESSAGE_REQUEST, VERB_commit);
        buffer_t body = {0}, around = {0}, whole = {0};
        message_write_request_body(&body, VERB_commit, &message.body);
        message_write_request_around(&around, VERB_commit, message.id, message.token,
                                     message.traceparent, buffer_view(&body));
        write_message(&whole, &message);
        assert_int_equal(around.size, whole.size);
        assert_memory_equal(around.data, whole.data, whole.size);
        commit_request_t read = {0};
        void *lists;
        const message_shape_t *shape = message_shape(MESSAGE_REQUEST, VERB_commit);
        assert_int_equal(message_shape_read(shape, buffer_view(&body), &read, &lists), STATUS_OK);
        assert_same_bodies((const uint8_t *)&read, (const uint8_t *)&message.body, shape);
        message_lists_free(lists);
        buffer_u8(&body, 0);
        assert_int_equal(message_shape_read(shape, buffer_view(&body), &read, &lists),
                         STATUS_MALFORMED);
        assert_null(lists);
        buffer_free(&body);
        buffer_free(&around);
        buffer_free(&whole);
        free_owned();
    }
}

static void test_verbs(void **state)
{
    (void)state;
    assert_string_equal(verb_name(VERB_send), "send");
    assert_string_equal(verb_name(VERB_nudge), "nudge");
    assert_null(verb_name(VERB_none));
    assert_null(verb_name(UINT64_MAX));
    assert_true(verb_is_request(VERB_hello));
    assert_false(verb_is_request(VERB_events));
    assert_false(verb_is_request(VERB_none));
    assert_null(message_shape(MESSAGE_PUSH, VERB_send));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message),
        cmocka_unit_test(test_empty_bodies),
        cmocka_unit_test(test_bodies_alone),
        cmocka_unit_test(test_verbs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
