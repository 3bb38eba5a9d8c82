/* SPDX-License-Identifier: MPL-2.0 */
/* Reads and packs records as they lie in RocksDB. */
#include "broker/store/rocksdb_record.h"

#include "proto/memory.h"

void rocksdb_record_set_version(uint8_t bytes[static ROCKSDB_RECORD_VERSION_SIZE], uint64_t version)
{
    for (int i = 0; i < ROCKSDB_RECORD_VERSION_SIZE; i++)
        bytes[i] = (uint8_t)(version >> 8 * i);
}

uint64_t rocksdb_record_version(const char *bytes)
{
    uint64_t version = 0;
    for (int i = ROCKSDB_RECORD_VERSION_SIZE; i-- > 0;)
        version = version << 8 | (uint8_t)bytes[i];
    return version;
}

status_t rocksdb_record_read(const rocksdb_database_t *database, const void *key, size_t key_size,
                             uint8_t **value, size_t *value_size, uint64_t *version)
{
    char *error = NULL;
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned(database->db, database->read_options, key, key_size, &error);
    if (rocksdb_database_status(&error) != STATUS_OK)
        return STATUS_STORE_FAILED;
    if (!slice)
        return STATUS_NOT_FOUND;
    size_t size = 0;
    const char *bytes = rocksdb_pinnableslice_value(slice, &size);
    status_t status = size < ROCKSDB_RECORD_VERSION_SIZE ? STATUS_STORE_FAILED : STATUS_OK;
    if (status == STATUS_OK) {
        *version = rocksdb_record_version(bytes);
        if (value) {
            *value_size = size - ROCKSDB_RECORD_VERSION_SIZE;
            *value = mem_dup(bytes + ROCKSDB_RECORD_VERSION_SIZE, *value_size);
        }
    }
    rocksdb_pinnableslice_destroy(slice);
    return status;
}
