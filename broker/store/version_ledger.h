/* SPDX-License-Identifier: MPL-2.0 */
/* Which version each key has after the units handled so far of one list, without asking the disk.
 */
#ifndef CONCLAVE_BROKER_STORE_VERSION_LEDGER_H
#define CONCLAVE_BROKER_STORE_VERSION_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const uint8_t *key;
    size_t key_size;
    uint64_t hash;
    uint64_t version;
    uint64_t order; /* when it was set, counted with the ranges; 0 = free slot */
} ledger_slot_t;

typedef struct {
    const uint8_t *from;
    size_t from_size;
    const uint8_t *to;
    size_t to_size;
    uint64_t order;
} ledger_range_t;

/* A hash table that is cleared in O(1) and keeps its memory. Keys are borrowed until the clear.
   Owned by one thread. */
typedef struct {
    ledger_slot_t *slots;
    size_t slot_count; /* a power of two, at most half in use */
    size_t used;
    ledger_range_t *ranges;
    size_t range_count;
    size_t range_capacity;
    uint64_t order; /* grows for ever */
    uint64_t start; /* orders up to this are from before the last clear */
} version_ledger_t;

void version_ledger_init(version_ledger_t *self);
void version_ledger_wipe(version_ledger_t *self);
void version_ledger_clear(version_ledger_t *self);

/* The key has this version now (0 = absent). */
void version_ledger_set(version_ledger_t *self, const uint8_t *key, size_t key_size,
                        uint64_t version);

/* Every key with from <= key < to is absent now. */
void version_ledger_set_range_absent(version_ledger_t *self, const uint8_t *from, size_t from_size,
                                     const uint8_t *to, size_t to_size);

/* False when the ledger says nothing about the key. */
bool version_ledger_find(const version_ledger_t *self, const uint8_t *key, size_t key_size,
                         uint64_t *version);

#endif
