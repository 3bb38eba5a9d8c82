/* SPDX-License-Identifier: MPL-2.0 */
/* A map from short keys of bytes to pointers that remembers the order of last use. */
#ifndef CONCLAVE_BROKER_RULES_TABLE_H
#define CONCLAVE_BROKER_RULES_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_KEY_MAX_BYTES 64

/* Keys come from clients, so the hash is SipHash-1-3 under a random key of each table's own. Values
 * are borrowed. */
typedef struct table table_t;

table_t *table_new(void);
void table_destroy(table_t **self); /* the values are the caller's affair */

size_t table_count(const table_t *self);

/* The value, now the most recently used; NULL if absent. */
void *table_find(table_t *self, const void *key, size_t key_size);

/* Adds under a key that is absent, as the most recently used. */
void table_add(table_t *self, const void *key, size_t key_size, void *value);

/* Removes and returns the value; NULL if absent. */
void *table_remove(table_t *self, const void *key, size_t key_size);

/* The least recently used value, NULL if empty; and making it the most recently used instead. */
void *table_oldest(const table_t *self);
void table_renew_oldest(table_t *self);

/* Walks from the least recently used: start with *cursor = NULL. The value returned may be removed
 * before the next call, no other may. */
void *table_next(const table_t *self, void **cursor);

#endif
