/* SPDX-License-Identifier: MPL-2.0 */
/* The stored form of a line. */
#include "client/core/line_row.h"

#include <string.h>

/* The first had no traceparent, and is written where there is none. */
#define LINE_ROW_FORMAT        1
#define LINE_ROW_FORMAT_TRACED 2

text_t text_of(const char *text)
{
    return (text_t){text, strlen(text)};
}

static void write_name(buffer_t *out, const name_t *name)
{
    buffer_lp(out, name->text, name_size(name));
}

void line_row_write(const local_line_record_t *line, buffer_t *out)
{
    buffer_u8(out, line->traceparent.size ? LINE_ROW_FORMAT_TRACED : LINE_ROW_FORMAT);
    buffer_u8(out, (uint8_t)line->kind);
    buffer_u64(out, line->epoch);
    buffer_u64(out, line->sequence);
    buffer_u64(out, line->time_ms);
    write_name(out, &line->sender);
    buffer_u8(out, line->mine != 0);
    buffer_u64(out, line->generation);
    buffer_u64(out, line->number);
    buffer_u64(out, line->sent_time_ms);
    buffer_lp(out, line->text.data, line->text.size);
    buffer_lp(out, line->notice.data, line->notice.size);
    write_name(out, &line->who);
    buffer_lp(out, line->reason.data, line->reason.size);
    if (line->traceparent.size)
        buffer_lp(out, line->traceparent.data, line->traceparent.size);
}

static text_t read_text(reader_t *in, size_t max)
{
    text_t text = {.size = reader_u32(in)};
    if (text.size > max)
        in->failed = true;
    text.data = (const char *)reader_take(in, text.size);
    return text.data ? text : (text_t){0};
}

static void read_name(reader_t *in, name_t *out)
{
    text_t text = read_text(in, NAME_MAX_BYTES);
    *out = (name_t){0};
    if (text.size && name_set(out, text.data, text.size))
        in->failed = true;
}

status_t line_row_read(local_line_record_t *line, bytes_t bytes)
{
    reader_t in = reader_of(bytes.data, bytes.size);
    uint8_t format = reader_u8(&in);
    if (reader_ok(&in) && format > LINE_ROW_FORMAT_TRACED)
        return STATUS_NEWER_FORMAT;
    line->kind = reader_u8(&in);
    line->epoch = reader_u64(&in);
    line->sequence = reader_u64(&in);
    line->time_ms = reader_u64(&in);
    read_name(&in, &line->sender);
    line->mine = reader_u8(&in);
    line->generation = reader_u64(&in);
    line->number = reader_u64(&in);
    line->sent_time_ms = reader_u64(&in);
    line->text = read_text(&in, TEXT_MAX_BYTES);
    line->notice = read_text(&in, 32);
    read_name(&in, &line->who);
    line->reason = read_text(&in, 512);
    line->traceparent =
        format == LINE_ROW_FORMAT_TRACED ? read_text(&in, TRACEPARENT_MAX_BYTES) : (text_t){0};
    bool known = line->kind == LINE_MESSAGE || line->kind == LINE_NOTICE;
    return reader_done(&in) && format && known ? STATUS_OK : STATUS_DAMAGED_FILE;
}
