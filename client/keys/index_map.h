/* SPDX-License-Identifier: MPL-2.0 */
/* A small hash map from 32-bit indices to values of one fixed size that may be secret: whatever
 * leaves it is wiped. */
#ifndef CONCLAVE_CLIENT_KEYS_INDEX_MAP_H
#define CONCLAVE_CLIENT_KEYS_INDEX_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t value_bytes;
    size_t count;
    size_t capacity; /* a power of two, or 0 */
    uint32_t *keys;
    uint8_t *values;
    bool *used;
} index_map_t;

void index_map_init(index_map_t *self, size_t value_bytes);
void index_map_wipe(index_map_t *self); /* empty again, and usable */
/* NULL if absent. Pointers live until the next put or remove. */
void *index_map_get(const index_map_t *self, uint32_t key);
/* The value's place, zeroed if new. */
void *index_map_put(index_map_t *self, uint32_t key);
void index_map_remove(index_map_t *self, uint32_t key);
/* All keys in ascending order; owned by the caller (free). NULL if there are none. */
uint32_t *index_map_keys(const index_map_t *self);

#endif
