/* SPDX-License-Identifier: MPL-2.0 */
/* One atomic unit of a write: what it expects, and the puts and deletes that follow from it. */
#ifndef CONCLAVE_BROKER_STORE_UNIT_H
#define CONCLAVE_BROKER_STORE_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A plain value: operations one after another in one growing buffer, so that a hundred puts cost a
   handful of allocations, and none when the unit is cleared and used again. Keys and values are
   copied in. Owned by one thread at a time. Keys are never empty. */
typedef struct {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    size_t count;     /* operations */
    size_t put_count; /* how many of them are puts */
    bool is_upkeep;   /* its puts only serve to make room: it may use the reserve of a full disk */
} store_unit_t;

typedef enum {
    STORE_OP_EXPECT,      /* key, version */
    STORE_OP_PUT,         /* key, value, version (or STORE_VERSION_NEXT) */
    STORE_OP_DELETE,      /* key */
    STORE_OP_DELETE_RANGE /* key = from, value = to */
} store_op_kind_t;

/* "One more than the record has now": the engine finds out, by a read where it must. */
#define STORE_VERSION_NEXT UINT64_MAX

/* One operation, lent from the unit until that is changed. */
typedef struct {
    store_op_kind_t kind;
    const uint8_t *key;
    size_t key_size;
    const uint8_t *value;
    size_t value_size;
    uint64_t version;
} store_op_t;

/* Makes an empty unit; a zeroed store_unit_t is one too. */
void store_unit_init(store_unit_t *self);

/* Empties the unit and keeps its memory. */
void store_unit_clear(store_unit_t *self);

/* Releases the memory; the unit is empty and usable again. */
void store_unit_wipe(store_unit_t *self);

bool store_unit_is_empty(const store_unit_t *self);

/* Whether it needs more than the reserve: it has puts, and isn't upkeep. */
bool store_unit_needs_room(const store_unit_t *self);

/* The unit is written only if the key has this version before the unit (0 = absent). All
   expectations are checked before the first write of the unit, wherever they stand in it. */
void store_unit_expect(store_unit_t *self, const void *key, size_t key_size, uint64_t version);

/* Puts a record; its version becomes one more than it was. Costs a read unless the unit also
   expects a version of this key, or the engine happens to know it. */
void store_unit_put(store_unit_t *self, const void *key, size_t key_size, const void *value,
                    size_t value_size);

/* Puts a record whose key the caller knows to be absent: version 1, without a read or a check. */
void store_unit_put_new(store_unit_t *self, const void *key, size_t key_size, const void *value,
                        size_t value_size);

/* Puts a record with the version that the caller worked out, without a read or a check. For puts
   that a version expected elsewhere in the unit makes safe. `version` is 1 or more. */
void store_unit_put_version(store_unit_t *self, const void *key, size_t key_size, const void *value,
                            size_t value_size, uint64_t version);

/* Deletes a record; deleting what is absent is fine. */
void store_unit_delete(store_unit_t *self, const void *key, size_t key_size);

/* Deletes from <= key < to. Both ends are needed; an empty range deletes nothing. */
void store_unit_delete_range(store_unit_t *self, const void *from, size_t from_size, const void *to,
                             size_t to_size);

/* Reads the operations in order: start with *offset = 0; false at the end. */
bool store_unit_next(const store_unit_t *self, size_t *offset, store_op_t *op);

#endif
