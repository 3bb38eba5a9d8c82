/* SPDX-License-Identifier: MPL-2.0 */
/* Chained hash table with its nodes in a list by last use. */
#include "broker/rules/table.h"

#include "proto/memory.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

typedef struct node {
    struct node *next_in_chain;
    struct node *older;
    struct node *newer;
    void *value;
    uint64_t hash;
    uint8_t key_size;
    uint8_t key[];
} node_t;

struct table {
    node_t **chains;
    size_t chain_count; /* a power of two */
    size_t count;
    node_t *oldest;
    node_t *newest;
    uint64_t seed[2];
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein 2012). */
static uint64_t hash_of(const table_t *self, const uint8_t *key, size_t size)
{
    uint64_t v[4] = {self->seed[0] ^ 0x736f6d6570736575u, self->seed[1] ^ 0x646f72616e646f6du,
                     self->seed[0] ^ 0x6c7967656e657261u, self->seed[1] ^ 0x7465646279746573u};
    uint64_t last = (uint64_t)size << 56;
    for (; size >= 8; key += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, key, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = 0; i < size; i++)
        last |= (uint64_t)key[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

table_t *table_new(void)
{
    table_t *self = mem_zalloc(1, sizeof *self);
    self->chain_count = 64;
    self->chains = mem_zalloc(self->chain_count, sizeof *self->chains);
    randombytes_buf(self->seed, sizeof self->seed);
    return self;
}

void table_destroy(table_t **self)
{
    if (!*self)
        return;
    for (node_t *node = (*self)->oldest; node;) {
        node_t *newer = node->newer;
        free(node);
        node = newer;
    }
    free((*self)->chains);
    free(*self);
    *self = NULL;
}

size_t table_count(const table_t *self)
{
    return self->count;
}

static void unlink_use(table_t *self, node_t *node)
{
    *(node->older ? &node->older->newer : &self->oldest) = node->newer;
    *(node->newer ? &node->newer->older : &self->newest) = node->older;
}

static void link_newest(table_t *self, node_t *node)
{
    node->older = self->newest;
    node->newer = NULL;
    *(self->newest ? &self->newest->newer : &self->oldest) = node;
    self->newest = node;
}

static node_t **find_link(const table_t *self, const void *key, size_t key_size, uint64_t hash)
{
    node_t **link = &self->chains[hash & (self->chain_count - 1)];
    while (*link && ((*link)->hash != hash || (*link)->key_size != key_size ||
                     memcmp((*link)->key, key, key_size) != 0))
        link = &(*link)->next_in_chain;
    return link;
}

void *table_find(table_t *self, const void *key, size_t key_size)
{
    node_t *node = *find_link(self, key, key_size, hash_of(self, key, key_size));
    if (!node)
        return NULL;
    if (node != self->newest) {
        unlink_use(self, node);
        link_newest(self, node);
    }
    return node->value;
}

static void grow(table_t *self)
{
    free(self->chains);
    self->chain_count *= 2;
    self->chains = mem_zalloc(self->chain_count, sizeof *self->chains);
    for (node_t *node = self->oldest; node; node = node->newer) {
        node_t **chain = &self->chains[node->hash & (self->chain_count - 1)];
        node->next_in_chain = *chain;
        *chain = node;
    }
}

void table_add(table_t *self, const void *key, size_t key_size, void *value)
{
    assert(key_size <= TABLE_KEY_MAX_BYTES);
    node_t *node = mem_alloc(sizeof *node + key_size);
    node->hash = hash_of(self, key, key_size);
    node->value = value;
    node->key_size = (uint8_t)key_size;
    if (key_size)
        memcpy(node->key, key, key_size);
    node_t **chain = &self->chains[node->hash & (self->chain_count - 1)];
    node->next_in_chain = *chain;
    *chain = node;
    link_newest(self, node);
    if (++self->count > self->chain_count)
        grow(self);
}

void *table_remove(table_t *self, const void *key, size_t key_size)
{
    node_t **link = find_link(self, key, key_size, hash_of(self, key, key_size));
    node_t *node = *link;
    if (!node)
        return NULL;
    void *value = node->value;
    *link = node->next_in_chain;
    unlink_use(self, node);
    free(node);
    self->count--;
    return value;
}

void *table_oldest(const table_t *self)
{
    return self->oldest ? self->oldest->value : NULL;
}

void table_renew_oldest(table_t *self)
{
    node_t *node = self->oldest;
    if (!node)
        return;
    unlink_use(self, node);
    link_newest(self, node);
}

void *table_next(const table_t *self, void **cursor)
{
    /* The cursor is the node to return next, or the table itself at the end. */
    node_t *node = *cursor == NULL ? self->oldest : *cursor;
    if (!node || *cursor == (const void *)self)
        return NULL;
    union {
        const void *constant;
        void *plain;
    } end = {self};
    *cursor = node->newer ? (void *)node->newer : end.plain;
    return node->value;
}
