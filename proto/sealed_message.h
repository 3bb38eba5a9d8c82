/* SPDX-License-Identifier: MPL-2.0 */
/* The clear header of a sealed message (PROTOCOL.md section 10): all that a broker sees of it. */
#ifndef CONCLAVE_PROTO_SEALED_MESSAGE_H
#define CONCLAVE_PROTO_SEALED_MESSAGE_H

#include "proto/bytes.h"
#include "proto/limits.h"

#define MESSAGE_HEADER_MAX_BYTES (1 + 10 + 5 + 5 + MESSAGE_SALT_BYTES)

typedef struct {
    uint64_t epoch;
    uint32_t leaf;
    uint32_t generation;
    uint8_t salt[MESSAGE_SALT_BYTES];
} message_header_t;

void message_header_write(const message_header_t *self, buffer_t *out);

/*
 * Splits a sealed message into its header (parsed, and as the exact bytes that are the associated data) and what is sealed. Views into bytes.
 * STATUS_BAD_HEADER also if fewer than 16 sealed bytes follow, or the leaf lies outside any tree.
 */
MUST_CHECK status_t message_header_parse(message_header_t *out, bytes_t bytes, bytes_t *header,
                                         bytes_t *sealed);

#endif
