/* SPDX-License-Identifier: MPL-2.0 */
#include "client/keys/message_fields.h"

#include "proto/limits.h"

void message_fields_write(const trace_context_t *trace, buffer_t *out)
{
    if (!trace_context_exists(trace))
        return;
    buffer_u8(out, MESSAGE_FIELD_TRACE);
    buffer_u8(out, TRACE_CONTEXT_BYTES);
    trace_context_pack(trace, buffer_extend(out, TRACE_CONTEXT_BYTES));
}

/* The next field; false at the end of them. */
static bool next_field(reader_t *in, uint8_t *tag, bytes_t *value)
{
    if (!in->left || *in->at == 0)
        return false;
    *tag = reader_u8(in);
    value->size = reader_u8(in);
    value->data = reader_take(in, value->size);
    return reader_ok(in);
}

bytes_t message_fields_take(reader_t *in)
{
    const uint8_t *start = in->at;
    uint8_t tag, last = 0;
    bytes_t value;
    for (; next_field(in, &tag, &value); last = tag)
        if (tag <= last)
            in->failed = true;
    size_t size = reader_ok(in) ? (size_t)(in->at - start) : 0;
    if (size > FIELDS_MAX_BYTES)
        in->failed = true;
    return reader_ok(in) && size ? (bytes_t){start, size} : (bytes_t){0};
}

trace_context_t message_fields_trace(bytes_t fields)
{
    trace_context_t trace = {0};
    reader_t in = reader_of(fields.data, fields.size);
    uint8_t tag;
    bytes_t value;
    while (next_field(&in, &tag, &value))
        if (tag == MESSAGE_FIELD_TRACE && trace_context_unpack(&trace, value))
            return trace;
    return (trace_context_t){0};
}
