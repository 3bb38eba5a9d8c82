/* SPDX-License-Identifier: MPL-2.0 */
/* Sealed messages by themselves: every size, padding, limits, and what an insider may put inside.
 */
#include "tests/unit/client/keys_world.h"

#include "client/keys/kdf.h"

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
        assert_status(message_seal(&where, &header, &message_key, sender->identity, 9, size + 1,
                                   (bytes_t){content, size}, &sealed),
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
    assert_status(message_seal(&where, &header, &message_key, sender->identity, 1, UINT64_MAX,
                               (bytes_t){content, MESSAGE_CONTENT_MAX + 1}, &sealed),
                  TOO_LARGE);
    assert_int_equal(sealed.size, 0);
    assert_status(message_seal(&where, &header, &message_key, sender->identity, 1, UINT64_MAX,
                               (bytes_t){content, MESSAGE_CONTENT_MAX}, &sealed),
                  OK);
    assert_true(sealed.size <= SEALED_MAX_BYTES);
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
        {127, {1, 1, 2, 'h', 'i'}, false},    /* not a multiple of 64 */
        {192, {1, 1, 2, 'h', 'i'}, false},    /* padded too far */
        {128, {1, 1, 2, 'h', 'i', 1}, false}, /* not zeros */
        {128, {1, 1, 62, 'h', 'i'}, false},   /* longer than what is there */
        {128, {1, 0x81, 0, 2, 'h'}, false},   /* a number longer than needed */
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
        cmocka_unit_test(test_text_content),
        cmocka_unit_test(test_text_is_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
