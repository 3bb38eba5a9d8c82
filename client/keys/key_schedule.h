/* SPDX-License-Identifier: MPL-2.0 */
/* From an epoch's secret to what the epoch uses (PROTOCOL.md sections 7 and 9). */
#ifndef CONCLAVE_CLIENT_KEYS_KEY_SCHEDULE_H
#define CONCLAVE_CLIENT_KEYS_KEY_SCHEDULE_H

#include "client/keys/secret.h"

typedef struct {
    secret_t confirm;
    secret_t membership;
    secret_t tree;
} epoch_keys_t;

/* The epoch secret is erased. */
void epoch_keys_derive(epoch_keys_t *out, secret_t *epoch_secret);
void epoch_keys_wipe(epoch_keys_t *self);

/* The confirmation tag over T_{e+1}; confirm is the new epoch's. */
void confirmation_tag(uint8_t out[static HASH_BYTES], const secret_t *confirm,
                      const uint8_t transcript[static HASH_BYTES]);
/* The membership code over T_{e+1} and tag; membership is the old epoch's, 32 zero bytes for epoch
 * 0. */
void membership_code(uint8_t out[static HASH_BYTES], const secret_t *membership,
                     const uint8_t transcript[static HASH_BYTES],
                     const uint8_t tag[static HASH_BYTES]);

#endif
