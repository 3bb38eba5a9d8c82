/* SPDX-License-Identifier: MPL-2.0 */
/* An opened message as bytes, to be kept until its sender is proven; and the content of texts. */
#include <string.h>

#include "client/keys/message_fields.h"
#include "client/keys/message_seal.h"
#include "proto/utf8.h"

/* The first had no optional fields, and is written where there are none. */
#define KEPT_FORMAT_PLAIN  1
#define KEPT_FORMAT_FIELDS 2

void opened_message_write(const opened_message_t *self, buffer_t *out)
{
    buffer_u8(out, self->fields.size ? KEPT_FORMAT_FIELDS : KEPT_FORMAT_PLAIN);
    buffer_append(out, self->place.group, GROUP_ID_BYTES);
    buffer_append(out, self->place.transcript, HASH_BYTES);
    buffer_u64(out, self->epoch);
    buffer_u32(out, self->leaf);
    buffer_u32(out, self->generation);
    buffer_lp(out, self->header, self->header_size);
    buffer_append(out, self->signature, SIGNATURE_BYTES);
    buffer_u8(out, self->type);
    buffer_u64(out, self->number);
    buffer_lp(out, self->content.data, self->content.size);
    buffer_append(out, self->fields.data, self->fields.size);
}

status_t opened_message_read(opened_message_t *out, bytes_t bytes)
{
    memset(out, 0, sizeof *out);
    reader_t in = reader_of(bytes.data, bytes.size);
    uint8_t format = reader_u8(&in);
    if (format != KEPT_FORMAT_PLAIN && format != KEPT_FORMAT_FIELDS)
        return format > KEPT_FORMAT_FIELDS ? STATUS_NEWER_FORMAT : STATUS_DAMAGED_FILE;
    reader_copy(&in, out->place.group, GROUP_ID_BYTES);
    reader_copy(&in, out->place.transcript, HASH_BYTES);
    out->epoch = reader_u64(&in);
    out->leaf = reader_u32(&in);
    out->generation = reader_u32(&in);
    out->header_size = reader_u32(&in);
    const uint8_t *header =
        out->header_size <= sizeof out->header ? reader_take(&in, out->header_size) : NULL;
    if (header)
        memcpy(out->header, header, out->header_size);
    reader_copy(&in, out->signature, SIGNATURE_BYTES);
    out->type = reader_u8(&in);
    out->number = reader_u64(&in);
    uint32_t size = reader_u32(&in);
    const uint8_t *content = size <= MESSAGE_CONTENT_MAX ? reader_take(&in, size) : NULL;
    bytes_t fields = format == KEPT_FORMAT_FIELDS ? message_fields_take(&in) : (bytes_t){0};
    bool has_fields = fields.size != 0;
    if (!header || !content || !reader_done(&in) || has_fields != (format == KEPT_FORMAT_FIELDS)) {
        opened_message_wipe(out);
        return STATUS_DAMAGED_FILE;
    }
    buffer_append(&out->content, content, size);
    buffer_append(&out->fields, fields.data, fields.size);
    return STATUS_OK;
}

status_t text_content_write(uint64_t sent_ms, text_t text, buffer_t *out)
{
    if (text.size > TEXT_MAX_BYTES)
        return STATUS_TOO_LARGE;
    if (!utf8_valid(text.data, text.size))
        return STATUS_MALFORMED;
    buffer_varint(out, sent_ms);
    buffer_append(out, text.data, text.size);
    return STATUS_OK;
}

status_t text_content_read(bytes_t content, uint64_t *sent_ms, text_t *text)
{
    reader_t in = reader_of(content.data, content.size);
    *sent_ms = reader_varint(&in);
    *text = (text_t){NULL, 0};
    if (!reader_ok(&in))
        return STATUS_MALFORMED;
    if (in.left > TEXT_MAX_BYTES)
        return STATUS_TOO_LARGE;
    if (!utf8_valid((const char *)in.at, in.left))
        return STATUS_MALFORMED;
    *text = (text_t){(const char *)in.at, in.left};
    return STATUS_OK;
}
