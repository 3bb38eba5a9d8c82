/* SPDX-License-Identifier: MPL-2.0 */
/* The store on disk, kept by RocksDB. */
#ifndef CONCLAVE_BROKER_STORE_STORE_ROCKSDB_H
#define CONCLAVE_BROKER_STORE_STORE_ROCKSDB_H

#include "broker/store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* Sizes in bytes; 0 takes the default in brackets. */
typedef struct {
    uint64_t reserve_bytes;      /* free space below which writes are refused; 0: none */
    uint64_t write_buffer_bytes; /* [32 MiB] of each of two memory tables */
    uint64_t cache_bytes;        /* [32 MiB] block cache */
    int max_open_files;          /* [256] */
    int background_jobs;         /* [2] threads for flush and compaction */
    bool read_only;              /* [false] nothing is made or changed; every write fails */
} store_rocksdb_options_t;

/* Opens the store in `dir`, which is created (mode 0700) if it is not there; its parent must exist.
   `options` may be NULL: the defaults, and a reserve of 64 MiB. *store is NULL on failure. RocksDB starts background threads here: block
   signals and load seccomp filters before.
   STATUS_HOME_IN_USE: open elsewhere, in this process or another. STATUS_NEWER_FORMAT: written by a
   newer version. STATUS_DAMAGED_FILE: not a store of ours, or corrupt. STATUS_UNSAFE_PERMISSIONS:
   others can enter the directory. STATUS_IO_ERROR. */
MUST_CHECK status_t store_rocksdb_open(const char *dir, const store_rocksdb_options_t *options,
                                       store_t **store);

/* `store` is one of store_rocksdb_open that is not being written. reserve_bytes: as above. */
void store_rocksdb_set_reserve(store_t *store, uint64_t reserve_bytes);

#endif
