/* SPDX-License-Identifier: MPL-2.0 */
/* Messages whose seal opens, with an inner part of an attacker's choice: what comes out is within
 * its limits, and is kept and read again without change. */
#include <string.h>

#include "client/keys/kdf.h"
#include "client/keys/message_fields.h"
#include "client/keys/message_seal.h"
#include "proto/utf8.h"
#include "tests/fuzz/fixed_random.h"

static void check_kept(bytes_t bytes)
{
    opened_message_t kept;
    if (opened_message_read(&kept, bytes) != STATUS_OK)
        return;
    FUZZ_MUST(kept.content.size <= MESSAGE_CONTENT_MAX && kept.fields.size <= FIELDS_MAX_BYTES);
    FUZZ_MUST(kept.header_size <= MESSAGE_HEADER_MAX_BYTES);
    buffer_t out = {0};
    opened_message_write(&kept, &out);
    FUZZ_MUST(out.size == bytes.size && !memcmp(out.data, bytes.data, bytes.size));
    buffer_free(&out);
    opened_message_wipe(&kept);
}

static void check_opened(const opened_message_t *opened)
{
    static const uint8_t key[KEY_BYTES] = {1};
    uint64_t sent_ms;
    text_t text;
    FUZZ_MUST(opened->content.size <= MESSAGE_CONTENT_MAX);
    FUZZ_MUST(opened->fields.size <= FIELDS_MAX_BYTES);
    trace_context_t trace = message_fields_trace(buffer_view(&opened->fields));
    FUZZ_MUST(!trace_context_exists(&trace) || opened->fields.size >= 2 + TRACE_CONTEXT_BYTES);
    FUZZ_MUST(opened_message_verify(opened, key) == STATUS_BAD_SIGNATURE);
    if (text_content_read(buffer_view(&opened->content), &sent_ms, &text) == STATUS_OK) {
        FUZZ_MUST(text.size <= TEXT_MAX_BYTES && utf8_valid(text.data, text.size));
        FUZZ_MUST(!text.size || !memchr(text.data, 0, text.size));
    }
    buffer_t kept = {0};
    opened_message_write(opened, &kept);
    opened_message_t again;
    FUZZ_MUST(opened_message_read(&again, buffer_view(&kept)) == STATUS_OK);
    opened_message_wipe(&again);
    check_kept(buffer_view(&kept));
    buffer_free(&kept);
}

/* Seals the bytes as the inner part, or, with_padding, those and zeros up to a whole block. */
static void check(bytes_t inner, bool with_padding)
{
    message_place_t place = {.group = {1}, .transcript = {2}};
    message_header_t header = {.epoch = 3, .leaf = 1, .generation = 4};
    secret_t message_key = {{5}}, key;
    buffer_t bytes = {0}, plain = {0}, context = {0};
    message_header_write(&header, &bytes);
    buffer_append(&plain, inner.data, inner.size);
    while (with_padding && plain.size % 64)
        buffer_u8(&plain, 0);
    buffer_append(&context, place.group, GROUP_ID_BYTES);
    buffer_append(&context, bytes.data, bytes.size);
    size_t head = bytes.size;
    kdf(&key, &message_key, KDF_SEAL, bytes.data, head);
    static const uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    uint8_t *out = buffer_extend(&bytes, plain.size + crypto_aead_chacha20poly1305_ietf_ABYTES);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.size, context.data,
                                              context.size, NULL, nonce, key.bytes);
    opened_message_t opened;
    bytes_t header_bytes, sealed;
    FUZZ_MUST(message_header_parse(&header, buffer_view(&bytes), &header_bytes, &sealed) ==
              STATUS_OK);
    if (message_open(&opened, &place, &header, header_bytes, sealed, &message_key) == STATUS_OK)
        check_opened(&opened);
    else
        FUZZ_MUST(!opened.content.data && !opened.fields.data && !opened.header_size);
    opened_message_wipe(&opened);
    buffer_free(&bytes);
    buffer_free(&plain);
    buffer_free(&context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fixed_random_start(1);
    bytes_t bytes = {data, size};
    check_kept(bytes);
    check(bytes, false);
    check(bytes, true);
    return 0;
}
