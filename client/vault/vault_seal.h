/* SPDX-License-Identifier: MPL-2.0 */
/* How a vault's values are sealed: XChaCha20-Poly1305, a random nonce each, bound to their key and
 * to the format. */
#ifndef CONCLAVE_CLIENT_VAULT_VAULT_SEAL_H
#define CONCLAVE_CLIENT_VAULT_VAULT_SEAL_H

#include "proto/bytes.h"
#include "proto/limits.h"

/* Appends nonce (24), ciphertext and tag (16) of value. The associated data is format (4,
 * big-endian) and the key's bytes. */
void vault_seal_write(buffer_t *out, const uint8_t seal_key[static KEY_BYTES], uint32_t format,
                      bytes_t key, bytes_t value);
/* Appends the value. STATUS_DAMAGED_FILE leaves out as it was. */
MUST_CHECK status_t vault_seal_read(buffer_t *out, const uint8_t seal_key[static KEY_BYTES],
                                    uint32_t format, bytes_t key, bytes_t sealed);

#endif
