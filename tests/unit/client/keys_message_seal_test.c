/* SPDX-License-Identifier: MPL-2.0 */
/* Sealed messages by themselves: every size, padding, limits, and what an insider may put inside.
 */
#include "tests/unit/client/keys_world.h"

#include "client/keys/kdf.h"
#include "client/keys/message_fields.h"

static message_place_t place(void)
{
    message_place_t self = {{1}, {2}};
    return self;
}

static const secret_t message_key = {{3}};

static status_t open_bytes(bytes_t bytes, opened_message_t *out)
{
    message_header_t header;
    bytes_t header_bytes, sealed;
    message_place_t where = place();
    memset(out, 0, sizeof *out);
    status_t status = message_header_parse(&header, bytes, &header_bytes, &sealed);
    return status ? status : message_open(out, &where, &header, header_bytes, sealed, &message_key);
}

static void test_sizes(void **state)
{
    (void)state;
    person_t *sender = person_new(0);
    message_place_t where = place();
    uint8_t content[300];
    randombytes_buf(content, sizeof content);
    for (size_t size = 0; size <= sizeof content; size++) {
        buffer_t sealed = {0};
        message_header_t header = {.epoch = 1, .leaf = 2, .generation = 3};
        assert_status(message_seal(&where, &header, &message_key, sender->identity,
                                   &(message_body_t){
                                       .type = 9, .number = size + 1, .content = {content, size}},
                                   &sealed),
                      OK);
        assert_int_equal((sealed.size - 12 - 16) % 64, 0);
        assert_true(sealed.size - 12 - 16 - size < SIGNATURE_BYTES + 1 + 2 + 2 + 64);
        opened_message_t opened;
        assert_status(open_bytes(buffer_view(&sealed), &opened), OK);
        assert_int_equal(opened.type, 9);
        assert_int_equal(opened.number, size + 1);
        assert_int_equal(opened.generation, 3);
        assert_int_equal(opened.content.size, size);
        if (size)
            assert_memory_equal(opened.content.data, content, size);
        assert_status(opened_message_verify(&opened, identity_key(sender->identity)), OK);
        opened.number++;
        assert_status(opened_message_verify(&opened, identity_key(sender->identity)),
                      BAD_SIGNATURE);
        opened_message_wipe(&opened);
        buffer_free(&sealed);
    }
    person_destroy(sender);
}

static void test_limits(void **state)
{
    (void)state;
    person_t *sender = person_new(0);
    message_place_t where = place();
    uint8_t *content = mem_zalloc(MESSAGE_CONTENT_MAX + 1, 1);
    buffer_t sealed = {0};
    message_header_t header = {.epoch = UINT64_MAX, .leaf = 131071, .generation = UINT32_MAX};
    message_body_t body = {
        .type = 1, .number = UINT64_MAX, .content = {content, MESSAGE_CONTENT_MAX + 1}};
    assert_status(message_seal(&where, &header, &message_key, sender->identity, &body, &sealed),
                  TOO_LARGE);
    assert_int_equal(sealed.size, 0);
    body.content.size--;
    assert_status(message_seal(&where, &header, &message_key, sender->identity, &body, &sealed),
                  OK);
    assert_true(sealed.size <= SEALED_MAX_BYTES - FIELDS_MAX_BYTES);
    opened_message_t opened;
    assert_status(open_bytes(buffer_view(&sealed), &opened), OK);
    assert_int_equal(opened.content.size, MESSAGE_CONTENT_MAX);
    opened_message_wipe(&opened);
    buffer_free(&sealed);
    free(content);
    person_destroy(sender);
}

