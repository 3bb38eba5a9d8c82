/* SPDX-License-Identifier: MPL-2.0 */
/* Beside the target and renamed at the end; whoever makes it holds the lock of the partial folder.
 */
#include "broker/backup/backup.h"

#include "broker/clock.h"
#include "broker/files/folder.h"
#include "broker/files/key_file.h"
#include "broker/files/private_file.h"
#include "proto/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define KEY_FILE_MAX_BYTES 512

typedef struct {
    const backup_source_t *source;
    backup_report_t *report;
    char dir[PATH_MAX]; /* without slashes at its end */
    char partial[PATH_MAX];
    const char *name; /* of both, in their parent */
    const char *partial_name;
    int parent_fd;
    int partial_fd; /* locked */
    bool is_made;   /* the partial folder is ours, to be removed on failure */
} backup_t;

static status_t failed(backup_t *self, status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static status_t failed(backup_t *self, status_t status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->report->problem, sizeof self->report->problem, format, arguments);
    va_end(arguments);
    return status;
}

static status_t failed_by(backup_t *self, const char *what)
{
    status_t status = errno == ENOSPC || errno == EDQUOT ? STATUS_DISK_FULL : STATUS_IO_ERROR;
    return failed(self, status, "%s: %s: %s", self->partial, what, strerrordesc_np(errno));
}

static status_t set_paths(backup_t *self, const char *dir)
{
    size_t size = strlen(dir);
    while (size > 1 && dir[size - 1] == '/') {
        size--;
    }
    if (size < 2 || dir[0] != '/' || size + sizeof ".partial/" BACKUP_STORE_NAME > PATH_MAX) {
        return failed(self, STATUS_INVALID, "'%s' is no absolute path of a new directory", dir);
    }
    snprintf(self->dir, sizeof self->dir, "%.*s", (int)size, dir);
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): with its NUL, and it fits */
    memcpy(stpcpy(self->partial, self->dir), ".partial", sizeof ".partial");
    self->name = strrchr(self->dir, '/') + 1;
    self->partial_name = self->partial + (self->name - self->dir);
    return STATUS_OK;
}

static status_t open_parent(backup_t *self)
{
    char parent[PATH_MAX];
    size_t size = (size_t)(self->name - self->dir);
    snprintf(parent, sizeof parent, "%.*s", (int)size, self->dir);
    self->parent_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->parent_fd >= 0) {
        return STATUS_OK;
    }
    status_t status = errno == ENOENT || errno == ENOTDIR ? STATUS_INVALID : STATUS_IO_ERROR;
    return failed(self, status, "%s: %s; make it first", parent, strerrordesc_np(errno));
}

/* Whether every entry's name passes; an entry that can't be read doesn't. Closes fd. */
static bool all_entries(int fd, bool (*passes)(const char *name))
{
    DIR *entries = fdopendir(fd);
    bool do_pass = entries != NULL;
    if (!entries) {
        close(fd);
        return false;
    }
    for (const struct dirent *entry; do_pass && (entry = readdir(entries));) {
        bool is_itself = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        do_pass = is_itself || passes(entry->d_name);
    }
    closedir(entries);
    return do_pass;
}

static bool no_name(const char *name)
{
    (void)name;
    return false;
}

/* What a backup makes, and what writing that may leave beside it. */
static bool is_of_backup(const char *name)
{
    static const char *const names[] = {BACKUP_STORE_NAME, KEY_FILE_NAME, BACKUP_INFO_NAME};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size = strlen(names[i]);
        if (strncmp(name, names[i], size) == 0 && (name[size] == '\0' || name[size] == '.')) {
            return true;
        }
    }
    return false;
}

/* Missing or empty: an empty directory is replaced by the rename at the end, and stays if there is
 * none. */
