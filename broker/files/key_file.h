/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's CURVE key pair, and the file it lives in. */
#ifndef CONCLAVE_BROKER_FILES_KEY_FILE_H
#define CONCLAVE_BROKER_FILES_KEY_FILE_H

#include "proto/limits.h"
#include "proto/status.h"

#include <stdbool.h>
#include <stdint.h>

#define KEY_FILE_NAME "broker.key"

/* An X25519 pair. The public key names the broker: it stands in broker.url and in what clients
   sign. Wipe after use. */
typedef struct {
    uint8_t public_key[KEY_BYTES];
    uint8_t secret_key[KEY_BYTES];
} broker_key_t;

/* Reads dir_fd/broker.key, or makes a pair and writes it if there is none (*is_new). The data
   directory's lock must be held. On failure *out is zeroed.
   File: "CONCLAVE-BROKER\n" (16), format 1 (4, big-endian), secret (32), public (32), BLAKE2b-256
   of all before (32).
   STATUS_UNSAFE_PERMISSIONS: others can read it. STATUS_DAMAGED_FILE. STATUS_NEWER_FORMAT.
   STATUS_IO_ERROR with errno set. */
MUST_CHECK status_t key_file_open(broker_key_t *out, int dir_fd, bool *is_new);

void broker_key_wipe(broker_key_t *self);

#endif
