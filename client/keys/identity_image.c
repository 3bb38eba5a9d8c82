/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An identity's file image: a clear part (magic, format, Argon2id parameters, salt, public key,
 * name, nonce), the sealed seed and vault key, and a checksum over all before it, which tells a
 * damaged file from a wrong password.
 */
#include <sodium.h>
#include <string.h>

#include "client/keys/identity.h"

#define IMAGE_FORMAT 1
#define MEMORY_MAX   (UINT64_C(4) << 30)
#define MEMORY_MIN   (UINT64_C(8) << 10)
#define PASSES_MAX   64

#define NONCE_BYTES  crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define SEALED_BYTES (2 * KEY_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES)

static const uint8_t magic[8] = {'C', 'O', 'N', 'C', 'L', 'A', 'V', 'E'};

typedef struct {
    uint64_t passes;
    uint64_t memory_bytes;
    uint8_t salt[crypto_pwhash_SALTBYTES];
    uint8_t key[KEY_BYTES];
    name_t name;
    uint8_t nonce[NONCE_BYTES];
    bytes_t clear; /* the associated data */
    const uint8_t *sealed;
} image_t;

static status_t lock_of(secret_t *out, const image_t *image, bytes_t password)
{
    const char *text = password.size ? (const char *)password.data : "";
    if (crypto_pwhash(out->bytes, sizeof out->bytes, text, password.size, image->salt,
                      image->passes, (size_t)image->memory_bytes, crypto_pwhash_ALG_ARGON2ID13))
        return STATUS_INVALID;
    return STATUS_OK;
}

status_t identity_seal(const identity_t *self, bytes_t password, identity_strength_t strength,
                       buffer_t *out)
{
    bool moderate = strength == IDENTITY_MODERATE;
    image_t image = {
        .passes = moderate ? crypto_pwhash_OPSLIMIT_MODERATE : crypto_pwhash_OPSLIMIT_INTERACTIVE,
        .memory_bytes =
            moderate ? crypto_pwhash_MEMLIMIT_MODERATE : crypto_pwhash_MEMLIMIT_INTERACTIVE,
    };
    randombytes_buf(image.salt, sizeof image.salt);
    randombytes_buf(image.nonce, sizeof image.nonce);
    secret_t lock;
    status_t status = lock_of(&lock, &image, password);
    if (status)
        return status;

    size_t start = out->size;
    buffer_append(out, magic, sizeof magic);
    buffer_u16(out, IMAGE_FORMAT);
    buffer_u64(out, image.passes);
    buffer_u64(out, image.memory_bytes);
    buffer_append(out, image.salt, sizeof image.salt);
    buffer_append(out, identity_key(self), KEY_BYTES);
    name8_write(out, identity_name(self));
    buffer_append(out, image.nonce, sizeof image.nonce);
    size_t clear = out->size - start;

    uint8_t payload[2 * KEY_BYTES];
    memcpy(payload, identity_seed(self), KEY_BYTES);
    memcpy(payload + KEY_BYTES, identity_vault_key(self)->bytes, KEY_BYTES);
    uint8_t *sealed = buffer_extend(out, SEALED_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, payload, sizeof payload,
                                               out->data + start, clear, NULL, image.nonce,
                                               lock.bytes);
    sodium_memzero(payload, sizeof payload);
    secret_wipe(&lock);

    uint8_t *checksum = buffer_extend(out, HASH_BYTES);
    crypto_generichash(checksum, HASH_BYTES, out->data + start, clear + SEALED_BYTES, NULL, 0);
    return STATUS_OK;
}

/* Everything short of the password. */
static status_t image_parse(image_t *out, bytes_t bytes)
{
    memset(out, 0, sizeof *out);
    reader_t in = reader_of(bytes.data, bytes.size);
    const uint8_t *start = reader_take(&in, sizeof magic);
    uint16_t format = reader_u16(&in);
    if (!reader_ok(&in) || memcmp(start, magic, sizeof magic) || !format)
        return STATUS_DAMAGED_FILE;
    if (format > IMAGE_FORMAT)
        return STATUS_NEWER_FORMAT;
    out->passes = reader_u64(&in);
    out->memory_bytes = reader_u64(&in);
    reader_copy(&in, out->salt, sizeof out->salt);
    reader_copy(&in, out->key, sizeof out->key);
    out->name = name8_read(&in);
    reader_copy(&in, out->nonce, sizeof out->nonce);
    out->clear = (bytes_t){bytes.data, bytes.size - in.left};
    out->sealed = reader_take(&in, SEALED_BYTES);
    const uint8_t *checksum = reader_take(&in, HASH_BYTES);
    if (!reader_done(&in))
        return STATUS_DAMAGED_FILE;
    uint8_t expected[HASH_BYTES];
    crypto_generichash(expected, sizeof expected, bytes.data, bytes.size - HASH_BYTES, NULL, 0);
    if (sodium_memcmp(expected, checksum, HASH_BYTES))
        return STATUS_DAMAGED_FILE;
    if (!out->passes || out->passes > PASSES_MAX || out->memory_bytes < MEMORY_MIN ||
        out->memory_bytes > MEMORY_MAX)
        return STATUS_DAMAGED_FILE;
    return STATUS_OK;
}

status_t identity_open(identity_t **out, bytes_t image_bytes, bytes_t password)
{
    *out = NULL;
    image_t image;
    status_t status = image_parse(&image, image_bytes);
    if (status)
        return status;
    secret_t lock;
    status = lock_of(&lock, &image, password);
    if (status)
        return status;
    secret_t payload[2]; /* seed, vault key */
    if (crypto_aead_xchacha20poly1305_ietf_decrypt((uint8_t *)payload, NULL, NULL, image.sealed,
                                                   SEALED_BYTES, image.clear.data, image.clear.size,
                                                   image.nonce, lock.bytes))
        status = STATUS_WRONG_PASSWORD;
    secret_wipe(&lock);
    if (!status) {
        *out = identity_from_seed(&image.name, &payload[0], &payload[1]);
        if (memcmp(identity_key(*out), image.key, KEY_BYTES)) {
            identity_destroy(out);
            status = STATUS_DAMAGED_FILE;
        }
    }
    sodium_memzero(payload, sizeof payload);
    return status;
}

status_t identity_peek(bytes_t image_bytes, name_t *name, uint8_t key[static KEY_BYTES])
{
    image_t image;
    status_t status = image_parse(&image, image_bytes);
    *name = image.name;
    memcpy(key, image.key, KEY_BYTES);
    if (status) {
        *name = (name_t){0};
        memset(key, 0, KEY_BYTES);
    }
    return status;
}
