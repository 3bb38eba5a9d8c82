/* SPDX-License-Identifier: MPL-2.0 */
/* Open addressing with linear probing; removal shifts back. */
#include "client/keys/name_index.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

#define FIRST_CAPACITY 16

_Static_assert(sizeof((name_index_t){0}).salt == crypto_shorthash_KEYBYTES, "salt");

static size_t home_of(const name_index_t *self, const name_t *name)
{
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, (const uint8_t *)name->text, name_size(name), self->salt);
    uint64_t value;
    memcpy(&value, hash, sizeof value);
    return (size_t)value & (self->capacity - 1);
}

void name_index_init(name_index_t *self)
{
    *self = (name_index_t){0};
    randombytes_buf(self->salt, sizeof self->salt);
}

void name_index_free(name_index_t *self)
{
    free(self->slots);
    *self = (name_index_t){0};
}

uint32_t name_index_find(const name_index_t *self, const roster_member_t *members,
                         const name_t *name)
{
    if (!self->capacity)
        return UINT32_MAX;
    for (size_t at = home_of(self, name); self->slots[at]; at = (at + 1) & (self->capacity - 1))
        if (name_equal(&members[self->slots[at] - 1].name, name))
            return self->slots[at] - 1;
    return UINT32_MAX;
}

static void insert(name_index_t *self, const roster_member_t *members, uint32_t leaf)
{
    size_t at = home_of(self, &members[leaf].name);
    while (self->slots[at])
        at = (at + 1) & (self->capacity - 1);
    self->slots[at] = leaf + 1;
}

void name_index_add(name_index_t *self, const roster_member_t *members, uint32_t leaf)
{
    if ((self->count + 1) * 2 > self->capacity) {
        name_index_t old = *self;
        self->capacity = old.capacity ? old.capacity * 2 : FIRST_CAPACITY;
        self->slots = mem_zalloc(self->capacity, sizeof *self->slots);
        for (size_t i = 0; i < old.capacity; i++)
            if (old.slots[i])
                insert(self, members, old.slots[i] - 1);
        free(old.slots);
    }
    insert(self, members, leaf);
    self->count++;
}

void name_index_remove(name_index_t *self, const roster_member_t *members, uint32_t leaf)
{
    if (!self->capacity)
        return;
    size_t mask = self->capacity - 1;
    size_t hole = home_of(self, &members[leaf].name);
    while (self->slots[hole] && self->slots[hole] != leaf + 1)
        hole = (hole + 1) & mask;
    if (!self->slots[hole])
        return;
    for (size_t at = (hole + 1) & mask; self->slots[at]; at = (at + 1) & mask) {
        size_t home = home_of(self, &members[self->slots[at] - 1].name);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue; /* it is at home between the hole and here */
        self->slots[hole] = self->slots[at];
        hole = at;
    }
    self->slots[hole] = 0;
    self->count--;
}
