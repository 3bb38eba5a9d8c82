/* SPDX-License-Identifier: MPL-2.0 */
/* A 32-byte secret: derived, used, wiped; moved and not copied. */
#ifndef CONCLAVE_CLIENT_KEYS_SECRET_H
#define CONCLAVE_CLIENT_KEYS_SECRET_H

#include <stdint.h>

#include "proto/limits.h"

typedef struct {
    uint8_t bytes[KEY_BYTES];
} secret_t;

void secret_random(secret_t *out);
void secret_wipe(secret_t *self);
/* *to takes the value, *from is wiped. */
void secret_move(secret_t *to, secret_t *from);

#endif
