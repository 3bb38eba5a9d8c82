/* SPDX-License-Identifier: MPL-2.0 */
#include "client/home/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEMPORARY_NAME_BYTES = 64 };

static status_t check_private(int fd, size_t max_size)
{
    struct stat info;
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
        return STATUS_IO_ERROR;
    if (info.st_uid != geteuid() || (info.st_mode & 077) != 0)
        return STATUS_UNSAFE_PERMISSIONS;
    return (uint64_t)info.st_size > max_size ? STATUS_TOO_LARGE : STATUS_OK;
}

static status_t read_all(int fd, size_t max_size, buffer_t *out)
{
    uint8_t chunk[1024];
    size_t total = 0;
    status_t status = STATUS_OK;
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            status = got < 0 ? STATUS_IO_ERROR : STATUS_OK;
            break;
        }
        total += (size_t)got;
        if (total > max_size) {
            status = STATUS_TOO_LARGE; /* it grew meanwhile */
            break;
        }
        buffer_append(out, chunk, (size_t)got);
    }
    sodium_memzero(chunk, sizeof chunk);
    return status;
}

status_t private_file_read(int folder, const char *name, size_t max_size, buffer_t *out)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO_ERROR;
    size_t before = out->size;
    status_t status = check_private(fd, max_size);
    if (status == STATUS_OK)
        status = read_all(fd, max_size, out);
    if (status != STATUS_OK)
        out->size = before;
    close(fd);
    return status;
}

bool private_file_exists(int folder, const char *name)
{
    struct stat info;
    return fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool write_all(int fd, bytes_t content)
{
    size_t at = 0;
    while (at < content.size) {
        ssize_t wrote = write(fd, content.data + at, content.size - at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        at += (size_t)wrote;
    }
    return true;
}

/* A whole synced file beside the one to be. */
static status_t write_temporary(int folder, const char *name, bytes_t content,
                                char temporary[static TEMPORARY_NAME_BYTES])
{
    int size = snprintf(temporary, TEMPORARY_NAME_BYTES, ".%s.%08x", name, randombytes_random());
    if (size < 0 || size >= TEMPORARY_NAME_BYTES)
        return STATUS_INVALID;
    int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return STATUS_IO_ERROR;
    bool is_written = write_all(fd, content) && fsync(fd) == 0;
    if (close(fd) < 0 || !is_written) {
        int cause = errno;
        unlinkat(folder, temporary, 0);
        errno = cause;
        return STATUS_IO_ERROR;
    }
    return STATUS_OK;
}

status_t private_file_create(int folder, const char *name, bytes_t content)
{
    char temporary[TEMPORARY_NAME_BYTES];
    status_t status = write_temporary(folder, name, content, temporary);
    if (status != STATUS_OK)
        return status;
    if (linkat(folder, temporary, folder, name, 0) < 0)
        status = errno == EEXIST ? STATUS_CONFLICT : STATUS_IO_ERROR;
    unlinkat(folder, temporary, 0);
    if (status == STATUS_OK && fsync(folder) < 0)
        status = STATUS_IO_ERROR;
    return status;
}

status_t private_file_replace(int folder, const char *name, bytes_t content)
{
    char temporary[TEMPORARY_NAME_BYTES];
    status_t status = write_temporary(folder, name, content, temporary);
    if (status != STATUS_OK)
        return status;
    if (renameat(folder, temporary, folder, name) < 0) {
        unlinkat(folder, temporary, 0);
        return STATUS_IO_ERROR;
    }
    return fsync(folder) < 0 ? STATUS_IO_ERROR : STATUS_OK;
}

status_t private_file_remove(int folder, const char *name)
{
    if (unlinkat(folder, name, 0) < 0)
        return errno == ENOENT ? STATUS_OK : STATUS_IO_ERROR;
    return fsync(folder) < 0 ? STATUS_IO_ERROR : STATUS_OK;
}
