/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What screens and the holder of a home say to each other, as C structs generated from local.def,
 * and their MessagePack form. For REQUEST(5, send, ...) there are local_send_request_t,
 * local_send_reply_t and LOCAL_VERB_send; for PUSH(64, line, ...) local_line_push_t and
 * LOCAL_VERB_line; for RECORD(line, ...) local_line_record_t. LIST fields are {items, count}.
 *
 * One message is one frame, in the form of PROTOCOL.md section 2 without token:
 *   request [0, verb, id, [fields...]] or [0, verb, id, traceparent, [fields...]] · reply [1, verb,
 * id, status, [fields...]] · push [2, verb, number, [fields...]] A reply's status may be any of
 * status.def, local ones included.
 */
#ifndef CONCLAVE_CLIENT_LOCAL_LOCAL_H
#define CONCLAVE_CLIENT_LOCAL_LOCAL_H

#include "proto/bytes.h"
#include "proto/limits.h"
#include "proto/message.h"
#include "proto/name.h"
#include "proto/trace_context.h"

/* A list of 1000 lines, each with the longest text, fits. */
#define LOCAL_FRAME_MAX_BYTES (20u * 1024 * 1024)

/* Kinds of a line record. */
enum { LINE_MESSAGE = 1, LINE_NOTICE = 2 };

/* States of a group record: asked to join; let in, keys on their way; in; leaving; out, history
 * only; out of step, history only. */
enum {
    LOCAL_GROUP_JOINING = 1,
    LOCAL_GROUP_WELCOMED,
    LOCAL_GROUP_ACTIVE,
    LOCAL_GROUP_LEAVING,
    LOCAL_GROUP_LEFT,
    LOCAL_GROUP_LOST,
};

/* NOLINTBEGIN(bugprone-macro-parentheses): a member's name takes none */
#define U64(field)         uint64_t field;
#define FIXED(field, size) uint8_t field[size];
#define BYTES(field, max)  bytes_t field;
#define TEXT(field, max)   text_t field;
#define NAME(field)        name_t field;
#define LIST(field, record, max)                                                                   \
    struct {                                                                                       \
        local_##record##_record_t *items;                                                          \
        size_t count;                                                                              \
    } field;
/* NOLINTEND(bugprone-macro-parentheses) */
#define NOTHING uint8_t nothing_;
#define RECORD(record, fields)                                                                     \
    typedef struct {                                                                               \
        fields                                                                                     \
    } local_##record##_record_t;
#define REQUEST(code, verb, request_fields, reply_fields)                                          \
    typedef struct {                                                                               \
        request_fields                                                                             \
    } local_##verb##_request_t;                                                                    \
    typedef struct {                                                                               \
        reply_fields                                                                               \
    } local_##verb##_reply_t;
#define PUSH(code, verb, fields)                                                                   \
    typedef struct {                                                                               \
        fields                                                                                     \
    } local_##verb##_push_t;
#include "client/local/local.def"
#undef REQUEST
#undef PUSH
#undef RECORD
#undef U64
#undef FIXED
#undef BYTES
#undef TEXT
#undef NAME
#undef LIST
#undef NOTHING

typedef enum {
    LOCAL_VERB_none = 0,
#define RECORD(record, fields)
#define REQUEST(code, verb, request_fields, reply_fields) LOCAL_VERB_##verb = (code),
#define PUSH(code, verb, fields)                          LOCAL_VERB_##verb = (code),
#include "client/local/local.def"
#undef REQUEST
#undef PUSH
#undef RECORD
} local_verb_t;

/*
 * One decoded message. Lists live until local_message_wipe; TEXT views point into the frame, which
 * must live as long. All zero is a valid empty message.
 */
typedef struct {
    message_kind_t kind;
    local_verb_t verb;
    uint64_t id;           /* of a request or reply; a push's number */
    status_t status;       /* of a reply */
    trace_context_t trace; /* of a request; none unless it carries one */
    union {
#define RECORD(record, fields)
#define REQUEST(code, verb, request_fields, reply_fields)                                          \
    local_##verb##_request_t verb##_request;                                                       \
    local_##verb##_reply_t verb##_reply;
#define PUSH(code, verb, fields) local_##verb##_push_t verb##_push;
#include "client/local/local.def"
#undef REQUEST
#undef PUSH
#undef RECORD
    } body;
    void *lists; /* what local_message_wipe frees */
} local_message_t;

/*
 * Reads a frame, which holds exactly one message. On a fault (STATUS_MALFORMED,
 * STATUS_UNKNOWN_VERB, STATUS_BAD_TYPE, STATUS_TOO_LARGE, STATUS_BAD_NAME) out holds kind, verb and
 * id as far as they were read. A kind not in accept (bit 1 << kind) is STATUS_MALFORMED.
 */
MUST_CHECK status_t local_message_read(local_message_t *out, bytes_t frame, unsigned accept);
void local_message_wipe(local_message_t *self);

/* Each appends one message to out. body points to the verb's struct of that kind; NULL stands for
 * all fields zero or empty. trace may be NULL. */
void local_write_request(buffer_t *out, local_verb_t verb, uint64_t id,
                         const trace_context_t *trace, const void *body);
void local_write_reply(buffer_t *out, local_verb_t verb, uint64_t id, status_t status,
                       const void *body);
void local_write_push(buffer_t *out, local_verb_t verb, uint64_t number, const void *body);

/* "send", or NULL if there is no such verb. Static storage. */
const char *local_verb_name(uint64_t verb);
/* sizeof of the verb's struct of that kind; 0 if there is none. */
size_t local_body_size(message_kind_t kind, local_verb_t verb);

#endif
