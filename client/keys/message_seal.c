/* SPDX-License-Identifier: MPL-2.0 */
/* The sealed message: sign, pad, seal, and the way back. */
#include "client/keys/message_seal.h"

#include <sodium.h>
#include <string.h>

#include "client/keys/kdf.h"
#include "proto/memory.h"
#include "proto/statement.h"

#define PADDING_BYTES  64
#define CONTEXT_BYTES  (GROUP_ID_BYTES + MESSAGE_HEADER_MAX_BYTES)
#define AEAD_TAG_BYTES crypto_aead_chacha20poly1305_ietf_ABYTES

static const uint8_t zero_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

/* What the sender signs. */
static void write_statement(buffer_t *out, const message_place_t *place, bytes_t header,
                            uint8_t type, uint64_t number, bytes_t content)
{
    uint8_t number_bytes[8];
    put_u64(number_bytes, number);
    const bytes_t fields[] = {
        {place->group, GROUP_ID_BYTES},
        {place->transcript, HASH_BYTES},
        header,
        {&type, 1},
        {number_bytes, 8},
        content,
    };
    statement_write(out, "message", fields, sizeof fields / sizeof fields[0]);
}

static size_t write_context(uint8_t out[static CONTEXT_BYTES], const message_place_t *place,
                            bytes_t header)
{
    memcpy(out, place->group, GROUP_ID_BYTES);
    memcpy(out + GROUP_ID_BYTES, header.data, header.size);
    return GROUP_ID_BYTES + header.size;
}

status_t message_seal(const message_place_t *place, message_header_t *header,
                      const secret_t *message_key, const identity_t *sender, uint8_t type,
                      uint64_t number, bytes_t content, buffer_t *out)
{
    if (content.size > MESSAGE_CONTENT_MAX)
        return STATUS_TOO_LARGE;
    randombytes_buf(header->salt, sizeof header->salt);
    size_t start = out->size;
    message_header_write(header, out);
    size_t header_size = out->size - start;
    uint8_t context[CONTEXT_BYTES];
    bytes_t header_bytes = {out->data + start, header_size};
    size_t context_size = write_context(context, place, header_bytes);
    header_bytes.data = context + GROUP_ID_BYTES; /* out moves when it grows */

    buffer_t work = {0}; /* the statement, then the inner part */
    write_statement(&work, place, header_bytes, type, number, content);
    uint8_t signature[SIGNATURE_BYTES];
    identity_sign(sender, buffer_view(&work), signature);
    sodium_memzero(work.data, work.size);
    buffer_clear(&work);
    buffer_append(&work, signature, sizeof signature);
    buffer_u8(&work, type);
    buffer_varint(&work, number);
    buffer_varint(&work, content.size);
    buffer_append(&work, content.data, content.size);
    size_t padding = (PADDING_BYTES - work.size % PADDING_BYTES) % PADDING_BYTES;
    memset(buffer_extend(&work, padding), 0, padding);

    secret_t key;
    kdf(&key, message_key, KDF_SEAL, header_bytes.data, header_bytes.size);
    uint8_t *sealed = buffer_extend(out, work.size + AEAD_TAG_BYTES);
    crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, work.data, work.size, context,
                                              context_size, NULL, zero_nonce, key.bytes);
    secret_wipe(&key);
    buffer_wipe(&work);
    return STATUS_OK;
}

/* The inner part, once the AEAD has opened. */
static status_t read_inner(opened_message_t *out, bytes_t inner)
{
    reader_t in = reader_of(inner.data, inner.size);
    reader_copy(&in, out->signature, sizeof out->signature);
    out->type = reader_u8(&in);
    out->number = reader_varint(&in);
    uint64_t size = reader_varint(&in);
    if (!reader_ok(&in) || size > MESSAGE_CONTENT_MAX || size > in.left)
        return STATUS_BAD_SEAL;
    const uint8_t *content = reader_take(&in, (size_t)size);
    if (inner.size % PADDING_BYTES || in.left >= PADDING_BYTES || !sodium_is_zero(in.at, in.left))
        return STATUS_BAD_SEAL;
    buffer_append(&out->content, content, (size_t)size);
    return STATUS_OK;
}

status_t message_open(opened_message_t *out, const message_place_t *place,
                      const message_header_t *header, bytes_t header_bytes, bytes_t sealed,
                      const secret_t *message_key)
{
    memset(out, 0, sizeof *out);
    if (header_bytes.size > sizeof out->header || sealed.size < AEAD_TAG_BYTES ||
        sealed.size > SEALED_MAX_BYTES)
        return STATUS_BAD_SEAL;
    uint8_t context[CONTEXT_BYTES];
    size_t context_size = write_context(context, place, header_bytes);
    secret_t key;
    kdf(&key, message_key, KDF_SEAL, header_bytes.data, header_bytes.size);
    size_t inner_size = sealed.size - AEAD_TAG_BYTES;
    uint8_t *inner = mem_alloc(inner_size);
    status_t status = STATUS_BAD_SEAL;
    if (!crypto_aead_chacha20poly1305_ietf_decrypt(inner, NULL, NULL, sealed.data, sealed.size,
                                                   context, context_size, zero_nonce, key.bytes))
        status = read_inner(out, (bytes_t){inner, inner_size});
    secret_wipe(&key);
    buffer_t wiped = {inner, inner_size, inner_size};
    buffer_wipe(&wiped);
    if (status) {
        opened_message_wipe(out);
        return status;
    }
    out->place = *place;
    out->epoch = header->epoch;
    out->leaf = header->leaf;
    out->generation = header->generation;
    memcpy(out->header, header_bytes.data, header_bytes.size);
    out->header_size = header_bytes.size;
    return STATUS_OK;
}

status_t opened_message_verify(const opened_message_t *self,
                               const uint8_t identity_key[static KEY_BYTES])
{
    buffer_t statement = {0};
    write_statement(&statement, &self->place, (bytes_t){self->header, self->header_size},
                    self->type, self->number, buffer_view(&self->content));
    status_t status = signature_verify(self->signature, identity_key, buffer_view(&statement));
    buffer_wipe(&statement);
    return status;
}

void opened_message_wipe(opened_message_t *self)
{
    buffer_wipe(&self->content);
    sodium_memzero(self, sizeof *self);
}
