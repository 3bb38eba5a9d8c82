/* SPDX-License-Identifier: MPL-2.0 */
/* How the fields of a table in the notation of messages.def become rows of a shape: for the files
 * that make a table's shapes, and no other. */
#ifndef CONCLAVE_PROTO_MESSAGE_ROWS_H
#define CONCLAVE_PROTO_MESSAGE_ROWS_H

#include "proto/message_fields.h"

/* In the scope of each use, owner_t is the struct whose fields are listed. */
#define U64(field)               {FIELD_U64, offsetof(owner_t, field), 0, NULL},
#define FIXED(field, size)       {FIELD_FIXED, offsetof(owner_t, field), size, NULL},
#define BYTES(field, max)        {FIELD_BYTES, offsetof(owner_t, field), max, NULL},
#define TEXT(field, max)         {FIELD_TEXT, offsetof(owner_t, field), max, NULL},
#define NAME(field)              {FIELD_NAME, offsetof(owner_t, field), NAME_MAX_BYTES, NULL},
#define LIST(field, record, max) {FIELD_LIST, offsetof(owner_t, field), max, record##_shape},
#define NOTHING

/* The row at the end makes room for an empty list, and is not counted. */
#define RETURN_SHAPE(struct_t, ...)                                                                \
    {                                                                                              \
        typedef struct_t owner_t;                                                                  \
        static const message_field_t fields[] = {__VA_ARGS__{FIELD_U64, 0, 0, NULL}};              \
        static const message_shape_t shape = {fields, sizeof fields / sizeof fields[0] - 1,        \
                                              sizeof(owner_t)};                                    \
        return &shape;                                                                             \
    }

#endif
