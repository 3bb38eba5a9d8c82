/* SPDX-License-Identifier: MPL-2.0 */
/* What a broker keeps on disk: the data directory with its lock, the key, the store. */
#ifndef CONCLAVE_BROKER_BROKER_DATA_H
#define CONCLAVE_BROKER_BROKER_DATA_H

#include "broker/files/data_dir.h"
#include "broker/key_pair.h"
#include "broker/log.h"
#include "broker/store/store.h"

typedef struct {
    data_dir_t dir; /* its descriptors are -1 until they are open */
    key_pair_t key;
    store_t *store; /* of store_rocksdb_open */
} broker_data_t;

/*
 * Opens the three in that order, and makes what is not there yet; `path` empty: in the default
 * place. A key that is gone from a store that is there is not made anew, nor anything where a
 * restore was not finished. reserve_bytes: store_rocksdb.h. On failure the cause and what to do
 * about it are logged, and the status says no more than the log.
 * What is open then is closed in either case: store_destroy, key_pair_wipe, and last, for the
 * lock, data_dir_close.
 */
MUST_CHECK status_t broker_data_open(broker_data_t *self, const char *path, uint64_t reserve_bytes,
                                     log_t *log);

/* Says that what lies in the store can't be used, and what to do about it. */
void broker_data_log_store_refusal(const broker_data_t *self, log_t *log, status_t status);

#endif
