/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Requests, replies and pushes as C structs, generated from messages.def, and their MessagePack form (PROTOCOL.md sections 2 and 5).
 * For REQUEST(1, hello, ...) there are hello_request_t, hello_reply_t and VERB_hello; for PUSH(64, events, ...) events_push_t and VERB_events;
 * for RECORD(event, ...) event_record_t. LIST fields are {items, count}.
 */
#ifndef CONCLAVE_PROTO_MESSAGE_H
#define CONCLAVE_PROTO_MESSAGE_H

#include "proto/bytes.h"
#include "proto/limits.h"
#include "proto/name.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): a member's name takes none */
#define U64(field)               uint64_t field;
#define FIXED(field, size)       uint8_t field[size];
#define BYTES(field, max)        bytes_t field;
#define TEXT(field, max)         text_t field;
#define NAME(field)              name_t field;
#define LIST(field, record, max)                                                                   \
    struct {                                                                                       \
        record##_record_t *items;                                                                  \
        size_t count;                                                                              \
    } field;
/* NOLINTEND(bugprone-macro-parentheses) */
#define NOTHING uint8_t nothing_;
#define RECORD(record, fields)                                                                     \
    typedef struct {                                                                               \
        fields                                                                                     \
    } record##_record_t;
#define REQUEST(code, verb, request_fields, reply_fields)                                          \
    typedef struct {                                                                               \
        request_fields                                                                             \
    } verb##_request_t;                                                                            \
    typedef struct {                                                                               \
        reply_fields                                                                               \
    } verb##_reply_t;
#define PUSH(code, verb, fields)                                                                   \
    typedef struct {                                                                               \
        fields                                                                                     \
    } verb##_push_t;
#include "proto/messages.def"
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
    VERB_none = 0,
#define RECORD(record, fields)
#define REQUEST(code, verb, request_fields, reply_fields) VERB_##verb = (code),
#define PUSH(code, verb, fields)                          VERB_##verb = (code),
#include "proto/messages.def"
#undef REQUEST
#undef PUSH
#undef RECORD
} verb_t;

enum { PURPOSE_EVENTS = 1, PURPOSE_DUTIES = 2 };
enum { EVENT_MESSAGE = 1, EVENT_COMMIT = 2, EVENT_LEAVE = 3 };
enum { TASK_MESSAGES = 1, TASK_KEYS = 2, TASK_JOINS = 3, TASK_LEAVES = 4 };
enum { JOIN_OPEN = 0, JOIN_APPROVE = 1, JOIN_INVITE = 2 };

typedef enum { MESSAGE_REQUEST = 0, MESSAGE_REPLY = 1, MESSAGE_PUSH = 2 } message_kind_t;

/*
 * One decoded message. Views and lists live until message_wipe; BYTES and TEXT views point into the frame, which must live as long.
 * All zero is a valid empty message.
 */
typedef struct {
    message_kind_t kind;
    verb_t verb;
    uint64_t id; /* of a request or reply; a push's number */
    bytes_t token;
    text_t traceparent;
    status_t status; /* of a reply */
    union {
#define RECORD(record, fields)
#define REQUEST(code, verb, request_fields, reply_fields)                                          \
    verb##_request_t verb##_request;                                                               \
    verb##_reply_t verb##_reply;
#define PUSH(code, verb, fields) verb##_push_t verb##_push;
#include "proto/messages.def"
#undef REQUEST
#undef PUSH
#undef RECORD
    } body;
    void *lists; /* what message_wipe frees */
} message_t;

/*
 * Reads the next message of a frame and moves the frame's view forward. Nothing left: STATUS_NOT_FOUND. On a fault (STATUS_MALFORMED, STATUS_UNKNOWN_VERB,
 * STATUS_BAD_TYPE, STATUS_TOO_LARGE, STATUS_BAD_NAME) out holds kind, verb and id as far as they were read, and the frame is used up. Requests may be limited
 * by kind: a broker expects MESSAGE_REQUEST only, a client the two others; a kind not in accept (bit 1 << kind) is STATUS_MALFORMED. Counting messages against
 * FRAME_MAX_MESSAGES is the caller's. A refused reply may come with no fields at all (an unknown verb): they are then zero or empty.
 */
MUST_CHECK status_t message_read(message_t *out, bytes_t *frame, unsigned accept);
void message_wipe(message_t *self);

/* Each appends one message to out. body points to the verb's struct of that kind, e.g. const send_request_t *; NULL stands for all fields zero or empty. */
void message_write_request(buffer_t *out, verb_t verb, uint64_t id, bytes_t token,
                           text_t traceparent, const void *body);
void message_write_reply(buffer_t *out, verb_t verb, uint64_t id, status_t status,
                         const void *body);
void message_write_push(buffer_t *out, verb_t verb, uint64_t number, const void *body);

/* The body alone, and a request around a body written before: so that a retry under a new token has the same bytes. */
void message_write_request_body(buffer_t *out, verb_t verb, const void *body);
void message_write_request_around(buffer_t *out, verb_t verb, uint64_t id, bytes_t token,
                                  text_t traceparent, bytes_t body);

/* "send", or NULL if there is no such verb. Static storage. */
const char *verb_name(uint64_t verb);
bool verb_is_request(uint64_t verb);

#endif
