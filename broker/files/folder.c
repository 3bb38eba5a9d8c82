/* SPDX-License-Identifier: MPL-2.0 */
/* By descriptors, so that a path that is renamed meanwhile leads nowhere else. */
#include "broker/files/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES   ((size_t)16 * 1024 * 1024)
#define MEMORY_BYTES 65536

static status_t cause(void)
{
    return errno == ENOSPC || errno == EDQUOT ? STATUS_DISK_FULL : STATUS_IO_ERROR;
}

/* Its own descriptor: a listing moves on where two share one. */
static DIR *open_folder(int parent_fd, const char *name)
{
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !dir) {
        close(fd);
    }
    return dir;
}

static bool is_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

typedef status_t file_fn(int dir_fd, const char *name, void *context);

/* Calls `each` for every file, until one fails. */
static status_t visit(DIR *dir, file_fn *each, void *context)
{
    status_t status = STATUS_OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            return errno == 0 ? STATUS_OK : STATUS_IO_ERROR;
        }
        if (is_entry(entry)) {
            status = each(dirfd(dir), entry->d_name, context);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
}

/* An open descriptor of a plain file; -1 with errno EINVAL for anything else. */
static int open_file(int dir_fd, const char *name)
{
    struct stat info;
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

/* RocksDB's diary and its lock. */
static bool is_left_out(const char *name)
{
    return strncmp(name, "LOG", 3) == 0 || strcmp(name, "LOCK") == 0;
}

static status_t sync_file(int dir_fd, const char *name, void *context)
{
    folder_size_t *size = context;
    struct stat info;
    int fd = open_file(dir_fd, name);
    if (fd < 0) {
        return errno == EINVAL ? STATUS_INVALID : STATUS_IO_ERROR;
    }
    bool is_synced = fstat(fd, &info) == 0 && fsync(fd) == 0;
    status_t status = is_synced ? STATUS_OK : cause();
    close(fd);
    if (is_synced && !is_left_out(name)) {
        size->bytes += (uint64_t)info.st_size;
        size->files++;
    }
    return status;
}

status_t folder_sync(int parent_fd, const char *name, folder_size_t *size)
{
    *size = (folder_size_t){0};
    DIR *dir = open_folder(parent_fd, name);
    if (!dir) {
        return STATUS_IO_ERROR;
    }
    status_t status = visit(dir, sync_file, size);
    if (status == STATUS_OK && fsync(dirfd(dir)) != 0) {
        status = cause();
    }
    closedir(dir);
    return status;
}

static ssize_t copy_through_memory(int from, int to)
{
    uint8_t part[MEMORY_BYTES];
    ssize_t got = read(from, part, sizeof part);
    for (ssize_t done = 0; done < got;) {
        ssize_t written = write(to, part + done, (size_t)(got - done));
        if (written < 0 && errno != EINTR) {
            return -1;
        }
        done += written > 0 ? written : 0;
    }
    return got;
}

/* Linux copies by itself only within one kind of file system; a backup may lie on another. */
static ssize_t copy_part(int from, int to)
{
    ssize_t copied = copy_file_range(from, NULL, to, NULL, COPY_BYTES, 0);
    bool can_not =
        copied < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS);
    return can_not ? copy_through_memory(from, to) : copied;
}

static status_t copy_bytes(int from, int to)
{
    for (;;) {
        ssize_t copied = copy_part(from, to);
        if (copied == 0) {
            return fsync(to) == 0 ? STATUS_OK : cause();
        }
        if (copied < 0 && errno != EINTR) {
            return cause();
        }
    }
}

static status_t copy_file(int dir_fd, const char *name, void *context)
{
    int to_dir = *(const int *)context;
    if (is_left_out(name)) {
        return STATUS_OK;
    }
    int from = open_file(dir_fd, name);
    if (from < 0) {
        return errno == EINVAL ? STATUS_INVALID : STATUS_IO_ERROR;
    }
    int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    status_t status = to < 0 ? cause() : copy_bytes(from, to);
    int error = errno;
    close(from);
    if (to >= 0) {
        close(to);
    }
    errno = error;
    return status;
}

status_t folder_copy(int parent_fd, const char *name, int to_fd, const char *to_name)
{
    DIR *dir = open_folder(parent_fd, name);
    if (!dir) {
        return STATUS_IO_ERROR;
    }
    status_t status = mkdirat(to_fd, to_name, 0700) == 0 ? STATUS_OK : cause();
    int made = status == STATUS_OK
                   ? openat(to_fd, to_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                   : -1;
    if (status == STATUS_OK) {
        status = made < 0 ? cause() : visit(dir, copy_file, &made);
    }
    if (status == STATUS_OK && fsync(made) != 0) {
        status = cause();
    }
    int error = errno;
    if (made >= 0) {
        close(made);
    }
    closedir(dir);
    errno = error;
    return status;
}

static status_t remove_entry(int dir_fd, const char *name, void *context)
{
    (void)context;
    if (unlinkat(dir_fd, name, 0) == 0) {
        return STATUS_OK;
    }
    return errno == EISDIR ? folder_remove(dir_fd, name) : STATUS_IO_ERROR;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the folders that it made itself */
status_t folder_remove(int parent_fd, const char *name)
{
    DIR *dir = open_folder(parent_fd, name);
    if (!dir) {
        return errno == ENOENT ? STATUS_OK : STATUS_IO_ERROR;
    }
    status_t status = visit(dir, remove_entry, NULL);
    closedir(dir);
    if (status == STATUS_OK && unlinkat(parent_fd, name, AT_REMOVEDIR) != 0) {
        status = STATUS_IO_ERROR;
    }
    return status;
}
