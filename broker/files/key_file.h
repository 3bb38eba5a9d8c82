/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's CURVE key pair, and the file it lives in. */
#ifndef CONCLAVE_BROKER_FILES_KEY_FILE_H
#define CONCLAVE_BROKER_FILES_KEY_FILE_H

#include "broker/key_pair.h"

#define KEY_FILE_NAME "broker.key"

/* The public key names the broker: it stands in broker.url and in what clients sign.
   Reads dir_fd/broker.key, or makes a pair and writes it if there is none (*is_new). The data
   directory's lock must be held. On failure *out is zeroed.
   File: "CONCLAVE-BROKER\n" (16), format 1 (4, big-endian), secret (32), public (32), BLAKE2b-256
   of all before (32).
   STATUS_UNSAFE_PERMISSIONS: others can read it. STATUS_DAMAGED_FILE. STATUS_NEWER_FORMAT.
   STATUS_IO_ERROR with errno set. */
MUST_CHECK status_t key_file_open(key_pair_t *out, int dir_fd, bool *is_new);

#endif
