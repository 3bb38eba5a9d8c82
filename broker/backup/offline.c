/* SPDX-License-Identifier: MPL-2.0 */
/* Under the data directory's lock, so that no broker starts meanwhile. */
#include "broker/backup/offline.h"

#include "broker/backup/backup_info.h"
#include "broker/clock.h"
#include "broker/files/data_dir.h"
#include "broker/files/folder.h"
#include "broker/files/key_file.h"
#include "broker/files/private_file.h"
#include "broker/rules/check.h"
#include "broker/rules/restores.h"
#include "broker/store/store_rocksdb.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    FILE *out;
    FILE *err;
    data_dir_t dir;
} offline_t;

/* The data directory's path: the option's, or the default. */
static status_t find_path(const offline_t *self, const options_t *options,
                          char out[static PATH_MAX])
{
    status_t status = STATUS_OK;
    if (!*options->data) {
        status = data_dir_default_path(out);
    } else {
        snprintf(out, PATH_MAX, "%s", options->data);
    }
    if (status != STATUS_OK) {
        fputs("conclaved: no data directory: set HOME or give --data DIR\n", self->err);
    }
    return status;
}

static status_t open_dir(offline_t *self, const char *path)
{
    pid_t holder = 0;
    status_t status = data_dir_open(&self->dir, path, &holder);
    if (status == STATUS_HOME_IN_USE) {
        fprintf(self->err,
                "conclaved: %s: a broker runs on this directory (pid %ld): stop it first\n", path,
                (long)holder);
    } else if (status == STATUS_UNSAFE_PERMISSIONS) {
        fprintf(self->err,
                "conclaved: %s: it must be yours, and nobody else may write to it: chmod 700\n",
                path);
    } else if (status != STATUS_OK) {
        fprintf(self->err, "conclaved: %s: %s\n", path, strerrordesc_np(errno));
    }
    return status;
}

static void print_problem(void *context, const char *key, const char *reason)
{
    const offline_t *self = context;
    fprintf(self->out, "problem  %s: %s\n", key, reason);
}

/* `broker_key` NULL: there is none to verify registrations with. */
static status_t check(offline_t *self, const char *path, const uint8_t *broker_key)
{
    check_counts_t counts;
    store_t *store = NULL;
    const store_rocksdb_options_t options = {.read_only = true};
    status_t status = store_rocksdb_open(path, &options, &store);
    if (status != STATUS_OK) {
        fprintf(self->out, "problem  -: %s can't be opened: %s\n", path, status_text(status));
        return status;
    }
    status = check_run(store, broker_key, print_problem, self, &counts);
    store_destroy(&store);
    for (size_t i = 0; i < CHECK_KINDS; i++) {
        fprintf(self->out, "%8" PRIu64 " %s\n", counts.records[i], check_kind_name(i));
    }
    fprintf(self->out, "%8" PRIu64 " bytes\n%8" PRIu64 " problems\n", counts.bytes,
            counts.problems);
    return status == STATUS_OK && counts.problems > 0 ? STATUS_DAMAGED_FILE : status;
}

