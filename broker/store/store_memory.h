/* SPDX-License-Identifier: MPL-2.0 */
/* The store in memory, for simulations and unit tests: the same contract, and faults on demand. */
#ifndef CONCLAVE_BROKER_STORE_STORE_MEMORY_H
#define CONCLAVE_BROKER_STORE_STORE_MEMORY_H

#include "broker/store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* An empty store. One thread only. Deterministic: no clock, no randomness. It asserts that keys put
   as new were absent, which the RocksDB engine takes on trust. */
store_t *store_memory_new(void);

/* What it holds, without its faults. */
store_t *store_memory_copy(store_t *base);

/* The next store_write of at least one unit answers STATUS_STORE_FAILED, and so does
   everything after it until store_reopen. `applied` says what the failure hid: written after all,
   or not. */
void store_memory_fail_next_write(store_t *self, bool applied);

/* While full, lists with a unit that needs room answer STATUS_STORE_FULL and store nothing; the
 * rest works. */
void store_memory_set_full(store_t *self, bool full);

/* The next `attempts` calls of store_reopen fail. */
void store_memory_fail_reopens(store_t *self, unsigned attempts);

/* Lists applied so far: what a disk would have synced. */
uint64_t store_memory_write_count(store_t *self);

#endif
