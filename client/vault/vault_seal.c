/* SPDX-License-Identifier: MPL-2.0 */
#include "client/vault/vault_seal.h"

#include <sodium.h>

enum {
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
};
_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == KEY_BYTES, "key size");

static buffer_t associated_data(uint32_t format, bytes_t key)
{
    buffer_t data = {0};
    buffer_u32(&data, format);
    if (key.size > 0)
        buffer_append(&data, key.data, key.size);
    return data;
}

void vault_seal_write(buffer_t *out, const uint8_t seal_key[static KEY_BYTES], uint32_t format,
                      bytes_t key, bytes_t value)
{
    buffer_t data = associated_data(format, key);
    uint8_t *nonce = buffer_extend(out, NONCE_BYTES + value.size + TAG_BYTES);
    randombytes_buf(nonce, NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, NULL, value.data, value.size,
                                               data.data, data.size, NULL, nonce, seal_key);
    buffer_free(&data);
}

status_t vault_seal_read(buffer_t *out, const uint8_t seal_key[static KEY_BYTES], uint32_t format,
                         bytes_t key, bytes_t sealed)
{
    if (sealed.size < NONCE_BYTES + TAG_BYTES)
        return STATUS_DAMAGED_FILE;
    buffer_t data = associated_data(format, key);
    size_t value_size = sealed.size - NONCE_BYTES - TAG_BYTES;
    size_t before = out->size;
    uint8_t *value = buffer_extend(out, value_size);
    int rc = crypto_aead_xchacha20poly1305_ietf_decrypt(
        value, NULL, NULL, sealed.data + NONCE_BYTES, value_size + TAG_BYTES, data.data, data.size,
        sealed.data, seal_key);
    buffer_free(&data);
    if (rc == 0)
        return STATUS_OK;
    out->size = before;
    return STATUS_DAMAGED_FILE;
}
