/* SPDX-License-Identifier: MPL-2.0 */
/* An ordered map from byte strings to fixed-size payloads: a skip list (Pugh, 1990). */
#ifndef CONCLAVE_BROKER_STORE_SKIP_LIST_H
#define CONCLAVE_BROKER_STORE_SKIP_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Order is that of store_key_compare. Find, add and remove are O(log n), a step to a neighbour
   O(1). The same calls build the same list: its randomness is a fixed sequence. Owned by one
   thread. */
typedef struct skip_list skip_list_t;
typedef struct skip_node skip_node_t;

skip_list_t *skip_list_new(size_t payload_size);

/* Frees the nodes; what payloads point to is the caller's to free before. */
void skip_list_destroy(skip_list_t **self);

/* Removes every node, in O(n). */
void skip_list_clear(skip_list_t *self);

size_t skip_list_count(const skip_list_t *self);

/* The node of this key, or NULL. Nodes live until they are removed. */
skip_node_t *skip_list_find(const skip_list_t *self, const void *key, size_t key_size);

/* The first node at or after the key (a NULL key: the first of all), or NULL. */
skip_node_t *skip_list_at_least(const skip_list_t *self, const void *key, size_t key_size);

/* The last node before the key (a NULL key: the last of all), or NULL. */
skip_node_t *skip_list_below(const skip_list_t *self, const void *key, size_t key_size);

/* The neighbours in order, or NULL. */
skip_node_t *skip_list_next(const skip_node_t *node);
skip_node_t *skip_list_previous(const skip_list_t *self, const skip_node_t *node);

/* The node of this key, made with a zeroed payload if it is not there; *added says which. */
skip_node_t *skip_list_add(skip_list_t *self, const void *key, size_t key_size, bool *added);

/* Removes and frees a node of this list. */
void skip_list_remove(skip_list_t *self, skip_node_t *node);

/* The node's key and payload; both live as long as the node. Payloads are aligned for pointers and
   64-bit integers. */
const uint8_t *skip_node_key(const skip_node_t *node, size_t *key_size);
void *skip_node_payload(skip_node_t *node);

#endif
