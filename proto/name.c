/* SPDX-License-Identifier: MPL-2.0 */
/* The alphabet of names. */
#include "proto/name.h"

#include <string.h>

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_allowed(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

status_t name_set(name_t *out, const char *text, size_t size)
{
    *out = (name_t){0};
    if (size < 1 || size > NAME_MAX_BYTES || !is_letter(text[0]))
        return STATUS_BAD_NAME;
    for (size_t i = 1; i < size; i++)
        if (!is_allowed(text[i]))
            return STATUS_BAD_NAME;
    memcpy(out->text, text, size);
    return STATUS_OK;
}

status_t name_parse(name_t *out, const char *text)
{
    return name_set(out, text, strnlen(text, NAME_MAX_BYTES + 1));
}

bool name_equal(const name_t *a, const name_t *b)
{
    return strcmp(a->text, b->text) == 0;
}

size_t name_size(const name_t *self)
{
    return strlen(self->text);
}

void name8_write(buffer_t *out, const name_t *name)
{
    size_t size = name_size(name);
    buffer_u8(out, (uint8_t)size);
    buffer_append(out, name->text, size);
}

name_t name8_read(reader_t *in)
{
    name_t name = {0};
    size_t size = reader_u8(in);
    const uint8_t *at = reader_take(in, size);
    if (!at || name_set(&name, (const char *)at, size) != STATUS_OK)
        in->failed = true;
    return name;
}
