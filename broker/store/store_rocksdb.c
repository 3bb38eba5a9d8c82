/* SPDX-License-Identifier: MPL-2.0 */
/* The RocksDB engine: each value is stored behind its version (8 bytes, little endian), and each
   list of units becomes one synced write batch. */
#include "broker/store/store_rocksdb.h"

#include "broker/store/engine.h"
#include "broker/store/free_space.h"
#include "broker/store/rocksdb_batch.h"
#include "broker/store/rocksdb_database.h"
#include "broker/store/rocksdb_record.h"
#include "proto/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_RESERVE_BYTES (64u * 1024u * 1024u)

typedef struct {
    store_t base;
    rocksdb_database_t database;
    /* Read by each call, written by reopen. A visitor may read the store, so that read locks nest:
       it must prefer readers, as glibc's default kind does. */
    pthread_rwlock_t open_lock;
    atomic_bool failed;
    uint64_t reserve_bytes;
    /* The writing thread's own: */
    rocksdb_batch_t batch;
    free_space_t space;
} rocksdb_store_t;

/* Enters a call: STATUS_OK holds the lock until end_call. */
static status_t begin_call(rocksdb_store_t *self)
{
    pthread_rwlock_rdlock(&self->open_lock);
    if (!self->failed)
        return STATUS_OK;
    pthread_rwlock_unlock(&self->open_lock);
    return STATUS_STORE_FAILED;
}

static void end_call(rocksdb_store_t *self)
{
    pthread_rwlock_unlock(&self->open_lock);
}

static status_t engine_get(store_t *base, const void *key, size_t key_size, uint8_t **value,
                           size_t *value_size, uint64_t *version)
{
    rocksdb_store_t *self = (rocksdb_store_t *)base;
    status_t status = begin_call(self);
    if (status != STATUS_OK)
        return status;
    status = rocksdb_record_read(&self->database, key, key_size, value, value_size, version);
    end_call(self);
    return status;
}

static status_t visit_range(rocksdb_iterator_t *iterator, const store_range_t *range,
                            store_visit_t *visit, void *context)
{
    size_t left = range->limit ? range->limit : SIZE_MAX;
    for (; left > 0 && rocksdb_iter_valid(iterator); left--) {
        store_record_t record;
        record.key = (const uint8_t *)rocksdb_iter_key(iterator, &record.key_size);
        size_t size = 0;
        const char *bytes = rocksdb_iter_value(iterator, &size);
        if (size < ROCKSDB_RECORD_VERSION_SIZE)
            return STATUS_STORE_FAILED;
        record.value = (const uint8_t *)bytes + ROCKSDB_RECORD_VERSION_SIZE;
        record.value_size = size - ROCKSDB_RECORD_VERSION_SIZE;
        record.version = rocksdb_record_version(bytes);
        if (!visit(context, &record))
            return STATUS_OK;
        if (range->reverse)
            rocksdb_iter_prev(iterator);
        else
            rocksdb_iter_next(iterator);
    }
    char *error = NULL;
    rocksdb_iter_get_error(iterator, &error);
    return rocksdb_database_status(&error) == STATUS_OK ? STATUS_OK : STATUS_STORE_FAILED;
}

static status_t engine_range(store_t *base, const store_range_t *range, store_visit_t *visit,
                             void *context)
{
    static const char first_key[1] = {0}; /* after the empty key, which holds the format number */
    rocksdb_store_t *self = (rocksdb_store_t *)base;
    status_t status = begin_call(self);
    if (status != STATUS_OK)
        return status;
    bool has_from = range->from && range->from_size > 0;
    const char *from = has_from ? range->from : first_key;
    size_t from_size = has_from ? range->from_size : sizeof first_key;
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_iterate_lower_bound(options, from, from_size);
    if (range->to)
        rocksdb_readoptions_set_iterate_upper_bound(options, range->to, range->to_size);
    if (!range->to || store_key_compare(from, from_size, range->to, range->to_size) < 0) {
        rocksdb_iterator_t *iterator = rocksdb_create_iterator(self->database.db, options);
        if (range->reverse)
            rocksdb_iter_seek_to_last(iterator); /* below the upper bound */
        else
            rocksdb_iter_seek_to_first(iterator); /* from the lower bound */
        status = visit_range(iterator, range, visit, context);
        rocksdb_iter_destroy(iterator);
    }
    rocksdb_readoptions_destroy(options);
    end_call(self);
    return status;
}

static bool has_room(rocksdb_store_t *self, uint64_t bytes, bool needs_room)
{
    if (self->reserve_bytes == 0)
        return true;
    uint64_t needed = (needs_room ? self->reserve_bytes : self->reserve_bytes / 4) + bytes;
    return free_space_bytes(&self->space, self->database.dir) >= needed;
}

