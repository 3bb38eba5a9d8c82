/* SPDX-License-Identifier: MPL-2.0 */
/* Fills the write batch of a list of units. */
#include "broker/store/rocksdb_batch.h"

#include "broker/store/rocksdb_record.h"
#include "broker/store/store.h"
#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

void rocksdb_batch_init(rocksdb_batch_t *self)
{
    *self = (rocksdb_batch_t){.writes = rocksdb_writebatch_create()};
    version_ledger_init(&self->ledger);
}

void rocksdb_batch_wipe(rocksdb_batch_t *self)
{
    rocksdb_writebatch_destroy(self->writes);
    version_ledger_wipe(&self->ledger);
    free(self->scratch);
    *self = (rocksdb_batch_t){0};
}

/* RocksDB's C interface takes bytes as char. */
static const char *chars(const void *bytes)
{
    return bytes;
}

/* The key's version after the units handled so far. */
static status_t current_version(rocksdb_batch_t *self, const rocksdb_database_t *database,
                                const store_op_t *op, uint64_t *version)
{
    if (version_ledger_find(&self->ledger, op->key, op->key_size, version))
        return STATUS_OK;
    *version = 0;
    status_t status = rocksdb_record_read(database, op->key, op->key_size, NULL, NULL, version);
    if (status == STATUS_STORE_FAILED)
        return status;
    version_ledger_set(&self->ledger, op->key, op->key_size, *version);
    return STATUS_OK;
}

/* STATUS_CONFLICT when an expected version doesn't hold. */
static status_t check_unit(rocksdb_batch_t *self, const rocksdb_database_t *database,
                           const store_unit_t *unit)
{
    store_op_t op;
    for (size_t at = 0; store_unit_next(unit, &at, &op);) {
        if (op.kind != STORE_OP_EXPECT)
            continue;
        uint64_t version;
        status_t status = current_version(self, database, &op, &version);
        if (status != STATUS_OK)
            return status;
        if (version != op.version)
            return STATUS_CONFLICT;
    }
    return STATUS_OK;
}

static status_t add_put(rocksdb_batch_t *self, const rocksdb_database_t *database,
                        const store_op_t *op)
{
    uint64_t version = op->version;
    if (version == STORE_VERSION_NEXT) {
        status_t status = current_version(self, database, op, &version);
        if (status != STATUS_OK)
            return status;
        version++;
    }
    size_t size = ROCKSDB_RECORD_VERSION_SIZE + op->value_size;
    if (size > self->scratch_size) {
        self->scratch = mem_realloc(self->scratch, size, 1);
        self->scratch_size = size;
    }
    rocksdb_record_set_version(self->scratch, version);
    memcpy(self->scratch + ROCKSDB_RECORD_VERSION_SIZE, op->value, op->value_size);
    rocksdb_writebatch_put(self->writes, chars(op->key), op->key_size, chars(self->scratch), size);
    version_ledger_set(&self->ledger, op->key, op->key_size, version);
    return STATUS_OK;
}

static status_t add_op(rocksdb_batch_t *self, const rocksdb_database_t *database,
                       const store_op_t *op)
{
    switch (op->kind) {
    case STORE_OP_EXPECT:
        break;
    case STORE_OP_PUT:
        return add_put(self, database, op);
    case STORE_OP_DELETE:
        rocksdb_writebatch_delete(self->writes, chars(op->key), op->key_size);
        version_ledger_set(&self->ledger, op->key, op->key_size, 0);
        break;
    case STORE_OP_DELETE_RANGE:
        if (store_key_compare(op->key, op->key_size, op->value, op->value_size) >= 0)
            break;
        rocksdb_writebatch_delete_range(self->writes, chars(op->key), op->key_size,
                                        chars(op->value), op->value_size);
        version_ledger_set_range_absent(&self->ledger, op->key, op->key_size, op->value,
                                        op->value_size);
        break;
    }
    return STATUS_OK;
}

status_t rocksdb_batch_fill(rocksdb_batch_t *self, const rocksdb_database_t *database,
                            const store_unit_t *units, size_t count, status_t *outcomes)
{
    rocksdb_writebatch_clear(self->writes);
    version_ledger_clear(&self->ledger);
    for (size_t i = 0; i < count; i++) {
        outcomes[i] = check_unit(self, database, &units[i]);
        if (outcomes[i] == STATUS_CONFLICT)
            continue;
        status_t status = outcomes[i];
        store_op_t op;
        for (size_t at = 0; status == STATUS_OK && store_unit_next(&units[i], &at, &op);)
            status = add_op(self, database, &op);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}
