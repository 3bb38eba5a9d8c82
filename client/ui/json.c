/* SPDX-License-Identifier: MPL-2.0 */
/* Writes the lines of --json. */
#include "client/ui/json.h"

#include "client/ui/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void add_escaped(text_buffer_t *out, uint32_t character)
{
    if (character >= 0x10000) {
        uint32_t rest = character - 0x10000;
        text_buffer_add_format(out, "\\u%04x\\u%04x", 0xD800 + (rest >> 10),
                               0xDC00 + (rest & 0x3FF));
    } else {
        text_buffer_add_format(out, "\\u%04x", character);
    }
}

static void add_character(text_buffer_t *out, uint32_t character)
{
    switch (character) {
    case '"':
        text_buffer_add_text(out, "\\\"");
        return;
    case '\\':
        text_buffer_add_text(out, "\\\\");
        return;
    case '\n':
        text_buffer_add_text(out, "\\n");
        return;
    case '\t':
        text_buffer_add_text(out, "\\t");
        return;
    case '\r':
        text_buffer_add_text(out, "\\r");
        return;
    default:
        break;
    }
    if (!utf8_is_printable(character)) {
        add_escaped(out, character);
        return;
    }
    char encoded[UTF8_MAX_BYTES];
    text_buffer_add(out, encoded, utf8_put(encoded, character));
}

static void add_quoted(text_buffer_t *out, const char *bytes, size_t size)
{
    text_buffer_add_text(out, "\"");
    for (size_t at = 0; at < size;) {
        uint32_t character;
        at += utf8_next(bytes + at, size - at, &character);
        add_character(out, character);
    }
    text_buffer_add_text(out, "\"");
}

static void add_key(json_t *self, const char *key)
{
    if (self->text.size > 1)
        text_buffer_add_text(&self->text, ",");
    add_quoted(&self->text, key, strlen(key));
    text_buffer_add_text(&self->text, ":");
}

void json_init(json_t *self)
{
    *self = (json_t){0};
    text_buffer_add_text(&self->text, "{");
}

void json_add_text(json_t *self, const char *key, const char *text)
{
    if (text)
        json_add_bytes(self, key, text, strlen(text));
    else
        json_add_null(self, key);
}

void json_add_bytes(json_t *self, const char *key, const char *bytes, size_t size)
{
    add_key(self, key);
    add_quoted(&self->text, bytes, size);
}

void json_add_number(json_t *self, const char *key, uint64_t value)
{
    add_key(self, key);
    text_buffer_add_format(&self->text, "%" PRIu64, value);
}

void json_add_bool(json_t *self, const char *key, bool value)
{
    add_key(self, key);
    text_buffer_add_text(&self->text, value ? "true" : "false");
}

void json_add_null(json_t *self, const char *key)
{
    add_key(self, key);
    text_buffer_add_text(&self->text, "null");
}

char *json_take(json_t *self)
{
    text_buffer_add_text(&self->text, "}");
    return text_buffer_take(&self->text);
}

status_t json_write(json_t *self, FILE *stream)
{
    text_buffer_add_text(&self->text, "}\n");
    bool written = fwrite(self->text.bytes, 1, self->text.size, stream) == self->text.size;
    json_wipe(self);
    return fflush(stream) == 0 && written ? STATUS_OK : STATUS_IO_ERROR;
}

void json_wipe(json_t *self)
{
    text_buffer_wipe(&self->text);
}
