/* SPDX-License-Identifier: MPL-2.0 */
/* The effects of a core's step: owned frames and writes. */
#include "client/core/core.h"

#include <stdlib.h>

#include "proto/memory.h"

void frames_add(frames_t *self, uint64_t screen, buffer_t *bytes)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 8;
        self->items = mem_realloc(self->items, self->capacity, sizeof *self->items);
    }
    self->items[self->count].screen = screen;
    self->items[self->count].bytes = *bytes;
    self->count++;
    *bytes = (buffer_t){0}; /* transferred */
}

void frames_wipe(frames_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        buffer_wipe(&self->items[i].bytes);
    free(self->items);
    *self = (frames_t){0};
}

void effects_wipe(effects_t *self)
{
    writes_wipe(&self->writes);
    frames_wipe(&self->frames);
    frames_wipe(&self->mail);
    frames_wipe(&self->screens);
    *self = (effects_t){0};
}

void core_destroy(core_t **self)
{
    if (!*self)
        return;
    (*self)->ops->destroy(*self);
    *self = NULL;
}
