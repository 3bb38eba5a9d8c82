/* SPDX-License-Identifier: MPL-2.0 */
/* Turns chunks of bytes into lines. */
#include "client/ui/line_splitter.h"

#include <string.h>

void line_splitter_wipe(line_splitter_t *self)
{
    text_buffer_wipe(&self->pending);
    *self = (line_splitter_t){.line_max = self->line_max};
}

void line_splitter_add(line_splitter_t *self, const char *bytes, size_t size)
{
    if (self->taken) {
        size_t left = self->pending.size - self->taken;
        if (left)
            memmove(self->pending.bytes, self->pending.bytes + self->taken, left);
        text_buffer_cut(&self->pending, left);
        self->taken = 0;
    }
    text_buffer_add(&self->pending, bytes, size);
}

static char *copy_line(const char *bytes, size_t size)
{
    text_buffer_t line = {0};
    while (size) {
        const char *nul = memchr(bytes, '\0', size);
        size_t plain = nul ? (size_t)(nul - bytes) : size;
        text_buffer_add(&line, bytes, plain);
        if (nul)
            text_buffer_add_text(&line, "\xEF\xBF\xBD");
        bytes += plain + (nul != NULL);
        size -= plain + (nul != NULL);
    }
    return text_buffer_take(&line);
}

/* Returns a line that is longer than allowed: its beginning once, the rest never. */
static char *take_long(line_splitter_t *self, const char *bytes, size_t size, bool whole)
{
    bool first = !self->skipping;
    self->skipping = !whole;
    self->taken += size + whole;
    return first ? copy_line(bytes, self->line_max) : NULL;
}

char *line_splitter_take(line_splitter_t *self, bool end)
{
    while (self->taken < self->pending.size) {
        const char *bytes = self->pending.bytes + self->taken;
        size_t left = self->pending.size - self->taken;
        const char *newline = memchr(bytes, '\n', left);
        size_t size = newline ? (size_t)(newline - bytes) : left;
        if (self->skipping || size > self->line_max) {
            char *line = take_long(self, bytes, size, newline != NULL);
            if (line)
                return line;
            continue;
        }
        if (!newline && !end)
            return NULL;
        self->taken += size + (newline != NULL);
        if (newline && size && bytes[size - 1] == '\r')
            size--;
        return copy_line(bytes, size);
    }
    return NULL;
}
