/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/json.h"

#include "proto/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

json_t json_of(buffer_t *out)
{
    return (json_t){.out = out};
}

static void add(json_t *self, const char *text)
{
    buffer_append(self->out, text, strlen(text));
}

static void begin_value(json_t *self)
{
    if (self->needs_comma) {
        add(self, ",");
    }
    self->needs_comma = true;
}

void json_key(json_t *self, const char *key)
{
    json_text(self, key);
    add(self, ":");
    self->needs_comma = false;
}

static void open(json_t *self, const char *opener, char closer)
{
    assert(self->depth < JSON_DEPTH_MAX);
    begin_value(self);
    add(self, opener);
    self->closers[self->depth++] = closer;
    self->needs_comma = false;
}

void json_object(json_t *self)
{
    open(self, "{", '}');
}

void json_array(json_t *self)
{
    open(self, "[", ']');
}

void json_end(json_t *self)
{
    assert(self->depth > 0);
    buffer_append(self->out, &self->closers[--self->depth], 1);
    self->needs_comma = true;
}

void decimal_format(char out[static DECIMAL_TEXT_BYTES], uint64_t value, unsigned decimals)
{
    uint64_t unit = 1;
    for (unsigned i = 0; i < decimals; i++) {
        unit *= 10;
    }
    int size = snprintf(out, DECIMAL_TEXT_BYTES, "%" PRIu64, value / unit);
    if (value % unit == 0 || size < 0) {
        return;
    }
    snprintf(out + size, DECIMAL_TEXT_BYTES - (size_t)size, ".%0*" PRIu64, (int)decimals,
             value % unit);
    for (size_t end = strlen(out); out[end - 1] == '0'; end--) {
        out[end - 1] = '\0';
    }
}

void json_number(json_t *self, uint64_t value)
{
    json_decimal(self, value, 0);
}

void json_decimal(json_t *self, uint64_t value, unsigned decimals)
{
    char text[DECIMAL_TEXT_BYTES];
    begin_value(self);
    decimal_format(text, value, decimals);
    add(self, text);
}

void json_bool(json_t *self, bool value)
{
    begin_value(self);
    add(self, value ? "true" : "false");
}

static bool is_plain(unsigned char c, bool is_utf8)
{
    return c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' && c != 0x7f &&
           (c < 0x80 || is_utf8);
}

void json_text(json_t *self, const char *text)
{
    const bool is_utf8 = utf8_valid(text, strlen(text));
    begin_value(self);
    add(self, "\"");
    for (const char *c = text; *c; c++) {
        char escape[8];
        if (is_plain((unsigned char)*c, is_utf8)) {
            buffer_append(self->out, c, 1);
        } else if ((unsigned char)*c >= 0x80) {
            add(self, "?");
        } else {
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)*c);
            add(self, escape);
        }
    }
    add(self, "\"");
}

void json_put_number(json_t *self, const char *key, uint64_t value)
{
    json_key(self, key);
    json_number(self, value);
}

void json_put_bool(json_t *self, const char *key, bool value)
{
    json_key(self, key);
    json_bool(self, value);
}

void json_put_text(json_t *self, const char *key, const char *text)
{
    json_key(self, key);
    json_text(self, text);
}

void json_put_hex(json_t *self, const char *key, bytes_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    json_key(self, key);
    begin_value(self);
    add(self, "\"");
    uint8_t *out = buffer_extend(self->out, 2 * bytes.size);
    for (size_t i = 0; i < bytes.size; i++) {
        out[2 * i] = (uint8_t)digits[bytes.data[i] >> 4];
        out[2 * i + 1] = (uint8_t)digits[bytes.data[i] & 15];
    }
    add(self, "\"");
}

void json_put_nonzero(json_t *self, const char *key, uint64_t value)
{
    if (value != 0) {
        json_put_number(self, key, value);
    }
}

void json_put_nonempty(json_t *self, const char *key, const char *text)
{
    if (text[0] != '\0') {
        json_put_text(self, key, text);
    }
}
