/* SPDX-License-Identifier: MPL-2.0 */
/* Names of users and groups: 1-32 of a-z 0-9 . _ -, starting with a letter. */
#ifndef CONCLAVE_PROTO_NAME_H
#define CONCLAVE_PROTO_NAME_H

#include "proto/bytes.h"
#include "proto/limits.h"

/* NUL-terminated. Empty means none. */
typedef struct {
    char text[NAME_MAX_BYTES + 1];
} name_t;

/* STATUS_BAD_NAME leaves *out empty. */
MUST_CHECK status_t name_set(name_t *out, const char *text, size_t size);
MUST_CHECK status_t name_parse(name_t *out, const char *text);
bool name_equal(const name_t *a, const name_t *b);
size_t name_size(const name_t *self);

/* name8 of PROTOCOL.md. name8_read gives an empty name and fails the reader on a bad one. */
void name8_write(buffer_t *out, const name_t *name);
name_t name8_read(reader_t *in);

#endif
