/* SPDX-License-Identifier: MPL-2.0 */
/* Epoch secret -> confirm, membership, tree; tag and membership code. */
#include "client/keys/key_schedule.h"

#include <sodium.h>
#include <string.h>

#include "client/keys/kdf.h"

void epoch_keys_derive(epoch_keys_t *out, secret_t *epoch_secret)
{
    kdf_plain(&out->confirm, epoch_secret, KDF_CONFIRM);
    kdf_plain(&out->membership, epoch_secret, KDF_MEMBERSHIP);
    kdf_plain(&out->tree, epoch_secret, KDF_TREE);
    secret_wipe(epoch_secret);
}

void epoch_keys_wipe(epoch_keys_t *self)
{
    sodium_memzero(self, sizeof *self);
}

void confirmation_tag(uint8_t out[static HASH_BYTES], const secret_t *confirm,
                      const uint8_t transcript[static HASH_BYTES])
{
    secret_t tag;
    kdf(&tag, confirm, KDF_TAG, transcript, HASH_BYTES);
    memcpy(out, tag.bytes, HASH_BYTES);
}

void membership_code(uint8_t out[static HASH_BYTES], const secret_t *membership,
                     const uint8_t transcript[static HASH_BYTES],
                     const uint8_t tag[static HASH_BYTES])
{
    uint8_t input[2 * HASH_BYTES];
    memcpy(input, transcript, HASH_BYTES);
    memcpy(input + HASH_BYTES, tag, HASH_BYTES);
    secret_t code;
    kdf(&code, membership, KDF_MAC, input, sizeof input);
    memcpy(out, code.bytes, HASH_BYTES);
}