static status_t check_target(backup_t *self)
{
    int fd = openat(self->parent_fd, self->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return STATUS_OK;
    }
    if (fd < 0 && errno != ENOTDIR && errno != ELOOP) {
        return failed(self, STATUS_IO_ERROR, "%s: %s", self->dir, strerrordesc_np(errno));
    }
    if (fd < 0 || !all_entries(fd, no_name)) {
        return failed(self, STATUS_INVALID, "%s is there and not empty; give a new directory",
                      self->dir);
    }
    return STATUS_OK;
}

static status_t lock_partial(backup_t *self)
{
    self->partial_fd = openat(self->parent_fd, self->partial_name,
                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (self->partial_fd < 0) {
        return failed_by(self, "can't be opened");
    }
    if (flock(self->partial_fd, LOCK_EX | LOCK_NB) != 0) {
        return failed(self, STATUS_CONFLICT, "another backup into %s is being made", self->dir);
    }
    return STATUS_OK;
}

static status_t make_partial(backup_t *self)
{
    if (mkdirat(self->parent_fd, self->partial_name, 0700) != 0) {
        status_t status = errno == EEXIST ? lock_partial(self) : failed_by(self, "can't be made");
        if (status != STATUS_OK) {
            return status;
        }
        if (!all_entries(self->partial_fd, is_of_backup)) {
            self->partial_fd = -1;
            return failed(self, STATUS_INVALID,
                          "%s is there, and it is not what an interrupted backup leaves; give "
                          "another directory",
                          self->partial);
        }
        self->partial_fd = -1;
        if (folder_remove(self->parent_fd, self->partial_name) != STATUS_OK ||
            mkdirat(self->parent_fd, self->partial_name, 0700) != 0) {
            return failed_by(self, "what an interrupted backup left can't be removed");
        }
    }
    status_t status = lock_partial(self);
    self->is_made = status == STATUS_OK;
    return status;
}

/* Where the tables are linked only the log is copied, which the reserve has room for. */
static status_t check_space(backup_t *self)
{
    struct statvfs room;
    struct stat here, there;
    uint64_t needed = 0;
    if (fstatvfs(self->partial_fd, &room) != 0 || fstat(self->partial_fd, &there) != 0 ||
        fstat(self->source->data_fd, &here) != 0) {
        return failed_by(self, "its file system can't be asked");
    }
    if (here.st_dev != there.st_dev &&
        store_size_bytes(self->source->store, &needed) != STATUS_OK) {
        return failed(self, STATUS_STORE_FAILED, "the store's size can't be found");
    }
    const uint64_t bytes = (uint64_t)room.f_bavail * room.f_frsize;
    const uint64_t reserve = atomic_load(self->source->reserve_bytes);
    if (bytes >= reserve && bytes - reserve >= needed) {
        return STATUS_OK;
    }
    return failed(self, STATUS_DISK_FULL,
                  "%s: %llu MiB are free, and %llu MiB are needed and %llu MiB kept free",
                  self->dir, (unsigned long long)bytes >> 20, (unsigned long long)needed >> 20,
                  (unsigned long long)reserve >> 20);
}

static status_t copy_store(backup_t *self)
{
    char path[PATH_MAX + sizeof "/" BACKUP_STORE_NAME];
    folder_size_t size;
    snprintf(path, sizeof path, "%s/" BACKUP_STORE_NAME, self->partial);
    status_t status = store_checkpoint(self->source->store, path);
    if (status != STATUS_OK) {
        return failed(self, status, "%s: the store's checkpoint failed: %s", path,
                      status_text(status));
    }
    if (folder_sync(self->partial_fd, BACKUP_STORE_NAME, &size) != STATUS_OK) {
        return failed_by(self, "the store's copy can't be synced");
    }
    self->report->info.store_bytes = size.bytes;
    self->report->info.store_files = size.files;
    return STATUS_OK;
}

static status_t copy_key(backup_t *self)
{
    uint8_t file[KEY_FILE_MAX_BYTES];
    size_t size = 0;
    status_t status =
        private_file_read(self->source->data_fd, KEY_FILE_NAME, file, sizeof file, &size);
    if (status != STATUS_OK) {
        return failed(self, status, "%s can't be read: %s", KEY_FILE_NAME, status_text(status));
    }
    status = private_file_write(self->partial_fd, KEY_FILE_NAME, file, size);
    sodium_memzero(file, sizeof file);
    return status == STATUS_OK ? STATUS_OK : failed_by(self, "the key can't be written");
}

static status_t fill(backup_t *self)
{
    backup_info_t *info = &self->report->info;
    info->time_ms = wall_clock_ms();
    memcpy(info->incarnation, self->source->incarnation, INCARNATION_BYTES);
    snprintf(info->software, sizeof info->software, "%s", self->source->software);
    status_t status = copy_store(self);
    if (status == STATUS_OK) {
        status = copy_key(self);
    }
    if (status == STATUS_OK && backup_info_write(info, self->partial_fd) != STATUS_OK) {
        status = failed_by(self, BACKUP_INFO_NAME " can't be written");
    }
    if (status == STATUS_OK &&
        (fsync(self->partial_fd) != 0 ||
         renameat(self->parent_fd, self->partial_name, self->parent_fd, self->name) != 0 ||
         fsync(self->parent_fd) != 0)) {
        status = failed_by(self, "can't be renamed");
    }
    return status;
}

status_t backup_make(const backup_source_t *source, const char *dir, backup_report_t *report)
{
    backup_t self = {.source = source, .report = report, .parent_fd = -1, .partial_fd = -1};
    *report = (backup_report_t){0};
    status_t status = set_paths(&self, dir);
    if (status == STATUS_OK) {
        status = open_parent(&self);
    }
    if (status == STATUS_OK) {
        status = check_target(&self);
    }
    if (status == STATUS_OK) {
        status = make_partial(&self);
    }
    if (status == STATUS_OK) {
        status = check_space(&self);
    }
    if (status == STATUS_OK) {
        status = fill(&self);
    }
    if (status != STATUS_OK && self.is_made &&
        folder_remove(self.parent_fd, self.partial_name) != STATUS_OK) {
        size_t told = strlen(report->problem);
        snprintf(report->problem + told, sizeof report->problem - told,
                 "; what was made of it can't be removed: remove it by hand");
    }
    if (self.partial_fd >= 0) {
        close(self.partial_fd);
    }
    if (self.parent_fd >= 0) {
        close(self.parent_fd);
    }
    return status;
}

struct backup_job {
    backup_source_t source;
    char *dir;
    backup_report_t report;
    status_t status;
    pthread_t thread;
    int done_fd;
};

static void *job_run(void *argument)
{
    backup_job_t *self = argument;
    const uint64_t one = 1;
    self->status = backup_make(&self->source, self->dir, &self->report);
    while (write(self->done_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
    return NULL;
}

backup_job_t *backup_job_start(const backup_source_t *source, const char *dir)
{
    backup_job_t *self = mem_zalloc(1, sizeof *self);
    self->source = *source;
    self->dir = mem_strdup(dir);
    self->done_fd = eventfd(0, EFD_CLOEXEC);
    if (self->done_fd >= 0 && pthread_create(&self->thread, NULL, job_run, self) == 0) {
        return self;
    }
    if (self->done_fd >= 0) {
        close(self->done_fd);
    }
    free(self->dir);
    free(self);
    return NULL;
}

int backup_job_fd(const backup_job_t *self)
{
    return self->done_fd;
}

status_t backup_job_finish(backup_job_t **self, backup_report_t *report)
{
    backup_job_t *job = *self;
    pthread_join(job->thread, NULL);
    status_t status = job->status;
    *report = job->report;
    close(job->done_fd);
    free(job->dir);
    free(job);
    *self = NULL;
    return status;
}
