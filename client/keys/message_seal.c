/* SPDX-License-Identifier: MPL-2.0 */
/* The sealed message: sign, pad, seal, and the way back. */
#include "client/keys/message_seal.h"

#include <sodium.h>
#include <string.h>

#include "client/keys/kdf.h"
#include "client/keys/message_fields.h"
#include "proto/memory.h"
#include "proto/statement.h"

#define PADDING_BYTES  64
#define CONTEXT_BYTES  (GROUP_ID_BYTES + MESSAGE_HEADER_MAX_BYTES)
#define AEAD_TAG_BYTES crypto_aead_chacha20poly1305_ietf_ABYTES

static const uint8_t zero_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

/* What the sender signs. */
static void write_statement(buffer_t *out, const message_place_t *place, bytes_t header,
                            const message_body_t *body)
{
    uint8_t number_bytes[8];
    put_u64(number_bytes, body->number);
    const bytes_t parts[] = {
        {place->group, GROUP_ID_BYTES},
        {place->transcript, HASH_BYTES},
        header,
        {&body->type, 1},
        {number_bytes, 8},
        body->content,
        body->fields, /* left away if there are none: as before there were any */
    };
    size_t count = sizeof parts / sizeof parts[0];
    statement_write(out, "message", parts, body->fields.size ? count : count - 1);
}

static size_t write_context(uint8_t out[static CONTEXT_BYTES], const message_place_t *place,
                            bytes_t header)
{
    memcpy(out, place->group, GROUP_ID_BYTES);
    memcpy(out + GROUP_ID_BYTES, header.data, header.size);
    return GROUP_ID_BYTES + header.size;
}

static void write_inner(buffer_t *out, const uint8_t signature[static SIGNATURE_BYTES],
                        const message_body_t *body)
{
    buffer_append(out, signature, SIGNATURE_BYTES);
    buffer_u8(out, body->type);
    buffer_varint(out, body->number);
    buffer_varint(out, body->content.size);
    buffer_append(out, body->content.data, body->content.size);
    buffer_append(out, body->fields.data, body->fields.size);
}

status_t message_seal(const message_place_t *place, message_header_t *header,
                      const secret_t *message_key, const identity_t *sender,
                      const message_body_t *body, buffer_t *out)
{
    if (body->content.size > MESSAGE_CONTENT_MAX || body->fields.size > FIELDS_MAX_BYTES)
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
    write_statement(&work, place, header_bytes, body);
    uint8_t signature[SIGNATURE_BYTES];
    identity_sign(sender, buffer_view(&work), signature);
    sodium_memzero(work.data, work.size);
    buffer_clear(&work);
    write_inner(&work, signature, body);
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
    bytes_t fields = message_fields_take(&in);
    if (!reader_ok(&in) || inner.size % PADDING_BYTES || in.left >= PADDING_BYTES ||
        !sodium_is_zero(in.at, in.left))
        return STATUS_BAD_SEAL;
    buffer_append(&out->content, content, (size_t)size);
    buffer_append(&out->fields, fields.data, fields.size);
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
    message_body_t body = {.type = self->type,
                           .number = self->number,
                           .content = buffer_view(&self->content),
                           .fields = buffer_view(&self->fields)};
    write_statement(&statement, &self->place, (bytes_t){self->header, self->header_size}, &body);
    status_t status = signature_verify(self->signature, identity_key, buffer_view(&statement));
    buffer_wipe(&statement);
    return status;
}

void opened_message_wipe(opened_message_t *self)
{
    buffer_wipe(&self->content);
    buffer_wipe(&self->fields);
    sodium_memzero(self, sizeof *self);
}
