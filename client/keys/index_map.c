/* SPDX-License-Identifier: MPL-2.0 */
/* Open addressing with linear probing; removal shifts back, so that there are no tombstones. */
#include "client/keys/index_map.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

#define FIRST_CAPACITY 64

/* Indices are our own and dense, so spreading them is enough. */
static size_t home_of(const index_map_t *self, uint32_t key)
{
    return (size_t)(((uint64_t)key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (self->capacity - 1);
}

static size_t slot_of(const index_map_t *self, uint32_t key)
{
    size_t at = home_of(self, key);
    while (self->used[at] && self->keys[at] != key)
        at = (at + 1) & (self->capacity - 1);
    return at;
}

static uint8_t *value_at(const index_map_t *self, size_t slot)
{
    return self->values + slot * self->value_bytes;
}

void index_map_init(index_map_t *self, size_t value_bytes)
{
    *self = (index_map_t){.value_bytes = value_bytes};
}

void index_map_wipe(index_map_t *self)
{
    if (self->values)
        sodium_memzero(self->values, self->capacity * self->value_bytes);
    free(self->keys);
    free(self->values);
    free(self->used);
    index_map_init(self, self->value_bytes);
}

static void resize(index_map_t *self, size_t capacity)
{
    index_map_t old = *self;
    self->capacity = capacity;
    self->keys = mem_alloc(capacity * sizeof *self->keys);
    self->values = mem_alloc(capacity * self->value_bytes);
    self->used = mem_zalloc(capacity, sizeof *self->used);
    for (size_t i = 0; i < old.capacity; i++) {
        if (!old.used[i])
            continue;
        size_t slot = slot_of(self, old.keys[i]);
        self->used[slot] = true;
        self->keys[slot] = old.keys[i];
        memcpy(value_at(self, slot), value_at(&old, i), self->value_bytes);
    }
    index_map_wipe(&old);
}

void *index_map_get(const index_map_t *self, uint32_t key)
{
    if (!self->capacity)
        return NULL;
    size_t slot = slot_of(self, key);
    return self->used[slot] ? value_at(self, slot) : NULL;
}

void *index_map_put(index_map_t *self, uint32_t key)
{
    if ((self->count + 1) * 4 > self->capacity * 3)
        resize(self, self->capacity ? self->capacity * 2 : FIRST_CAPACITY);
    size_t slot = slot_of(self, key);
    if (!self->used[slot]) {
        self->used[slot] = true;
        self->keys[slot] = key;
        memset(value_at(self, slot), 0, self->value_bytes);
        self->count++;
    }
    return value_at(self, slot);
}

void index_map_remove(index_map_t *self, uint32_t key)
{
    if (!self->capacity)
        return;
    size_t hole = slot_of(self, key);
    if (!self->used[hole])
        return;
    size_t mask = self->capacity - 1;
    for (size_t at = (hole + 1) & mask; self->used[at]; at = (at + 1) & mask) {
        size_t home = home_of(self, self->keys[at]);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue; /* it is at home between the hole and here */
        self->keys[hole] = self->keys[at];
        memcpy(value_at(self, hole), value_at(self, at), self->value_bytes);
        hole = at;
    }
    self->used[hole] = false;
    sodium_memzero(value_at(self, hole), self->value_bytes);
    self->count--;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

uint32_t *index_map_keys(const index_map_t *self)
{
    if (!self->count)
        return NULL;
    uint32_t *keys = mem_alloc(self->count * sizeof *keys);
    size_t count = 0;
    for (size_t i = 0; i < self->capacity; i++)
        if (self->used[i])
            keys[count++] = self->keys[i];
    qsort(keys, count, sizeof *keys, compare);
    return keys;
}
