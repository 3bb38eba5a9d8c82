/* SPDX-License-Identifier: MPL-2.0 */
/* Open addressing with linear probing; ranges in a short list that is searched newest first. */
#include "broker/store/version_ledger.h"

#include "broker/store/store.h"
#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOT_COUNT 1024

void version_ledger_init(version_ledger_t *self)
{
    *self = (version_ledger_t){.slot_count = FIRST_SLOT_COUNT};
    self->slots = mem_zalloc(self->slot_count, sizeof *self->slots);
}

void version_ledger_wipe(version_ledger_t *self)
{
    free(self->slots);
    free(self->ranges);
    *self = (version_ledger_t){0};
}

void version_ledger_clear(version_ledger_t *self)
{
    self->start = self->order;
    self->used = 0;
    self->range_count = 0;
}

/* Eight bytes at a time, multiply and fold. Lists are short: quality matters little. */
static uint64_t hash_key(const uint8_t *key, size_t size)
{
    const uint64_t prime = 0x9fb21c651e98df25u;
    uint64_t hash = size * prime;
    for (; size >= 8; key += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, key, 8);
        hash = (hash ^ word) * prime;
        hash ^= hash >> 29;
    }
    uint64_t rest = 0;
    if (size)
        memcpy(&rest, key, size);
    hash = (hash ^ rest) * prime;
    return hash ^ hash >> 32;
}

static bool is_free(const version_ledger_t *self, const ledger_slot_t *slot)
{
    return slot->order <= self->start;
}

/* The slot of this key, or the free one where it belongs. */
static ledger_slot_t *probe(const version_ledger_t *self, const uint8_t *key, size_t key_size,
                            uint64_t hash)
{
    size_t at = (size_t)hash & (self->slot_count - 1);
    for (;; at = (at + 1) & (self->slot_count - 1)) {
        ledger_slot_t *slot = &self->slots[at];
        if (is_free(self, slot))
            return slot;
        if (slot->hash == hash && slot->key_size == key_size &&
            memcmp(slot->key, key, key_size) == 0)
            return slot;
    }
}

static void grow(version_ledger_t *self)
{
    ledger_slot_t *old = self->slots;
    size_t old_count = self->slot_count;
    self->slot_count *= 2;
    self->slots = mem_zalloc(self->slot_count, sizeof *self->slots);
    for (size_t i = 0; i < old_count; i++)
        if (!is_free(self, &old[i]))
            *probe(self, old[i].key, old[i].key_size, old[i].hash) = old[i];
    free(old);
}

void version_ledger_set(version_ledger_t *self, const uint8_t *key, size_t key_size,
                        uint64_t version)
{
    if (self->used * 2 >= self->slot_count)
        grow(self);
    uint64_t hash = hash_key(key, key_size);
    ledger_slot_t *slot = probe(self, key, key_size, hash);
    self->used += is_free(self, slot);
    *slot = (ledger_slot_t){key, key_size, hash, version, ++self->order};
}

void version_ledger_set_range_absent(version_ledger_t *self, const uint8_t *from, size_t from_size,
                                     const uint8_t *to, size_t to_size)
{
    if (self->range_count == self->range_capacity) {
        self->range_capacity = self->range_capacity ? self->range_capacity * 2 : 16;
        self->ranges = mem_realloc(self->ranges, self->range_capacity, sizeof *self->ranges);
    }
    self->ranges[self->range_count++] =
        (ledger_range_t){from, from_size, to, to_size, ++self->order};
}

bool version_ledger_find(const version_ledger_t *self, const uint8_t *key, size_t key_size,
                         uint64_t *version)
{
    const ledger_slot_t *slot = probe(self, key, key_size, hash_key(key, key_size));
    bool known = !is_free(self, slot);
    uint64_t order = known ? slot->order : self->start;
    *version = known ? slot->version : 0;
    for (size_t i = self->range_count; i-- > 0 && self->ranges[i].order > order;) {
        const ledger_range_t *range = &self->ranges[i];
        if (store_key_compare(key, key_size, range->from, range->from_size) >= 0 &&
            store_key_compare(key, key_size, range->to, range->to_size) < 0) {
            *version = 0;
            return true;
        }
    }
    return known;
}
