/* SPDX-License-Identifier: MPL-2.0 */
/* Opening and closing the RocksDB database of a store: directory, lock, options, format number. */
#ifndef CONCLAVE_BROKER_STORE_ROCKSDB_DATABASE_H
#define CONCLAVE_BROKER_STORE_ROCKSDB_DATABASE_H

#include "broker/store/store_rocksdb.h"
#include "proto/status.h"

#include <rocksdb/c.h>

/* Number of the layout of keys and values; kept in the record of the empty key as 4 bytes, little
   endian. A store with a higher number is refused. */
#define STORE_FORMAT 1

/* Plain struct, embedded. While `db` is NULL it is closed; the directory's lock stays held. */
typedef struct {
    char *dir;
    bool read_only;
    int dir_fd; /* holds the lock (flock); -1 = none */
    rocksdb_options_t *options;
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read_options;
    rocksdb_writeoptions_t *write_options; /* synced */
    rocksdb_t *db;
} rocksdb_database_t;

/* Makes or checks the directory, locks it and opens the database. Statuses: store_rocksdb_open.
   On failure nothing is held. */
MUST_CHECK status_t rocksdb_database_init(rocksdb_database_t *self, const char *dir,
                                          const store_rocksdb_options_t *options);

/* Opens the database of a closed one. */
MUST_CHECK status_t rocksdb_database_open(rocksdb_database_t *self);

/* Closes the database, keeps the lock. Nobody may be using `db`. */
void rocksdb_database_close(rocksdb_database_t *self);

/* Closes everything and releases the lock. */
void rocksdb_database_wipe(rocksdb_database_t *self);

/* The cause behind a RocksDB error text, which is freed and set to NULL. NULL is STATUS_OK. */
status_t rocksdb_database_status(char **error);

#endif
