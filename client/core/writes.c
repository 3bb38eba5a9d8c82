/* SPDX-License-Identifier: MPL-2.0 */
/* The ordered list of puts and deletes that one step asks its actor to apply. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/vault.h"
#include "proto/memory.h"

enum { WRITE_PUT = 1, WRITE_DELETE = 2, WRITE_DELETE_PREFIX = 3 };

/* Grows by hand: values may be secret, and a plain realloc would leave a copy behind. */
static void reserve(buffer_t *self, size_t more)
{
    if (self->capacity - self->size >= more)
        return;
    size_t capacity = self->capacity ? self->capacity : 256;
    while (capacity - self->size < more)
        capacity *= 2;
    uint8_t *data = mem_alloc(capacity);
    if (self->size) {
        memcpy(data, self->data, self->size);
        sodium_memzero(self->data, self->size);
    }
    free(self->data);
    self->data = data;
    self->capacity = capacity;
}

static void add(writes_t *self, uint8_t kind, bytes_t key, bytes_t value)
{
    reserve(&self->bytes, 1 + 4 + key.size + 4 + value.size);
    buffer_u8(&self->bytes, kind);
    buffer_lp(&self->bytes, key.data, key.size);
    buffer_lp(&self->bytes, value.data, value.size);
    self->count++;
}

void writes_put(writes_t *self, bytes_t key, bytes_t value)
{
    add(self, WRITE_PUT, key, value);
}

void writes_delete(writes_t *self, bytes_t key)
{
    add(self, WRITE_DELETE, key, (bytes_t){0});
}

void writes_delete_prefix(writes_t *self, bytes_t prefix)
{
    add(self, WRITE_DELETE_PREFIX, prefix, (bytes_t){0});
}

void writes_each(const writes_t *self, writes_visit_fn *op, void *context)
{
    reader_t in = reader_of(self->bytes.data, self->bytes.size);
    for (size_t i = 0; i < self->count; i++) {
        uint8_t kind = reader_u8(&in);
        bytes_t key = {.size = reader_u32(&in)};
        key.data = reader_take(&in, key.size);
        bytes_t value = {.size = reader_u32(&in)};
        value.data = reader_take(&in, value.size);
        if (kind != WRITE_PUT)
            value = (bytes_t){0};
        op(context, key, value, kind == WRITE_DELETE_PREFIX);
    }
}

void writes_wipe(writes_t *self)
{
    buffer_wipe(&self->bytes);
    *self = (writes_t){0};
}
