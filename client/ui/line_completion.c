/* SPDX-License-Identifier: MPL-2.0 */
/* Collects what a word could become. */
#include "client/ui/line_completion.h"

#include <string.h>

void line_completion_wipe(line_completion_t *self)
{
    text_buffer_wipe(&self->offers);
    *self = (line_completion_t){0};
}

void line_completion_offer(line_completion_t *self, const char *candidate)
{
    if (!self->word || strncmp(candidate, self->word, strlen(self->word)) != 0)
        return;
    if (self->count++ == 0) {
        self->common = strlen(candidate);
    } else {
        size_t same = 0;
        while (same < self->common && self->offers.bytes[same] == candidate[same])
            same++;
        while (same && ((unsigned char)self->offers.bytes[same] & 0xC0) == 0x80)
            same--; /* no half characters */
        self->common = same;
        text_buffer_add_text(&self->offers, "  ");
    }
    text_buffer_add_text(&self->offers, candidate);
}

char *line_completion_rest(const line_completion_t *self)
{
    text_buffer_t rest = {0};
    size_t size = self->word ? strlen(self->word) : 0;
    if (!self->count || (self->common <= size && self->count > 1))
        return NULL;
    text_buffer_add(&rest, self->offers.bytes + size, self->common - size);
    if (self->count == 1)
        text_buffer_add_text(&rest, " ");
    return text_buffer_take(&rest);
}
