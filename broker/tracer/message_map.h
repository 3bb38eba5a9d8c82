/* SPDX-License-Identifier: MPL-2.0 */
/* Remembers something of the last so many messages, by group and sequence. */
#ifndef CONCLAVE_BROKER_TRACER_MESSAGE_MAP_H
#define CONCLAVE_BROKER_TRACER_MESSAGE_MAP_H

#include "proto/name.h"

typedef struct message_map message_map_t;

/* Room for `capacity` values of value_size bytes each: the oldest makes room for a new one. */
message_map_t *message_map_new(size_t capacity, size_t value_size);
void message_map_destroy(message_map_t **self);

/* The value's place, zeroed if the message is new, aligned for any type; lent until the next put.
 */
void *message_map_put(message_map_t *self, const name_t *group, uint64_t sequence);
/* NULL: not known, or no longer. Lent until the next put. */
void *message_map_get(const message_map_t *self, const name_t *group, uint64_t sequence);

#endif
