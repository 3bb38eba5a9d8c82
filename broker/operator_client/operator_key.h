/* SPDX-License-Identifier: MPL-2.0 */
/* An operator's key pair, by which a broker elsewhere lets its tools in. */
#ifndef CONCLAVE_BROKER_OPERATOR_CLIENT_OPERATOR_KEY_H
#define CONCLAVE_BROKER_OPERATOR_CLIENT_OPERATOR_KEY_H

#include "proto/endpoint.h"

#include <stdbool.h>

/* X25519, for CURVE. Wipe after use. */
typedef struct {
    uint8_t public_key[KEY_BYTES];
    uint8_t secret_key[KEY_BYTES];
} operator_key_t;

/* A file of one line, the secret key as 43 characters, mode 0600. False, with a line for people in
 * problem. */
bool operator_key_read(operator_key_t *out, const char *path, char *problem, size_t problem_size);

/* Makes a pair and writes a new file; an existing one is left alone. */
bool operator_key_make(operator_key_t *out, const char *path, char *problem, size_t problem_size);

void operator_key_wipe(operator_key_t *self);

#endif