/* A key is not made where there is none, as a broker would. */
static status_t read_key(offline_t *self, key_pair_t *out)
{
    bool is_new;
    status_t status = STATUS_NOT_FOUND;
    if (faccessat(self->dir.fd, KEY_FILE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        status = key_file_open(out, self->dir.fd, &is_new);
    }
    if (status != STATUS_OK) {
        fprintf(self->out, "problem  -: " KEY_FILE_NAME ": %s; restore it from a backup\n",
                status_text(status));
    }
    return status;
}

status_t offline_fsck(const options_t *options, FILE *out, FILE *err)
{
    offline_t self = {.out = out, .err = err, .dir = {.fd = -1, .lock_fd = -1}};
    char path[PATH_MAX] = "", store[PATH_MAX + sizeof "/" DATA_STORE_NAME];
    key_pair_t key = {0};
    struct stat found;
    status_t status = find_path(&self, options, path);
    snprintf(store, sizeof store, "%s/" DATA_STORE_NAME, path);
    if (status == STATUS_OK && stat(store, &found) != 0) {
        fprintf(err,
                "conclaved: %s: %s: give the directory of a broker or of a backup: --data DIR\n",
                store, strerrordesc_np(errno));
        status = STATUS_NOT_FOUND;
    }
    if (status == STATUS_OK) {
        status = open_dir(&self, path);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status_t key_status = read_key(&self, &key);
    status = check(&self, store, key_status == STATUS_OK ? key.public_key : NULL);
    key_pair_wipe(&key);
    data_dir_close(&self.dir);
    fputs(status == STATUS_OK && key_status == STATUS_OK ? "sound\n" : "damaged\n", out);
    return status == STATUS_OK ? key_status : status;
}

/* --- Restore ---------------------------------------------------------------------------------- */

#define KEY_FILE_MAX_BYTES 512

typedef struct {
    offline_t base;
    const char *backup; /* its path */
    int backup_fd;
    backup_info_t info;
    key_pair_t key;
} restore_job_t;

static status_t open_backup(restore_job_t *self)
{
    FILE *err = self->base.err;
    bool is_new;
    self->backup_fd = open(self->backup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->backup_fd < 0) {
        fprintf(err, "conclaved: %s: %s\n", self->backup, strerrordesc_np(errno));
        return STATUS_IO_ERROR;
    }
    status_t status = backup_info_read(&self->info, self->backup_fd);
    if (status != STATUS_OK) {
        fprintf(err,
                "conclaved: %s is no backup that this version can read: " BACKUP_INFO_NAME ": %s\n",
                self->backup, status_text(status));
        return status;
    }
    status = STATUS_NOT_FOUND;
    if (faccessat(self->backup_fd, KEY_FILE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        status = key_file_open(&self->key, self->backup_fd, &is_new);
    }
    if (status != STATUS_OK) {
        fprintf(err, "conclaved: %s/" KEY_FILE_NAME ": %s\n", self->backup, status_text(status));
    }
    return status;
}

static bool is_there(int dir_fd, const char *name)
{
    return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A key that is there may only be the backup's own: with another one it is another broker. */
static status_t check_target(restore_job_t *self)
{
    const data_dir_t *dir = &self->base.dir;
    key_pair_t key = {0};
    bool is_new, is_same = true;
    if (is_there(dir->fd, DATA_STORE_NAME)) {
        fprintf(self->base.err,
                "conclaved: %s has a store already: move the directory away, or give another one "
                "with --data\n",
                dir->path);
        return STATUS_INVALID;
    }
    if (is_there(dir->fd, KEY_FILE_NAME)) {
        status_t status = key_file_open(&key, dir->fd, &is_new);
        is_same = status == STATUS_OK && sodium_memcmp(&key, &self->key, sizeof key) == 0;
        key_pair_wipe(&key);
    }
    if (!is_same) {
        fprintf(self->base.err,
                "conclaved: %s has the key of another broker than the backup: move it away, or "
                "give another directory with --data\n",
                dir->path);
    }
    return is_same ? STATUS_OK : STATUS_INVALID;
}

static status_t copy_store(restore_job_t *self)
{
    int fd = self->base.dir.fd;
    status_t status = folder_remove(fd, DATA_RESTORING_NAME);
    if (status == STATUS_OK) {
        status = folder_copy(self->backup_fd, BACKUP_STORE_NAME, fd, DATA_RESTORING_NAME);
    }
    if (status != STATUS_OK) {
        fprintf(self->base.err, "conclaved: the store can't be copied into %s: %s\n",
                self->base.dir.path, strerrordesc_np(errno));
    }
    return status;
}

/* A log that was cut off looks like one that a crash tore: only its size tells. */
static status_t check_size(restore_job_t *self)
{
    folder_size_t size;
    status_t status = folder_sync(self->base.dir.fd, DATA_RESTORING_NAME, &size);
    if (status != STATUS_OK) {
        fprintf(self->base.err, "conclaved: %s: %s\n", self->base.dir.path, strerrordesc_np(errno));
    } else if (size.bytes != self->info.store_bytes || size.files != self->info.store_files) {
        fprintf(
            self->base.err,
            "conclaved: the backup %s is damaged: it has %" PRIu64 " bytes in %" PRIu64
            " files, and " BACKUP_INFO_NAME " says %" PRIu64 " in %" PRIu64 "; take another one\n",
            self->backup, size.bytes, size.files, self->info.store_bytes, self->info.store_files);
        status = STATUS_DAMAGED_FILE;
    }
    return status;
}

static status_t stamp(restore_job_t *self, const char *path)
{
    const store_rocksdb_options_t options = {.reserve_bytes = 0};
    store_t *store = NULL;
    status_t status = store_rocksdb_open(path, &options, &store);
    if (status == STATUS_OK) {
        status = restore_stamp(store, wall_clock_ms());
    }
    store_destroy(&store);
    if (status != STATUS_OK) {
        fprintf(self->base.err, "conclaved: %s can't be written: %s\n", path, status_text(status));
    }
    return status;
}

/* The key first: the store's rename is what makes it a broker's. */
static status_t put_in_place(restore_job_t *self)
{
    uint8_t file[KEY_FILE_MAX_BYTES];
    size_t size = 0;
    int fd = self->base.dir.fd;
    status_t status = private_file_read(self->backup_fd, KEY_FILE_NAME, file, sizeof file, &size);
    if (status == STATUS_OK) {
        status = private_file_write(fd, KEY_FILE_NAME, file, size);
    }
    sodium_memzero(file, sizeof file);
    if (status == STATUS_OK &&
        (renameat(fd, DATA_RESTORING_NAME, fd, DATA_STORE_NAME) != 0 || fsync(fd) != 0)) {
        status = STATUS_IO_ERROR;
    }
    if (status != STATUS_OK) {
        fprintf(self->base.err, "conclaved: %s: %s\n", self->base.dir.path, strerrordesc_np(errno));
    }
    return status;
}

static status_t restore(restore_job_t *self)
{
    char path[PATH_MAX + sizeof "/" DATA_RESTORING_NAME];
    snprintf(path, sizeof path, "%s/" DATA_RESTORING_NAME, self->base.dir.path);
    status_t status = copy_store(self);
    if (status == STATUS_OK) {
        status = check_size(self);
    }
    if (status == STATUS_OK) {
        status = check(&self->base, path, self->key.public_key);
        if (status != STATUS_OK) {
            fprintf(self->base.err, "conclaved: the backup %s is damaged: take another one\n",
                    self->backup);
        }
    }
    if (status == STATUS_OK) {
        status = stamp(self, path);
    }
    if (status == STATUS_OK) {
        status = put_in_place(self);
    }
    if (status != STATUS_OK && folder_remove(self->base.dir.fd, DATA_RESTORING_NAME) != STATUS_OK) {
        fprintf(self->base.err, "conclaved: %s can't be removed: %s\n", path,
                strerrordesc_np(errno));
    }
    return status;
}

static void print_restored(const restore_job_t *self)
{
    char when[32];
    time_t seconds = (time_t)(self->info.time_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &utc);
    fprintf(self->base.out,
            "restored into %s: the broker as it was at %s\n"
            "What came later is lost here; clients are told so when they connect.\n",
            self->base.dir.path, when);
}

status_t offline_restore(const options_t *options, FILE *out, FILE *err)
{
    restore_job_t self = {.base = {.out = out, .err = err, .dir = {.fd = -1, .lock_fd = -1}},
                          .backup = options->restore,
                          .backup_fd = -1};
    char path[PATH_MAX];
    status_t status = find_path(&self.base, options, path);
    if (status == STATUS_OK) {
        status = open_backup(&self);
    }
    if (status == STATUS_OK) {
        status = open_dir(&self.base, path);
    }
    if (status == STATUS_OK) {
        status = check_target(&self);
    }
    if (status == STATUS_OK) {
        status = restore(&self);
    }
    if (status == STATUS_OK) {
        print_restored(&self);
    }
    key_pair_wipe(&self.key);
    data_dir_close(&self.base.dir);
    if (self.backup_fd >= 0) {
        close(self.backup_fd);
    }
    return status;
}
