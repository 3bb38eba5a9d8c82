/* SPDX-License-Identifier: MPL-2.0 */
/* Skip list whose nodes hold their tower, payload and key in one allocation. */
#include "broker/store/skip_list.h"

#include "broker/store/store.h"
#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

#define MAX_HEIGHT 14 /* with a quarter going up each time: 4^14 nodes */

struct skip_node {
    skip_node_t *previous; /* the head's sentinel for the first node */
    const uint8_t *key;
    size_t key_size;
    void *payload;
    size_t height;
    skip_node_t *next[];
};

struct skip_list {
    skip_node_t *head; /* sentinel of full height, below every key */
    skip_node_t *last; /* the head when empty */
    size_t payload_size;
    size_t count;
    uint64_t random;
};

static skip_node_t *new_node(size_t height, size_t payload_size, const void *key, size_t key_size)
{
    size_t payload_at = sizeof(skip_node_t) + height * sizeof(skip_node_t *);
    skip_node_t *node = mem_alloc(payload_at + payload_size + key_size);
    memset(node, 0, payload_at + payload_size);
    uint8_t *bytes = (uint8_t *)node;
    node->payload = bytes + payload_at;
    node->height = height;
    node->key_size = key_size;
    node->key = bytes + payload_at + payload_size;
    if (key_size)
        memcpy(bytes + payload_at + payload_size, key, key_size);
    return node;
}

skip_list_t *skip_list_new(size_t payload_size)
{
    skip_list_t *self = mem_zalloc(1, sizeof *self);
    size_t word = sizeof(uint64_t);
    self->payload_size = (payload_size + word - 1) / word * word;
    self->head = new_node(MAX_HEIGHT, 0, NULL, 0);
    self->last = self->head;
    self->random = 0x9e3779b97f4a7c15u;
    return self;
}

void skip_list_clear(skip_list_t *self)
{
    skip_node_t *node = self->head->next[0];
    while (node) {
        skip_node_t *next = node->next[0];
        free(node);
        node = next;
    }
    memset(self->head->next, 0, MAX_HEIGHT * sizeof(skip_node_t *));
    self->last = self->head;
    self->count = 0;
}

void skip_list_destroy(skip_list_t **self)
{
    if (!*self)
        return;
    skip_list_clear(*self);
    free((*self)->head);
    free(*self);
    *self = NULL;
}

size_t skip_list_count(const skip_list_t *self)
{
    return self->count;
}

/* The last node before the key, possibly the head; fills the path taken when asked. */
static skip_node_t *descend(const skip_list_t *self, const void *key, size_t key_size,
                            skip_node_t **path)
{
    skip_node_t *node = self->head;
    for (size_t level = MAX_HEIGHT; level-- > 0;) {
        skip_node_t *next = node->next[level];
        while (next && store_key_compare(next->key, next->key_size, key, key_size) < 0) {
            node = next;
            next = node->next[level];
        }
        if (path)
            path[level] = node;
    }
    return node;
}

static bool has_key(const skip_node_t *node, const void *key, size_t key_size)
{
    return node && node->key_size == key_size && memcmp(node->key, key, key_size) == 0;
}

skip_node_t *skip_list_find(const skip_list_t *self, const void *key, size_t key_size)
{
    skip_node_t *node = descend(self, key, key_size, NULL)->next[0];
    return has_key(node, key, key_size) ? node : NULL;
}

skip_node_t *skip_list_at_least(const skip_list_t *self, const void *key, size_t key_size)
{
    return key ? descend(self, key, key_size, NULL)->next[0] : self->head->next[0];
}

skip_node_t *skip_list_below(const skip_list_t *self, const void *key, size_t key_size)
{
    skip_node_t *node = key ? descend(self, key, key_size, NULL) : self->last;
    return node == self->head ? NULL : node;
}

skip_node_t *skip_list_next(const skip_node_t *node)
{
    return node->next[0];
}

skip_node_t *skip_list_previous(const skip_list_t *self, const skip_node_t *node)
{
    return node->previous == self->head ? NULL : node->previous;
}

/* xorshift64 (Marsaglia, 2003). */
static size_t random_height(skip_list_t *self)
{
    uint64_t x = self->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    self->random = x;
    size_t height = 1;
    for (; height < MAX_HEIGHT && (x & 3) == 0; x >>= 2)
        height++;
    return height;
}

skip_node_t *skip_list_add(skip_list_t *self, const void *key, size_t key_size, bool *added)
{
    skip_node_t *path[MAX_HEIGHT];
    skip_node_t *node = descend(self, key, key_size, path)->next[0];
    *added = !has_key(node, key, key_size);
    if (!*added)
        return node;
    node = new_node(random_height(self), self->payload_size, key, key_size);
    for (size_t level = 0; level < node->height; level++) {
        node->next[level] = path[level]->next[level];
        path[level]->next[level] = node;
    }
    node->previous = path[0];
    if (node->next[0])
        node->next[0]->previous = node;
    else
        self->last = node;
    self->count++;
    return node;
}

void skip_list_remove(skip_list_t *self, skip_node_t *node)
{
    skip_node_t *path[MAX_HEIGHT];
    (void)descend(self, node->key, node->key_size, path);
    for (size_t level = 0; level < node->height; level++)
        path[level]->next[level] = node->next[level];
    if (node->next[0])
        node->next[0]->previous = node->previous;
    else
        self->last = node->previous;
    self->count--;
    free(node);
}

const uint8_t *skip_node_key(const skip_node_t *node, size_t *key_size)
{
    *key_size = node->key_size;
    return node->key;
}

void *skip_node_payload(skip_node_t *node)
{
    return node->payload;
}
