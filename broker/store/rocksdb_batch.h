/* SPDX-License-Identifier: MPL-2.0 */
/* Turns a list of units into one RocksDB write batch, checking what they expect. */
#ifndef CONCLAVE_BROKER_STORE_ROCKSDB_BATCH_H
#define CONCLAVE_BROKER_STORE_ROCKSDB_BATCH_H

#include "broker/store/rocksdb_database.h"
#include "broker/store/unit.h"
#include "broker/store/version_ledger.h"
#include "proto/status.h"

#include <stddef.h>
#include <stdint.h>

/* Kept from list to list for its memory. Owned by the writing thread. */
typedef struct {
    rocksdb_writebatch_t *writes;
    version_ledger_t ledger;
    uint8_t *scratch; /* version and value side by side */
    size_t scratch_size;
} rocksdb_batch_t;

void rocksdb_batch_init(rocksdb_batch_t *self);
void rocksdb_batch_wipe(rocksdb_batch_t *self);

/* Fills `writes` from the units whose expectations hold; outcomes[i] is STATUS_OK or
   STATUS_CONFLICT. A version is read from the database only when it is expected or counted on from,
   and at most once a list. STATUS_STORE_FAILED: such a read failed. */
MUST_CHECK status_t rocksdb_batch_fill(rocksdb_batch_t *self, const rocksdb_database_t *database,
                                       const store_unit_t *units, size_t count, status_t *outcomes);

#endif