/* Seals an inner part as it is. */
static void seal_inner(bytes_t inner, buffer_t *out)
{
    message_header_t header = {.epoch = 1};
    message_header_write(&header, out);
    uint8_t context[64];
    message_place_t where = place();
    size_t header_size = out->size;
    memcpy(context, where.group, GROUP_ID_BYTES);
    memcpy(context + GROUP_ID_BYTES, out->data, header_size);
    secret_t key;
    kdf(&key, &message_key, KDF_SEAL, out->data, header_size);
    uint8_t nonce[12] = {0};
    crypto_aead_chacha20poly1305_ietf_encrypt(buffer_extend(out, inner.size + 16), NULL, inner.data,
                                              inner.size, context, GROUP_ID_BYTES + header_size,
                                              NULL, nonce, key.bytes);
}

static void test_malformed_inside(void **state)
{
    (void)state;
    /* after the signature: type, number, length, content, zeros */
    static const struct {
        size_t size;
        uint8_t bytes[8];
        bool good;
    } cases[] = {
        {128, {1, 1, 2, 'h', 'i'}, true},
        {127, {1, 1, 2, 'h', 'i'}, false},       /* not a multiple of 64 */
        {192, {1, 1, 2, 'h', 'i'}, false},       /* padded too far */
        {128, {1, 1, 2, 'h', 'i', 0, 1}, false}, /* not zeros */
        {128, {1, 1, 62, 'h', 'i'}, false},      /* longer than what is there */
        {128, {1, 0x81, 0, 2, 'h'}, false},      /* a number longer than needed */
        {128, {1, 1, 0xff, 0xff, 0xff, 0xff, 0x7f}, false},
        {64, {0}, false}, /* nothing after the signature */
        {0, {0}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t inner[192 + 8] = {0};
        memcpy(inner + SIGNATURE_BYTES, cases[i].bytes, sizeof cases[i].bytes);
        buffer_t sealed = {0};
        seal_inner((bytes_t){inner, cases[i].size}, &sealed);
        opened_message_t opened;
        status_t status = open_bytes(buffer_view(&sealed), &opened);
        assert_int_equal(status, cases[i].good ? STATUS_OK : STATUS_BAD_SEAL);
        opened_message_wipe(&opened);
        buffer_free(&sealed);
    }
}

static const trace_context_t trace = {.trace_id = {4, 5}, .span_id = {6}, .flags = 1};

/* Without fields not a byte more: whoever doesn't know them reads such messages as ever. */
static void test_optional_fields(void **state)
{
    (void)state;
    person_t *sender = person_new(0);
    message_place_t where = place();
    buffer_t fields = {0}, plain = {0}, traced = {0};
    message_fields_write(&trace, &fields);
    assert_int_equal(fields.size, 2 + TRACE_CONTEXT_BYTES);
    message_body_t body = {.type = 1, .number = 1, .content = {(const uint8_t *)"\0hi", 3}};
    message_header_t header = {.epoch = 1};
    assert_status(message_seal(&where, &header, &message_key, sender->identity, &body, &plain), OK);
    assert_int_equal(plain.size, 12 + 128 + 16);
    body.fields = buffer_view(&fields);
    assert_status(message_seal(&where, &header, &message_key, sender->identity, &body, &traced),
                  OK);
    assert_int_equal(traced.size, plain.size); /* the padding has room for it */

    opened_message_t opened;
    assert_status(open_bytes(buffer_view(&plain), &opened), OK);
    trace_context_t found = message_fields_trace(buffer_view(&opened.fields));
    assert_false(trace_context_exists(&found));
    opened_message_wipe(&opened);
    for (size_t at = 12; at < traced.size; at++) {
        traced.data[at] ^= 1;
        assert_status(open_bytes(buffer_view(&traced), &opened), BAD_SEAL);
        traced.data[at] ^= 1;
    }
    assert_status(open_bytes(buffer_view(&traced), &opened), OK);
    assert_status(opened_message_verify(&opened, identity_key(sender->identity)), OK);
    found = message_fields_trace(buffer_view(&opened.fields));
    assert_memory_equal(&found, &trace, sizeof trace);
    opened.fields.data[5] ^= 1; /* as a member could who seals it again under the same key */
    assert_status(opened_message_verify(&opened, identity_key(sender->identity)), BAD_SIGNATURE);
    opened.fields.size = 0;
    assert_status(opened_message_verify(&opened, identity_key(sender->identity)), BAD_SIGNATURE);
    opened_message_wipe(&opened);
    buffer_free(&fields);
    buffer_free(&plain);
    buffer_free(&traced);
    person_destroy(sender);
}

static void test_fields_inside(void **state)
{
    (void)state;
    /* after an empty content */
    static const struct {
        size_t size; /* of the inner part */
        uint8_t bytes[8];
        int expected; /* size of the fields; -1: refused */
    } cases[] = {
        {128, {0}, 0},           {128, {9, 2, 'n', 'e'}, 4},
        {128, {9, 0}, 2},        {128, {1, 1, 'x', 9, 0}, 5}, /* not a trace context, but a field */
        {128, {1, 0, 1, 0}, -1},                              /* twice */
        {128, {9, 0, 1, 0}, -1},                              /* out of order */
        {128, {9, 0, 0, 1}, -1},                              /* behind the padding's start */
        {128, {9, 59}, 61},                                   /* up to the end */
        {128, {9, 60}, -1},                                   /* beyond it */
        {128, {255, 255}, -1},   {192, {9, 0}, -1},           /* padded too far */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t inner[192] = {0};
        inner[SIGNATURE_BYTES] = inner[SIGNATURE_BYTES + 1] = 1;
        memcpy(inner + SIGNATURE_BYTES + 3, cases[i].bytes, sizeof cases[i].bytes);
        buffer_t sealed = {0};
        seal_inner((bytes_t){inner, cases[i].size}, &sealed);
        opened_message_t opened;
        status_t status = open_bytes(buffer_view(&sealed), &opened);
        assert_int_equal(status, cases[i].expected < 0 ? STATUS_BAD_SEAL : STATUS_OK);
        if (!status) {
            assert_int_equal(opened.fields.size, cases[i].expected);
            trace_context_t found = message_fields_trace(buffer_view(&opened.fields));
            assert_false(trace_context_exists(&found));
        }
        opened_message_wipe(&opened);
        buffer_free(&sealed);
    }
}

/* One byte more than all fields may have. */
static void test_too_many_fields(void **state)
{
    (void)state;
    uint8_t inner[64 * 10] = {0};
    inner[SIGNATURE_BYTES] = inner[SIGNATURE_BYTES + 1] = 1;
    uint8_t *at = inner + SIGNATURE_BYTES + 3;
    at[0] = 1, at[1] = 255, at[257] = 2;
    for (unsigned length = 253; length <= 254; length++) {
        at[258] = (uint8_t)length;
        buffer_t sealed = {0};
        seal_inner((bytes_t){inner, sizeof inner}, &sealed);
        opened_message_t opened;
        assert_int_equal(open_bytes(buffer_view(&sealed), &opened),
                         length == 253 ? STATUS_OK : STATUS_BAD_SEAL);
        opened_message_wipe(&opened);
        buffer_free(&sealed);
    }
    person_t *sender = person_new(0);
    message_place_t where = place();
    message_header_t header = {.epoch = 1};
    message_body_t body = {.type = 1, .number = 1, .fields = {inner, FIELDS_MAX_BYTES + 1}};
    buffer_t sealed = {0};
    assert_status(message_seal(&where, &header, &message_key, sender->identity, &body, &sealed),
                  TOO_LARGE);
    person_destroy(sender);
}

static void test_kept_with_fields(void **state)
{
    (void)state;
    opened_message_t opened = {.type = 1, .number = 1}, again;
    buffer_t plain = {0}, traced = {0};
    opened_message_write(&opened, &plain);
    assert_int_equal(plain.data[0], 1); /* as it was before there were fields */
    message_fields_write(&trace, &opened.fields);
    opened_message_write(&opened, &traced);
    assert_int_equal(traced.data[0], 2);
    assert_status(opened_message_read(&again, buffer_view(&traced)), OK);
    assert_int_equal(again.fields.size, opened.fields.size);
    assert_memory_equal(again.fields.data, opened.fields.data, opened.fields.size);
    opened_message_wipe(&again);
    for (size_t size = 0; size < traced.size; size++)
        assert_status(opened_message_read(&again, (bytes_t){traced.data, size}), DAMAGED_FILE);
    traced.data[0] = 1; /* with bytes left over */
    assert_status(opened_message_read(&again, buffer_view(&traced)), DAMAGED_FILE);
    plain.data[0] = 2; /* without any field */
    assert_status(opened_message_read(&again, buffer_view(&plain)), DAMAGED_FILE);
    plain.data[0] = 3;
    assert_status(opened_message_read(&again, buffer_view(&plain)), NEWER_FORMAT);
    opened_message_wipe(&opened);
    buffer_free(&plain);
    buffer_free(&traced);
}

static void test_text_content(void **state)
{
    (void)state;
    char *long_text = mem_alloc(TEXT_MAX_BYTES + 1);
    memset(long_text, 'x', TEXT_MAX_BYTES + 1);
    buffer_t content = {0};
    assert_status(text_content_write(1, (text_t){long_text, TEXT_MAX_BYTES + 1}, &content),
                  TOO_LARGE);
    assert_status(text_content_write(UINT64_MAX, (text_t){long_text, TEXT_MAX_BYTES}, &content),
                  OK);
    assert_true(content.size <= MESSAGE_CONTENT_MAX);
    uint64_t sent_ms;
    text_t text;
    assert_status(text_content_read(buffer_view(&content), &sent_ms, &text), OK);
    assert_true(sent_ms == UINT64_MAX);
    assert_int_equal(text.size, TEXT_MAX_BYTES);
    buffer_clear(&content);
    buffer_u8(&content, 0);
    memset(buffer_extend(&content, TEXT_MAX_BYTES + 1), 'x', TEXT_MAX_BYTES + 1);
    assert_status(text_content_read(buffer_view(&content), &sent_ms, &text), TOO_LARGE);
    assert_status(text_content_read((bytes_t){NULL, 0}, &sent_ms, &text), MALFORMED);
    assert_status(text_content_read((bytes_t){(const uint8_t *)"\x80", 1}, &sent_ms, &text),
                  MALFORMED);
    buffer_free(&content);
    free(long_text);
}

/* Whatever reads texts further on takes them for UTF-8 without NUL: others must not get through. */
static void test_text_is_utf8(void **state)
{
    (void)state;
    static const struct {
        text_t text;
        bool good;
    } cases[] = {
        {{"", 0}, true},          {{"gr\xc3\xbc\xc3\x9f", 6}, true},
        {{"\xff", 1}, false},     {{"a\0b", 3}, false},
        {{"\xc3", 1}, false},     {{"\xed\xa0\x80", 3}, false},
        {{"\xc0\x80", 2}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer_t content = {0};
        status_t expected = cases[i].good ? STATUS_OK : STATUS_MALFORMED;
        assert_int_equal(text_content_write(1, cases[i].text, &content), expected);
        buffer_clear(&content);
        buffer_varint(&content, 1);
        buffer_append(&content, cases[i].text.data, cases[i].text.size);
        uint64_t sent_ms;
        text_t text;
        assert_int_equal(text_content_read(buffer_view(&content), &sent_ms, &text), expected);
        assert_int_equal(text.size, cases[i].good ? cases[i].text.size : 0);
        buffer_free(&content);
    }
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_malformed_inside),
        cmocka_unit_test(test_optional_fields),
        cmocka_unit_test(test_fields_inside),
        cmocka_unit_test(test_too_many_fields),
        cmocka_unit_test(test_kept_with_fields),
        cmocka_unit_test(test_text_content),
        cmocka_unit_test(test_text_is_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
