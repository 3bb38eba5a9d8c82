/* SPDX-License-Identifier: MPL-2.0 */
/* A key pair for CURVE: the broker's, an operator's. */
#ifndef CONCLAVE_BROKER_KEY_PAIR_H
#define CONCLAVE_BROKER_KEY_PAIR_H

#include "proto/limits.h"
#include "proto/status.h"

#include <stdbool.h>
#include <stdint.h>

/* X25519. Wipe after use. */
typedef struct {
    uint8_t public_key[KEY_BYTES];
    uint8_t secret_key[KEY_BYTES];
} key_pair_t;

/* A new random pair. False, and *out is zeroed: this libzmq has no CURVE. */
MUST_CHECK bool key_pair_make(key_pair_t *out);

/* The public half that belongs to a secret one. False, and out is zeroed: as above. */
MUST_CHECK bool key_pair_public_of(uint8_t out[static KEY_BYTES],
                                   const uint8_t secret_key[static KEY_BYTES]);

void key_pair_wipe(key_pair_t *self);

#endif
