/* SPDX-License-Identifier: MPL-2.0 */
/* The tables of fields, generated from messages.def; and what else follows from the list of verbs.
 */
#include "proto/message_fields.h"
#include "proto/message_rows.h"

#define RECORD(record, fields)                                                                     \
    static const message_shape_t *record##_shape(void) RETURN_SHAPE(record##_record_t, fields)
#define REQUEST(code, verb, request_fields, reply_fields)
#define PUSH(code, verb, fields)
#include "proto/messages.def"
#undef RECORD
#undef REQUEST
#undef PUSH

#define RECORD(record, fields)

static const message_shape_t *request_shape(uint64_t verb)
{
    switch (verb) {
#define REQUEST(code, verb, request_fields, reply_fields)                                          \
    case code:                                                                                     \
        RETURN_SHAPE(verb##_request_t, request_fields)
#define PUSH(code, verb, fields)
#include "proto/messages.def"
#undef REQUEST
#undef PUSH
    default:
        return NULL;
    }
}

static const message_shape_t *reply_shape(uint64_t verb)
{
    static const message_shape_t unread = {NULL, 0, 0};
    switch (verb) {
#define REQUEST(code, verb, request_fields, reply_fields)                                          \
    case code:                                                                                     \
        RETURN_SHAPE(verb##_reply_t, reply_fields)
#define PUSH(code, verb, fields)
#include "proto/messages.def"
#undef REQUEST
#undef PUSH
    case VERB_none:
        return &unread;
    default:
        return NULL;
    }
}

static const message_shape_t *push_shape(uint64_t verb)
{
    switch (verb) {
#define REQUEST(code, verb, request_fields, reply_fields)
#define PUSH(code, verb, fields)                                                                   \
    case code:                                                                                     \
        RETURN_SHAPE(verb##_push_t, fields)
#include "proto/messages.def"
#undef REQUEST
#undef PUSH
    default:
        return NULL;
    }
}

const message_shape_t *message_shape(message_kind_t kind, uint64_t verb)
{
    switch (kind) {
    case MESSAGE_REQUEST:
        return request_shape(verb);
    case MESSAGE_REPLY:
        return reply_shape(verb);
    case MESSAGE_PUSH:
        return push_shape(verb);
    }
    return NULL;
}

const char *verb_name(uint64_t verb)
{
    switch (verb) {
#define REQUEST(code, verb, request_fields, reply_fields)                                          \
    case code:                                                                                     \
        return #verb;
#define PUSH(code, verb, fields)                                                                   \
    case code:                                                                                     \
        return #verb;
#include "proto/messages.def"
#undef REQUEST
#undef PUSH
    default:
        return NULL;
    }
}

bool verb_is_request(uint64_t verb)
{
    return request_shape(verb) != NULL;
}
