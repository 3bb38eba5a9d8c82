/* SPDX-License-Identifier: MPL-2.0 */
/* A vault in memory: rows in one array sorted by key. */
#include "client/core/vault_memory.h"

#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

typedef struct {
    buffer_t key;
    buffer_t value;
} row_t;

typedef struct {
    vault_t base;
    row_t *rows;
    size_t count, capacity;
    bool fails;
    unsigned fail_after;
} vault_memory_t;

static int compare(bytes_t a, bytes_t b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    if (order)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

static bool starts_with(bytes_t key, bytes_t prefix)
{
    return key.size >= prefix.size && (!prefix.size || !memcmp(key.data, prefix.data, prefix.size));
}

/* The first row whose key is not below. */
static size_t lower_bound(const vault_memory_t *self, bytes_t key)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(buffer_view(&self->rows[middle].key), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static status_t memory_get(vault_t *base, bytes_t key, buffer_t *out)
{
    vault_memory_t *self = (vault_memory_t *)base;
    size_t at = lower_bound(self, key);
    if (at == self->count || compare(buffer_view(&self->rows[at].key), key))
        return STATUS_NOT_FOUND;
    buffer_append(out, self->rows[at].value.data, self->rows[at].value.size);
    return STATUS_OK;
}

static status_t memory_range(vault_t *base, bytes_t prefix, bytes_t start, bool reverse,
                             vault_visit_fn *visit, void *context)
{
    vault_memory_t *self = (vault_memory_t *)base;
    size_t first = lower_bound(self, prefix), end = first;
    while (end < self->count && starts_with(buffer_view(&self->rows[end].key), prefix))
        end++;
    if (!reverse) {
        size_t at = start.size ? lower_bound(self, start) : first;
        for (at = at < first ? first : at; at < end; at++)
            if (!visit(context, buffer_view(&self->rows[at].key),
                       buffer_view(&self->rows[at].value)))
                break;
        return STATUS_OK;
    }
    size_t stop = end;
    if (start.size) {
        stop = lower_bound(self, start);
        if (stop < self->count && !compare(buffer_view(&self->rows[stop].key), start))
            stop++;
        stop = stop > end ? end : stop;
    }
    while (stop > first) {
        stop--;
        if (!visit(context, buffer_view(&self->rows[stop].key),
                   buffer_view(&self->rows[stop].value)))
            break;
    }
    return STATUS_OK;
}

static void remove_rows(vault_memory_t *self, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        buffer_free(&self->rows[i].key);
        buffer_wipe(&self->rows[i].value);
    }
    if (end < self->count)
        memmove(&self->rows[first], &self->rows[end], (self->count - end) * sizeof *self->rows);
    self->count -= end - first;
}

static void put(vault_memory_t *self, bytes_t key, bytes_t value)
{
    size_t at = lower_bound(self, key);
    if (at < self->count && !compare(buffer_view(&self->rows[at].key), key)) {
        buffer_wipe(&self->rows[at].value);
    } else {
        if (self->count == self->capacity) {
            self->capacity = self->capacity ? 2 * self->capacity : 64;
            self->rows = mem_realloc(self->rows, self->capacity, sizeof *self->rows);
        }
        if (at < self->count)
            memmove(&self->rows[at + 1], &self->rows[at], (self->count - at) * sizeof *self->rows);
        self->count++;
        self->rows[at] = (row_t){0};
        buffer_append(&self->rows[at].key, key.data, key.size);
    }
    self->rows[at].value = (buffer_t){0};
    buffer_append(&self->rows[at].value, value.data, value.size);
}

static void apply_one(void *context, bytes_t key, bytes_t value, bool is_prefix)
{
    vault_memory_t *self = context;
    if (value.data) {
        put(self, key, value);
        return;
    }
    size_t first = lower_bound(self, key), end = first;
    while (end < self->count && (is_prefix ? starts_with(buffer_view(&self->rows[end].key), key)
                                           : !compare(buffer_view(&self->rows[end].key), key)))
        end++;
    remove_rows(self, first, end);
}

static status_t memory_apply(vault_t *base, const writes_t *writes)
{
    vault_memory_t *self = (vault_memory_t *)base;
    if (self->fails && !self->fail_after) {
        self->fails = false;
        return STATUS_IO_ERROR;
    }
    if (self->fails)
        self->fail_after--;
    writes_each(writes, apply_one, self);
    return STATUS_OK;
}

static status_t memory_checkpoint(vault_t *base)
{
    (void)base;
    return STATUS_OK;
}

static void memory_destroy(vault_t *base)
{
    vault_memory_t *self = (vault_memory_t *)base;
    remove_rows(self, 0, self->count);
    free(self->rows);
    free(self);
}

static const vault_ops_t memory_ops = {
    memory_get, memory_range, memory_apply, memory_checkpoint, memory_destroy,
};

vault_t *vault_memory_new(void)
{
    vault_memory_t *self = mem_zalloc(1, sizeof *self);
    self->base.ops = &memory_ops;
    return &self->base;
}

void vault_memory_fail_apply(vault_t *base, unsigned after)
{
    vault_memory_t *self = (vault_memory_t *)base;
    self->fails = true;
    self->fail_after = after;
}

vault_t *vault_memory_copy(const vault_t *base)
{
    const vault_memory_t *self = (const vault_memory_t *)base;
    vault_t *copy = vault_memory_new();
    for (size_t i = 0; i < self->count; i++)
        put((vault_memory_t *)copy, buffer_view(&self->rows[i].key),
            buffer_view(&self->rows[i].value));
    return copy;
}

size_t vault_memory_count(const vault_t *base)
{
    return ((const vault_memory_t *)base)->count;
}
