/* SPDX-License-Identifier: MPL-2.0 */
/* A growing byte string that is always NUL-terminated. */
#include "client/ui/text_buffer.h"

#include "proto/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *reserve(text_buffer_t *self, size_t size)
{
    if (size >= SIZE_MAX / 2 - self->size)
        abort();
    size_t needed = self->size + size + 1;
    if (needed > self->capacity) {
        self->capacity = needed < 64 ? 64 : needed * 2;
        self->bytes = mem_realloc(self->bytes, self->capacity, 1);
    }
    char *end = self->bytes + self->size;
    self->size += size;
    self->bytes[self->size] = '\0';
    return end;
}

void text_buffer_add(text_buffer_t *self, const char *bytes, size_t size)
{
    char *end = reserve(self, size);
    if (size)
        memcpy(end, bytes, size);
}

void text_buffer_add_text(text_buffer_t *self, const char *text)
{
    text_buffer_add(self, text, strlen(text));
}

void text_buffer_add_repeated(text_buffer_t *self, char c, size_t count)
{
    char *end = reserve(self, count);
    memset(end, c, count);
}

void text_buffer_add_format(text_buffer_t *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_buffer_add_format_v(self, format, arguments);
    va_end(arguments);
}

void text_buffer_add_format_v(text_buffer_t *self, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    if (size > 0) {
        char *end = reserve(self, (size_t)size);
        (void)vsnprintf(end, (size_t)size + 1, format, again);
    }
    va_end(again);
}

void text_buffer_cut(text_buffer_t *self, size_t size)
{
    if (size < self->size) {
        self->size = size;
        self->bytes[size] = '\0';
    }
}

char *text_buffer_take(text_buffer_t *self)
{
    (void)reserve(self, 0);
    char *bytes = self->bytes;
    *self = (text_buffer_t){0};
    return bytes;
}

void text_buffer_wipe(text_buffer_t *self)
{
    free(self->bytes);
    *self = (text_buffer_t){0};
}

char *text_new(const char *bytes, size_t size)
{
    text_buffer_t text = {0};
    text_buffer_add(&text, bytes, size);
    return text_buffer_take(&text);
}

char *text_new_format_v(const char *format, va_list arguments)
{
    text_buffer_t text = {0};
    text_buffer_add_format_v(&text, format, arguments);
    return text_buffer_take(&text);
}
