/* SPDX-License-Identifier: MPL-2.0 */
/* The engine-independent part of the store: dispatch, and the order of keys. */
#include "broker/store/store.h"

#include "broker/store/engine.h"

#include <assert.h>
#include <string.h>

status_t store_get(store_t *self, const void *key, size_t key_size, uint8_t **value,
                   size_t *value_size, uint64_t *version)
{
    assert(key_size > 0 && !value == !value_size);
    uint64_t found = 0;
    size_t size = 0;
    if (value)
        *value = NULL;
    status_t status = self->engine->get(self, key, key_size, value, &size, &found);
    if (value_size)
        *value_size = size;
    if (version)
        *version = found;
    return status;
}

status_t store_range(store_t *self, const store_range_t *range, store_visit_t *visit, void *context)
{
    return self->engine->range(self, range, visit, context);
}

status_t store_write(store_t *self, const store_unit_t *units, size_t count, status_t *outcomes)
{
    status_t status = self->engine->write(self, units, count, outcomes);
    if (status != STATUS_OK)
        for (size_t i = 0; i < count; i++)
            outcomes[i] = status;
    return status;
}

status_t store_reopen(store_t *self)
{
    return self->engine->reopen(self);
}

status_t store_checkpoint(store_t *self, const char *dir)
{
    return self->engine->checkpoint(self, dir);
}

status_t store_room(store_t *self)
{
    return self->engine->room(self);
}

status_t store_size_bytes(store_t *self, uint64_t *size_bytes)
{
    *size_bytes = 0;
    return self->engine->size_bytes(self, size_bytes);
}

void store_destroy(store_t **self)
{
    if (!*self)
        return;
    (*self)->engine->destroy(*self);
    *self = NULL;
}

size_t store_prefix_end(const void *prefix, size_t size, uint8_t *end)
{
    if (size)
        memcpy(end, prefix, size);
    while (size > 0 && end[size - 1] == 0xff)
        size--;
    if (size > 0)
        end[size - 1]++;
    return size;
}

int store_key_compare(const void *left, size_t left_size, const void *right, size_t right_size)
{
    size_t both = left_size < right_size ? left_size : right_size;
    int order = both ? memcmp(left, right, both) : 0;
    if (order != 0)
        return order;
    return (left_size > right_size) - (left_size < right_size);
}