static bool take_room(rocksdb_store_t *self, const store_unit_t *units, size_t count)
{
    uint64_t bytes = 0;
    bool needs_room = false;
    for (size_t i = 0; i < count; i++) {
        bytes += units[i].size;
        needs_room |= store_unit_needs_room(&units[i]);
    }
    bool enough = has_room(self, bytes, needs_room);
    if (enough)
        free_space_spend(&self->space, bytes);
    return enough;
}

static status_t write_list(rocksdb_store_t *self, const store_unit_t *units, size_t count,
                           status_t *outcomes)
{
    if (!take_room(self, units, count))
        return STATUS_STORE_FULL;
    status_t status = rocksdb_batch_fill(&self->batch, &self->database, units, count, outcomes);
    if (status == STATUS_OK && rocksdb_writebatch_count(self->batch.writes) > 0) {
        char *error = NULL;
        rocksdb_write(self->database.db, self->database.write_options, self->batch.writes, &error);
        status = rocksdb_database_status(&error);
    }
    if (status == STATUS_OK)
        return STATUS_OK;
    self->failed = true;
    return STATUS_STORE_FAILED;
}

static status_t engine_write(store_t *base, const store_unit_t *units, size_t count,
                             status_t *outcomes)
{
    rocksdb_store_t *self = (rocksdb_store_t *)base;
    status_t status = begin_call(self);
    if (status != STATUS_OK)
        return status;
    status = write_list(self, units, count, outcomes);
    end_call(self);
    return status;
}

static status_t engine_reopen(store_t *base)
{
    rocksdb_store_t *self = (rocksdb_store_t *)base;
    pthread_rwlock_wrlock(&self->open_lock);
    rocksdb_database_close(&self->database);
    status_t status = rocksdb_database_open(&self->database);
    self->failed = status != STATUS_OK;
    self->space = (free_space_t){0};
    pthread_rwlock_unlock(&self->open_lock);
    return status;
}

static status_t engine_checkpoint(store_t *base, const char *dir)
{
    rocksdb_store_t *self = (rocksdb_store_t *)base;
    status_t status = begin_call(self);
    if (status != STATUS_OK)
        return status;
    char *error = NULL;
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(self->database.db, &error);
    if (checkpoint) {
        rocksdb_checkpoint_create(checkpoint, dir, 0, &error);
        rocksdb_checkpoint_object_destroy(checkpoint);
    }
    if (rocksdb_database_status(&error) != STATUS_OK || chmod(dir, 0700) != 0)
        status = STATUS_IO_ERROR;
    end_call(self);
    return status;
}

static status_t engine_room(store_t *base)
{
    rocksdb_store_t *self = (rocksdb_store_t *)base;
    status_t status = begin_call(self);
    if (status != STATUS_OK)
        return status;
    status = has_room(self, 0, true) ? STATUS_OK : STATUS_STORE_FULL;
    end_call(self);
    return status;
}

/* Files come and go while this runs; one that is gone takes no room. */
static status_t engine_size_bytes(store_t *base, uint64_t *size_bytes)
{
    rocksdb_store_t *self = (rocksdb_store_t *)base;
    DIR *dir = opendir(self->database.dir);
    if (!dir)
        return STATUS_IO_ERROR;
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        struct stat file;
        if (fstatat(dirfd(dir), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(file.st_mode))
            *size_bytes += (uint64_t)file.st_blocks * 512;
    }
    closedir(dir);
    return STATUS_OK;
}

static void engine_destroy(store_t *base)
{
    rocksdb_store_t *self = (rocksdb_store_t *)base;
    rocksdb_batch_wipe(&self->batch);
    rocksdb_database_wipe(&self->database);
    pthread_rwlock_destroy(&self->open_lock);
    free(self);
}

static const store_engine_t rocksdb_engine = {
    .get = engine_get,
    .range = engine_range,
    .write = engine_write,
    .reopen = engine_reopen,
    .checkpoint = engine_checkpoint,
    .room = engine_room,
    .size_bytes = engine_size_bytes,
    .destroy = engine_destroy,
};

void store_rocksdb_set_reserve(store_t *store, uint64_t reserve_bytes)
{
    rocksdb_store_t *self = (rocksdb_store_t *)store;
    self->reserve_bytes = reserve_bytes;
}

status_t store_rocksdb_open(const char *dir, const store_rocksdb_options_t *options,
                            store_t **store)
{
    *store = NULL;
    rocksdb_store_t *self = mem_zalloc(1, sizeof *self);
    status_t status = rocksdb_database_init(&self->database, dir, options);
    if (status != STATUS_OK) {
        free(self);
        return status;
    }
    self->base.engine = &rocksdb_engine;
    store_rocksdb_set_reserve(&self->base, options ? options->reserve_bytes : DEFAULT_RESERVE_BYTES);
    rocksdb_batch_init(&self->batch);
    pthread_rwlock_init(&self->open_lock, NULL);
    atomic_init(&self->failed, false);
    *store = &self->base;
    return STATUS_OK;
}
