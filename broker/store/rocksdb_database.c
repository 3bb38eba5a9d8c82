/* SPDX-License-Identifier: MPL-2.0 */
/* Opens the RocksDB database of a store. */
#include "broker/store/rocksdb_database.h"

#include "proto/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB                 (1024u * 1024u)
#define LOG_LEVEL_HEADER    5 /* below it, a full disk makes the info log abort the process */
#define FILTER_BITS_PER_KEY 10

static rocksdb_options_t *make_options(const store_rocksdb_options_t *sizes, rocksdb_cache_t *cache)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_info_log_level(options, LOG_LEVEL_HEADER);
    rocksdb_options_set_keep_log_file_num(options, 2);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    rocksdb_options_set_write_buffer_size(
        options, sizes->write_buffer_bytes ? (size_t)sizes->write_buffer_bytes : 32 * MIB);
    rocksdb_options_set_max_write_buffer_number(options, 2);
    rocksdb_options_set_allow_concurrent_memtable_write(options, 0); /* there is one writer */
    rocksdb_options_set_max_open_files(options,
                                       sizes->max_open_files ? sizes->max_open_files : 256);
    rocksdb_options_set_max_file_opening_threads(options, 1);
    rocksdb_options_set_max_background_jobs(options,
                                            sizes->background_jobs ? sizes->background_jobs : 2);
    rocksdb_options_set_bytes_per_sync(options, MIB);
    /* Damage in the middle of the log must show when opening, and not silently cut off what was
       acknowledged after it; only a torn last record is what a crash leaves. */
    rocksdb_options_set_wal_recovery_mode(options,
                                          rocksdb_tolerate_corrupted_tail_records_recovery);
    /* Most bytes are sealed and don't compress. */
    rocksdb_options_set_compression(options, rocksdb_no_compression);

    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(FILTER_BITS_PER_KEY));
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    return options;
}

static status_t sync_parent(const char *dir)
{
    char *path = mem_strdup(dir);
    int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(path);
    if (fd < 0)
        return STATUS_IO_ERROR;
    status_t status = fsync(fd) == 0 ? STATUS_OK : STATUS_IO_ERROR;
    close(fd);
    return status;
}

/* The lock is on the directory itself, so that no file name is needed and a second open in the same
   process is refused too. RocksDB's own lock has no error code that tells it from others. */
