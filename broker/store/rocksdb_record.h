/* SPDX-License-Identifier: MPL-2.0 */
/* How a record lies in RocksDB: its version (8 bytes, little endian), then the value. */
#ifndef CONCLAVE_BROKER_STORE_ROCKSDB_RECORD_H
#define CONCLAVE_BROKER_STORE_ROCKSDB_RECORD_H

#include "broker/store/rocksdb_database.h"
#include "proto/status.h"

#include <stddef.h>
#include <stdint.h>

#define ROCKSDB_RECORD_VERSION_SIZE 8

/* Writes the version in front of a record; reads it from one of at least 8 bytes. */
void rocksdb_record_set_version(uint8_t bytes[static ROCKSDB_RECORD_VERSION_SIZE],
                                uint64_t version);
uint64_t rocksdb_record_version(const char *bytes);

/* Reads a record of an open database: store_get, with `value` NULL when only the version matters.
   STATUS_NOT_FOUND leaves the outputs alone. STATUS_STORE_FAILED. */
MUST_CHECK status_t rocksdb_record_read(const rocksdb_database_t *database, const void *key,
                                        size_t key_size, uint8_t **value, size_t *value_size,
                                        uint64_t *version);

#endif
