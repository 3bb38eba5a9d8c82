/* SPDX-License-Identifier: MPL-2.0 */
/* A ring of entries, each in the chain of its bucket. */
#include "broker/tracer/message_map.h"

#include "proto/memory.h"

#include <sodium.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define NO_ENTRY UINT32_MAX

typedef struct {
    name_t group;
    uint64_t sequence;
    uint32_t next; /* in its bucket */
} entry_t;

struct message_map {
    entry_t *entries;
    uint8_t *values;
    uint32_t *buckets;
    uint32_t capacity;
    uint32_t count;
    uint32_t oldest;
    size_t value_size;
    uint8_t hash_key[crypto_shorthash_KEYBYTES]; /* users choose names: not so that chains grow */
};

message_map_t *message_map_new(size_t capacity, size_t value_size)
{
    const size_t unit = alignof(max_align_t);
    message_map_t *self = mem_zalloc(1, sizeof *self);
    self->capacity = (uint32_t)capacity;
    self->value_size = (value_size + unit - 1) / unit * unit;
    self->entries = mem_zalloc(capacity, sizeof *self->entries);
    self->values = mem_zalloc(capacity, self->value_size);
    self->buckets = mem_alloc(capacity * sizeof *self->buckets);
    memset(self->buckets, 0xff, capacity * sizeof *self->buckets);
    crypto_shorthash_keygen(self->hash_key);
    return self;
}

void message_map_destroy(message_map_t **self)
{
    message_map_t *dead = *self;
    if (!dead)
        return;
    free(dead->entries);
    free(dead->values);
    free(dead->buckets);
    free(dead);
    *self = NULL;
}

static uint32_t *bucket_of(const message_map_t *self, const name_t *group, uint64_t sequence)
{
    uint8_t key[NAME_MAX_BYTES + 8];
    uint8_t hash[crypto_shorthash_BYTES];
    size_t size = name_size(group);
    memcpy(key, group->text, size);
    put_u64(key + size, sequence);
    crypto_shorthash(hash, key, size + 8, self->hash_key);
    return &self->buckets[get_u64(hash) % self->capacity];
}

static bool is_at(const entry_t *self, const name_t *group, uint64_t sequence)
{
    return self->sequence == sequence && name_equal(&self->group, group);
}

static void *value_at(const message_map_t *self, uint32_t index)
{
    return self->values + index * self->value_size;
}

void *message_map_get(const message_map_t *self, const name_t *group, uint64_t sequence)
{
    uint32_t at = *bucket_of(self, group, sequence);
    while (at != NO_ENTRY && !is_at(&self->entries[at], group, sequence))
        at = self->entries[at].next;
    return at == NO_ENTRY ? NULL : value_at(self, at);
}

static uint32_t take_oldest(message_map_t *self)
{
    uint32_t index = self->oldest;
    const entry_t *entry = &self->entries[index];
    uint32_t *link = bucket_of(self, &entry->group, entry->sequence);
    while (*link != index)
        link = &self->entries[*link].next;
    *link = entry->next;
    self->oldest = (index + 1) % self->capacity;
    return index;
}

void *message_map_put(message_map_t *self, const name_t *group, uint64_t sequence)
{
    void *known = message_map_get(self, group, sequence);
    if (known)
        return known;
    uint32_t index = self->count < self->capacity ? self->count++ : take_oldest(self);
    uint32_t *bucket = bucket_of(self, group, sequence);
    self->entries[index] = (entry_t){.group = *group, .sequence = sequence, .next = *bucket};
    *bucket = index;
    return memset(value_at(self, index), 0, self->value_size);
}
