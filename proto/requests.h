/* SPDX-License-Identifier: MPL-2.0 */
/* Signed join requests and leave statements (PROTOCOL.md section 7). */
#ifndef CONCLAVE_PROTO_REQUESTS_H
#define CONCLAVE_PROTO_REQUESTS_H

#include "proto/name.h"

typedef struct {
    uint8_t group[GROUP_ID_BYTES];
    name_t name;
    uint8_t identity_key[KEY_BYTES];
    uint8_t prekey[KEY_BYTES]; /* X25519 */
    uint8_t transcript[HASH_BYTES];
    uint8_t signature[SIGNATURE_BYTES];
} join_t; /* join_request_t is the body of the verb join (proto/message.h) */

/* STATUS_BAD_JOIN, STATUS_BAD_SIGNATURE (checked against identity_key), or STATUS_BAD_KEY for a prekey of small order or all zero. */
MUST_CHECK status_t join_request_parse(join_t *out, bytes_t bytes);
/* Everything before the signature. */
void join_request_write_signed_part(const join_t *self, buffer_t *out);
/* What is signed: S("join", group, signed part). Appends. */
void join_request_statement(const join_t *self, buffer_t *out);
void join_request_hash(uint8_t out[static HASH_BYTES], bytes_t bytes);

typedef struct {
    uint8_t group[GROUP_ID_BYTES];
    uint32_t leaf;
    uint64_t epoch_added;
    uint8_t signature[SIGNATURE_BYTES];
} leave_t;

/* STATUS_BAD_LEAVE. The signature is not checked: leave_verify does that. */
MUST_CHECK status_t leave_parse(leave_t *out, bytes_t bytes);
MUST_CHECK status_t leave_verify(const leave_t *self, const uint8_t identity_key[static KEY_BYTES]);
void leave_statement(const leave_t *self, buffer_t *out); /* what is signed; appends */
void leave_write(const leave_t *self, buffer_t *out);     /* the whole, signature included */

#endif