static status_t lock_dir(rocksdb_database_t *self)
{
    bool made = !self->read_only && mkdir(self->dir, 0700) == 0;
    if (!made && !self->read_only && errno != EEXIST)
        return STATUS_IO_ERROR;
    if (made && sync_parent(self->dir) != STATUS_OK)
        return STATUS_IO_ERROR;
    self->dir_fd = open(self->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat found;
    if (self->dir_fd < 0 || fstat(self->dir_fd, &found) != 0)
        return STATUS_IO_ERROR;
    if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return STATUS_UNSAFE_PERMISSIONS;
    if (flock(self->dir_fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? STATUS_HOME_IN_USE : STATUS_IO_ERROR;
    return STATUS_OK;
}

status_t rocksdb_database_status(char **error)
{
    static const struct {
        const char *start;
        status_t status;
    } causes[] = {
        {"IO error: While lock file", STATUS_HOME_IN_USE},
        {"IO error: lock hold by current process", STATUS_HOME_IN_USE},
        {"Corruption", STATUS_DAMAGED_FILE},
        {"Invalid argument", STATUS_DAMAGED_FILE},
        {"Not implemented", STATUS_NEWER_FORMAT},
    };
    if (!*error)
        return STATUS_OK;
    status_t status = STATUS_IO_ERROR;
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
        if (strncmp(*error, causes[i].start, strlen(causes[i].start)) == 0)
            status = causes[i].status;
    rocksdb_free(*error);
    *error = NULL;
    return status;
}

static bool has_records(rocksdb_database_t *self)
{
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(self->db, self->read_options);
    rocksdb_iter_seek_to_first(iterator);
    char *error = NULL;
    rocksdb_iter_get_error(iterator, &error);
    bool some = rocksdb_iter_valid(iterator) || error;
    rocksdb_free(error);
    rocksdb_iter_destroy(iterator);
    return some;
}

static status_t write_format(rocksdb_database_t *self)
{
    static const char bytes[4] = {STORE_FORMAT & 0xff, STORE_FORMAT >> 8, 0, 0};
    char *error = NULL;
    rocksdb_put(self->db, self->write_options, "", 0, bytes, sizeof bytes, &error);
    return rocksdb_database_status(&error);
}

/* An empty database without a number is one whose creation was interrupted. */
static status_t check_format(rocksdb_database_t *self)
{
    char *error = NULL;
    size_t size = 0;
    char *bytes = rocksdb_get(self->db, self->read_options, "", 0, &size, &error);
    status_t status = rocksdb_database_status(&error);
    if (status == STATUS_OK && !bytes)
        status = self->read_only || has_records(self) ? STATUS_DAMAGED_FILE : write_format(self);
    else if (status == STATUS_OK && size != 4)
        status = STATUS_DAMAGED_FILE;
    else if (status == STATUS_OK) {
        const unsigned char *b = (const unsigned char *)bytes;
        uint32_t format = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        if (format != STORE_FORMAT)
            status = format > STORE_FORMAT ? STATUS_NEWER_FORMAT : STATUS_DAMAGED_FILE;
    }
    rocksdb_free(bytes);
    return status;
}

/* Recovery writes what the log held into a synced table: a list whose sync failed and that is still
   in the page cache is durable once it can be read again. Keep avoid_flush_during_recovery off. */
status_t rocksdb_database_open(rocksdb_database_t *self)
{
    char *error = NULL;
    self->db = self->read_only ? rocksdb_open_for_read_only(self->options, self->dir, 0, &error)
                               : rocksdb_open(self->options, self->dir, &error);
    status_t status = rocksdb_database_status(&error);
    if (status == STATUS_OK)
        status = check_format(self);
    if (status != STATUS_OK)
        rocksdb_database_close(self);
    return status;
}

void rocksdb_database_close(rocksdb_database_t *self)
{
    if (self->db)
        rocksdb_close(self->db);
    self->db = NULL;
}

status_t rocksdb_database_init(rocksdb_database_t *self, const char *dir,
                               const store_rocksdb_options_t *options)
{
    static const store_rocksdb_options_t defaults = {0};
    const store_rocksdb_options_t *sizes = options ? options : &defaults;
    *self =
        (rocksdb_database_t){.dir = mem_strdup(dir), .read_only = sizes->read_only, .dir_fd = -1};
    status_t status = lock_dir(self);
    if (status != STATUS_OK)
        goto out;
    self->cache =
        rocksdb_cache_create_lru(sizes->cache_bytes ? (size_t)sizes->cache_bytes : 32 * MIB);
    self->options = make_options(sizes, self->cache);
    self->read_options = rocksdb_readoptions_create();
    self->write_options = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(self->write_options, 1);
    status = rocksdb_database_open(self);
out:
    if (status != STATUS_OK)
        rocksdb_database_wipe(self);
    return status;
}

void rocksdb_database_wipe(rocksdb_database_t *self)
{
    rocksdb_database_close(self);
    if (self->write_options)
        rocksdb_writeoptions_destroy(self->write_options);
    if (self->read_options)
        rocksdb_readoptions_destroy(self->read_options);
    if (self->options)
        rocksdb_options_destroy(self->options);
    if (self->cache)
        rocksdb_cache_destroy(self->cache);
    if (self->dir_fd >= 0)
        close(self->dir_fd);
    free(self->dir);
    *self = (rocksdb_database_t){.dir_fd = -1};
}
