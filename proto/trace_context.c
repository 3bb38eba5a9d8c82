/* SPDX-License-Identifier: MPL-2.0 */
#include "proto/trace_context.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; /* upper case is not allowed */
}

static bool read_hex(uint8_t *out, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static char *write_hex(char *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    return out;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum |= bytes[i];
    return sum == 0;
}

static bool has_form(text_t text, uint8_t *version)
{
    if (text.size < TRACE_CONTEXT_CHARS || !read_hex(version, text.data, 1) || *version == 0xff)
        return false;
    bool ends = text.size == TRACE_CONTEXT_CHARS;
    if (!ends && (*version == 0 || text.data[TRACE_CONTEXT_CHARS] != '-'))
        return false;
    return text.data[2] == '-' && text.data[35] == '-' && text.data[52] == '-';
}

bool trace_context_read(trace_context_t *out, text_t text)
{
    uint8_t version;
    memset(out, 0, sizeof *out);
    if (has_form(text, &version) && read_hex(out->trace_id, text.data + 3, TRACE_ID_BYTES) &&
        read_hex(out->span_id, text.data + 36, SPAN_ID_BYTES) &&
        read_hex(&out->flags, text.data + 53, 1) && !is_zero(out->trace_id, TRACE_ID_BYTES) &&
        !is_zero(out->span_id, SPAN_ID_BYTES))
        return true;
    memset(out, 0, sizeof *out);
    return false;
}

void trace_context_write(const trace_context_t *self, char out[static TRACE_CONTEXT_CHARS + 1])
{
    memcpy(out, "00-", 3);
    out = write_hex(out + 3, self->trace_id, TRACE_ID_BYTES);
    *out++ = '-';
    out = write_hex(out, self->span_id, SPAN_ID_BYTES);
    *out++ = '-';
    out = write_hex(out, &self->flags, 1);
    *out = '\0';
}

text_t trace_context_text(const trace_context_t *self, char out[static TRACE_CONTEXT_CHARS + 1])
{
    if (!trace_context_exists(self))
        return (text_t){0};
    trace_context_write(self, out);
    return (text_t){out, TRACE_CONTEXT_CHARS};
}

void trace_context_pack(const trace_context_t *self, uint8_t out[static TRACE_CONTEXT_BYTES])
{
    memcpy(out, self->trace_id, TRACE_ID_BYTES);
    memcpy(out + TRACE_ID_BYTES, self->span_id, SPAN_ID_BYTES);
    out[TRACE_CONTEXT_BYTES - 1] = self->flags;
}

bool trace_context_unpack(trace_context_t *out, bytes_t bytes)
{
    memset(out, 0, sizeof *out);
    if (bytes.size != TRACE_CONTEXT_BYTES || is_zero(bytes.data, TRACE_ID_BYTES) ||
        is_zero(bytes.data + TRACE_ID_BYTES, SPAN_ID_BYTES))
        return false;
    memcpy(out->trace_id, bytes.data, TRACE_ID_BYTES);
    memcpy(out->span_id, bytes.data + TRACE_ID_BYTES, SPAN_ID_BYTES);
    out->flags = bytes.data[TRACE_CONTEXT_BYTES - 1];
    return true;
}

bool trace_context_exists(const trace_context_t *self)
{
    return !is_zero(self->trace_id, TRACE_ID_BYTES);
}
