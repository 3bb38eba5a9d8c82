/* SPDX-License-Identifier: MPL-2.0 */
/* Sealed messages (PROTOCOL.md section 10). Opening and proving the sender are two steps, so that a
 * message can be kept until its sender is proven. */
#ifndef CONCLAVE_CLIENT_KEYS_MESSAGE_SEAL_H
#define CONCLAVE_CLIENT_KEYS_MESSAGE_SEAL_H

#include "client/keys/identity.h"
#include "proto/sealed_message.h"

#define MESSAGE_TYPE_TEXT   1
#define MESSAGE_CONTENT_MAX (TEXT_MAX_BYTES + 10)

/* Where a message belongs: the group, and its epoch's transcript. */
typedef struct {
    uint8_t group[GROUP_ID_BYTES];
    uint8_t transcript[HASH_BYTES];
} message_place_t;

/* What the sender says, and signs. */
typedef struct {
    uint8_t type;
    uint64_t number;
    bytes_t content;
    bytes_t fields; /* optional ones (message_fields.h); empty: none */
} message_body_t;

/*
 * Appends the sealed message. header's salt is made here; message_key is the generation's, which
 * the caller erases. STATUS_TOO_LARGE.
 */
MUST_CHECK status_t message_seal(const message_place_t *place, message_header_t *header,
                                 const secret_t *message_key, const identity_t *sender,
                                 const message_body_t *body, buffer_t *out);

/* A message whose seal opened, with all that is needed to prove its sender. All zero is empty. */
typedef struct {
    message_place_t place;
    uint64_t epoch;
    uint32_t leaf;
    uint32_t generation;
    uint8_t header[MESSAGE_HEADER_MAX_BYTES]; /* as received */
    size_t header_size;
    uint8_t signature[SIGNATURE_BYTES];
    uint8_t type;
    uint64_t number;
    buffer_t content; /* owned, secret */
    buffer_t fields;  /* the same */
} opened_message_t;

/* bytes are a whole sealed message, header being what message_header_parse said. STATUS_BAD_SEAL
 * (any forged or foreign bytes) leaves *out empty. */
MUST_CHECK status_t message_open(opened_message_t *out, const message_place_t *place,
                                 const message_header_t *header, bytes_t header_bytes,
                                 bytes_t sealed, const secret_t *message_key);
/* STATUS_BAD_SIGNATURE unless this identity key's owner sealed it. */
MUST_CHECK status_t opened_message_verify(const opened_message_t *self,
                                          const uint8_t identity_key[static KEY_BYTES]);

/* To keep one that isn't proven yet. STATUS_DAMAGED_FILE, STATUS_NEWER_FORMAT. */
void opened_message_write(const opened_message_t *self, buffer_t *out);
MUST_CHECK status_t opened_message_read(opened_message_t *out, bytes_t bytes);
void opened_message_wipe(opened_message_t *self);

/* The content of MESSAGE_TYPE_TEXT: the sender's clock in ms since 1970, and UTF-8
 * without NUL, which readers further on rely upon. The text is a view. STATUS_MALFORMED,
 * STATUS_TOO_LARGE. */
MUST_CHECK status_t text_content_write(uint64_t sent_ms, text_t text, buffer_t *out);
MUST_CHECK status_t text_content_read(bytes_t content, uint64_t *sent_ms, text_t *text);

#endif
