/* SPDX-License-Identifier: MPL-2.0 */
/* messages.def as data: for each request, reply, push and record, which fields its struct has,
 * where and of which type. */
#ifndef CONCLAVE_PROTO_MESSAGE_FIELDS_H
#define CONCLAVE_PROTO_MESSAGE_FIELDS_H

#include "proto/message.h"

typedef enum {
    FIELD_U64,
    FIELD_FIXED,
    FIELD_BYTES,
    FIELD_TEXT,
    FIELD_NAME,
    FIELD_LIST
} field_kind_t;

typedef struct message_shape message_shape_t;

typedef struct {
    field_kind_t kind;
    size_t offset; /* in the struct */
    size_t max;    /* FIXED: the exact size; BYTES, TEXT: bytes; LIST: elements */
    const message_shape_t *(*record)(void); /* of a LIST's elements, else NULL */
} message_field_t;

struct message_shape {
    const message_field_t *fields;
    size_t count;
    size_t size; /* of the struct */
};

/* What every LIST field of message.h looks like, whatever its items are. Only copied to and from
 * fields, never aliased. */
typedef struct {
    void *items;
    size_t count;
} message_list_t;

/* NULL for a verb that has no message of this kind. A reply may have the verb 0, and no fields
 * then. Static storage. */
const message_shape_t *message_shape(message_kind_t kind, uint64_t verb);

/* A body alone, of any table's shape (the client's local protocol has one of its own). Reading: out is zeroed memory of the
 * shape's size; views point into bytes; lists go to *lists (free with message_lists_free). The caller limits the size of bytes. */
MUST_CHECK status_t message_shape_read(const message_shape_t *shape, bytes_t bytes, void *out,
                                       void **lists);
void message_lists_free(void *lists);
void message_shape_write(buffer_t *out, const message_shape_t *shape, const void *body);

#endif
