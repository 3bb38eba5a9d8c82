/* SPDX-License-Identifier: MPL-2.0 */
#include "client/local/local.h"

#include "proto/message_fields.h"
#include "proto/message_rows.h"

#define RECORD(record, fields)                                                                     \
    static const message_shape_t *record##_shape(void)                                             \
        RETURN_SHAPE(local_##record##_record_t, fields)
#define REQUEST(code, verb, request_fields, reply_fields)
#define PUSH(code, verb, fields)
#include "client/local/local.def"
#undef RECORD
#undef REQUEST
#undef PUSH

#define RECORD(record, fields)

static const message_shape_t *request_shape(uint64_t verb)
{
    switch (verb) {
#define REQUEST(code, verb, request_fields, reply_fields)                                          \
    case code:                                                                                     \
        RETURN_SHAPE(local_##verb##_request_t, request_fields)
#define PUSH(code, verb, fields)
#include "client/local/local.def"
#undef REQUEST
#undef PUSH
    default:
        return NULL;
    }
}

static const message_shape_t *reply_shape(uint64_t verb)
{
    switch (verb) {
#define REQUEST(code, verb, request_fields, reply_fields)                                          \
    case code:                                                                                     \
        RETURN_SHAPE(local_##verb##_reply_t, reply_fields)
#define PUSH(code, verb, fields)
#include "client/local/local.def"
#undef REQUEST
#undef PUSH
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
        RETURN_SHAPE(local_##verb##_push_t, fields)
#include "client/local/local.def"
#undef REQUEST
#undef PUSH
    default:
        return NULL;
    }
}

static const message_shape_t *shape_of(message_kind_t kind, uint64_t verb)
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

size_t local_body_size(message_kind_t kind, local_verb_t verb)
{
    const message_shape_t *shape = shape_of(kind, verb);
    return shape ? shape->size : 0;
}

const char *local_verb_name(uint64_t verb)
{
    switch (verb) {
#define REQUEST(code, verb, request_fields, reply_fields)                                          \
    case code:                                                                                     \
        return #verb;
#define PUSH(code, verb, fields)                                                                   \
    case code:                                                                                     \
        return #verb;
#include "client/local/local.def"
#undef REQUEST
#undef PUSH
    default:
        return NULL;
    }
}

/* MessagePack's non-negative integers and short arrays, as far as a head needs them. */
enum { ARRAY_OF_0 = 0x90, STR8 = 0xd9, UINT8 = 0xcc, UINT16 = 0xcd, UINT32 = 0xce, UINT64 = 0xcf };

static uint64_t read_number(reader_t *in)
{
    uint8_t first = reader_u8(in);
    switch (first) {
    case UINT8:
        return reader_u8(in);
    case UINT16:
        return reader_u16(in);
    case UINT32:
        return reader_u32(in);
    case UINT64:
        return reader_u64(in);
    default:
        if (first >= 0x80)
            in->failed = true;
        return first;
    }
}

static void write_number(buffer_t *out, uint64_t value)
{
    if (value < 0x80) {
        buffer_u8(out, (uint8_t)value);
    } else if (value <= UINT32_MAX) {
        buffer_u8(out, UINT32);
        buffer_u32(out, (uint32_t)value);
    } else {
        buffer_u8(out, UINT64);
        buffer_u64(out, value);
    }
}

/* How many objects the outer array of each kind has, the fields last; a traced request has one
 * more. */
static const uint8_t outer_count[] = {4, 5, 4};

static void read_trace(reader_t *in, trace_context_t *out)
{
    bool is_str = reader_u8(in) == STR8;
    size_t size = reader_u8(in);
    const char *text = (const char *)reader_take(in, size);
    if (!text || !is_str || !trace_context_read(out, (text_t){text, size}))
        in->failed = true;
}

/* Everything before the fields. */
static status_t read_head(local_message_t *out, reader_t *in, unsigned accept)
{
    uint8_t array = reader_u8(in);
    uint64_t kind = read_number(in);
    if (!reader_ok(in) || kind > MESSAGE_PUSH || !(accept & 1u << kind))
        return STATUS_MALFORMED;
    out->kind = (message_kind_t)kind;
    uint64_t verb = read_number(in);
    uint64_t id = read_number(in);
    if (!reader_ok(in) || verb > UINT16_MAX)
        return STATUS_MALFORMED;
    out->verb = (local_verb_t)verb;
    out->id = id;
    unsigned count = array - ARRAY_OF_0;
    if (kind == MESSAGE_REPLY)
        out->status = status_from_code(read_number(in));
    if (kind == MESSAGE_REQUEST && count == outer_count[kind] + 1u) {
        read_trace(in, &out->trace);
        count--;
    }
    return reader_ok(in) && count == outer_count[kind] ? STATUS_OK : STATUS_MALFORMED;
}

status_t local_message_read(local_message_t *out, bytes_t frame, unsigned accept)
{
    *out = (local_message_t){0};
    if (frame.size > LOCAL_FRAME_MAX_BYTES)
        return STATUS_TOO_LARGE;
    reader_t in = reader_of(frame.data, frame.size);
    status_t status = read_head(out, &in, accept);
    if (status != STATUS_OK)
        return status;
    const message_shape_t *shape = shape_of(out->kind, out->verb);
    if (!shape)
        return STATUS_UNKNOWN_VERB;
    return message_shape_read(shape, (bytes_t){in.at, in.left}, &out->body, &out->lists);
}

void local_message_wipe(local_message_t *self)
{
    message_lists_free(self->lists);
    *self = (local_message_t){0};
}

static void write_head(buffer_t *out, message_kind_t kind, unsigned more, local_verb_t verb,
                       uint64_t id)
{
    buffer_u8(out, (uint8_t)(ARRAY_OF_0 + outer_count[kind] + more));
    write_number(out, kind);
    write_number(out, verb);
    write_number(out, id);
}

static void write_body(buffer_t *out, message_kind_t kind, local_verb_t verb, const void *body)
{
    static const local_message_t nothing;
    const message_shape_t *shape = shape_of(kind, verb);
    if (shape)
        message_shape_write(out, shape, body ? body : &nothing.body);
    else
        buffer_u8(out, ARRAY_OF_0); /* the answer to an unknown verb */
}

static void write_trace(buffer_t *out, const trace_context_t *trace)
{
    char text[TRACE_CONTEXT_CHARS + 1];
    trace_context_write(trace, text);
    buffer_u8(out, STR8);
    buffer_u8(out, TRACE_CONTEXT_CHARS);
    buffer_append(out, text, TRACE_CONTEXT_CHARS);
}

void local_write_request(buffer_t *out, local_verb_t verb, uint64_t id,
                         const trace_context_t *trace, const void *body)
{
    bool is_traced = trace && trace_context_exists(trace);
    write_head(out, MESSAGE_REQUEST, is_traced, verb, id);
    if (is_traced)
        write_trace(out, trace);
    write_body(out, MESSAGE_REQUEST, verb, body);
}

void local_write_reply(buffer_t *out, local_verb_t verb, uint64_t id, status_t status,
                       const void *body)
{
    write_head(out, MESSAGE_REPLY, 0, verb, id);
    write_number(out, (uint64_t)status);
    write_body(out, MESSAGE_REPLY, verb, body);
}

void local_write_push(buffer_t *out, local_verb_t verb, uint64_t number, const void *body)
{
    write_head(out, MESSAGE_PUSH, 0, verb, number);
    write_body(out, MESSAGE_PUSH, verb, body);
}
