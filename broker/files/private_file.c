/* SPDX-License-Identifier: MPL-2.0 */
/* Written to NAME.new first: a crash in between leaves that behind, and the next write removes it.
 */
#include "broker/files/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_whole(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

status_t private_file_write(int dir_fd, const char *name, const void *bytes, size_t size)
{
    char temporary[64];
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", name) >= sizeof temporary) {
        return STATUS_TOO_LARGE;
    }
    if (unlinkat(dir_fd, temporary, 0) != 0 && errno != ENOENT) {
        return STATUS_IO_ERROR;
    }
    int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return STATUS_IO_ERROR;
    }
    bool is_written = write_whole(fd, bytes, size) && fsync(fd) == 0;
    int error = errno;
    close(fd);
    if (is_written && renameat(dir_fd, temporary, dir_fd, name) == 0 && fsync(dir_fd) == 0) {
        return STATUS_OK;
    }
    error = is_written ? errno : error;
    unlinkat(dir_fd, temporary, 0);
    errno = error;
    return STATUS_IO_ERROR;
}

static status_t read_whole(int fd, uint8_t *out, size_t capacity, size_t *size)
{
    size_t total = 0;
    for (;;) {
        uint8_t beyond;
        bool is_full = total == capacity;
        ssize_t got = read(fd, is_full ? &beyond : out + total, is_full ? 1 : capacity - total);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return STATUS_IO_ERROR;
        }
        if (got == 0) {
            *size = total;
            return STATUS_OK;
        }
        if (is_full) {
            return STATUS_DAMAGED_FILE;
        }
        total += (size_t)got;
    }
}

status_t private_file_read(int dir_fd, const char *name, void *out, size_t capacity, size_t *size)
{
    struct stat info;
    status_t status;
    *size = 0;
    /* O_NONBLOCK: somebody's FIFO must not hang the start. */
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT  ? STATUS_NOT_FOUND
               : errno == ELOOP ? STATUS_UNSAFE_PERMISSIONS
                                : STATUS_IO_ERROR;
    }
    if (fstat(fd, &info) != 0) {
        status = STATUS_IO_ERROR;
    } else if (!S_ISREG(info.st_mode) || (info.st_mode & 077) != 0 || info.st_uid != geteuid()) {
        status = STATUS_UNSAFE_PERMISSIONS;
    } else {
        status = read_whole(fd, out, capacity, size);
    }
    int error = errno;
    close(fd);
    errno = error;
    return status;
}
