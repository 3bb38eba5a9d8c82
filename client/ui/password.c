/* SPDX-License-Identifier: MPL-2.0 */
/* A password in locked memory, and reading one from a file. */
#include "client/ui/password.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void password_wipe(password_t *self)
{
    sodium_free(self->bytes); /* erases first */
    *self = (password_t){0};
}

status_t password_set(password_t *self, const char *bytes, size_t size)
{
    if (size > PASSWORD_MAX_BYTES)
        return STATUS_TOO_LARGE;
    if (!size || memchr(bytes, '\0', size))
        return STATUS_INVALID;
    char *copy = sodium_malloc(size + 1);
    if (!copy)
        abort();
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    password_wipe(self);
    *self = (password_t){.bytes = copy, .size = size};
    return STATUS_OK;
}

bool password_equal(const password_t *a, const password_t *b)
{
    return a->size == b->size && (!a->size || sodium_memcmp(a->bytes, b->bytes, a->size) == 0);
}

/* Fills `bytes` up to and with the first newline, or until it is full. */
static status_t read_line(int file, char *bytes, size_t capacity, size_t *size)
{
    *size = 0;
    while (*size < capacity && !memchr(bytes, '\n', *size)) {
        ssize_t got = read(file, bytes + *size, capacity - *size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return STATUS_IO_ERROR;
        if (got == 0)
            break;
        *size += (size_t)got;
    }
    return STATUS_OK;
}

static status_t set_from_line(password_t *self, const char *bytes, size_t size)
{
    const char *newline = memchr(bytes, '\n', size);
    if (newline) {
        size = (size_t)(newline - bytes);
        if (size && bytes[size - 1] == '\r')
            size--;
    }
    return password_set(self, bytes, size);
}

status_t password_read_file(password_t *self, const char *path, bool *exposed)
{
    struct stat info;
    size_t capacity = PASSWORD_MAX_BYTES + 2; /* with CR LF */
    size_t size = 0;
    status_t status = STATUS_IO_ERROR;
    char *bytes = NULL;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0)
        goto out;
    if (fstat(file, &info) != 0)
        goto out;
    bool regular = S_ISREG(info.st_mode);
    if (regular && (info.st_mode & (S_IWGRP | S_IWOTH))) {
        status = STATUS_UNSAFE_PERMISSIONS;
        goto out;
    }
    bytes = sodium_malloc(capacity);
    if (!bytes)
        abort();
    status = read_line(file, bytes, capacity, &size);
    if (status == STATUS_OK)
        status = set_from_line(self, bytes, size);
    if (status == STATUS_OK && exposed)
        *exposed = regular && (info.st_mode & (S_IRGRP | S_IROTH));
out:
    sodium_free(bytes);
    if (file >= 0) {
        int reason = errno;
        close(file);
        errno = reason;
    }
    return status;
}
