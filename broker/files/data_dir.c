/* SPDX-License-Identifier: MPL-2.0 */
/* The lock is an open file description's, so it holds between threads of one process too. */
#include "broker/files/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME "broker.lock"

status_t data_dir_default_path(char out[static PATH_MAX])
{
    const char *base = getenv("XDG_DATA_HOME");
    const char *below = "";
    /* The XDG specification has relative paths ignored. */
    if (!base || base[0] != '/') {
        base = getenv("HOME");
        below = "/.local/share";
    }
    if (!base || base[0] != '/') {
        return STATUS_INVALID;
    }
    int size = snprintf(out, PATH_MAX, "%s%s/conclave-broker", base, below);
    return size < PATH_MAX ? STATUS_OK : STATUS_TOO_LARGE;
}

/* Makes every directory on the way that is missing. */
static status_t make_path(const char *path)
{
    char part[PATH_MAX];
    size_t size = strlen(path);
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST && errno != EISDIR) {
            return STATUS_IO_ERROR;
        }
    }
    return STATUS_OK;
}

static pid_t lock_holder(int lock_fd)
{
    char text[16] = {0};
    if (pread(lock_fd, text, sizeof text - 1, 0) <= 0) {
        return 0;
    }
    return (pid_t)strtol(text, NULL, 10);
}

static status_t lock_take(data_dir_t *self, pid_t *holder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char text[16];
    self->lock_fd = openat(self->fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (self->lock_fd < 0) {
        return STATUS_IO_ERROR;
    }
    if (fcntl(self->lock_fd, F_OFD_SETLK, &lock) != 0) {
        if (errno != EAGAIN && errno != EACCES) {
            return STATUS_IO_ERROR;
        }
        *holder = lock_holder(self->lock_fd);
        return STATUS_HOME_IN_USE;
    }
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(self->lock_fd, 0) != 0 || pwrite(self->lock_fd, text, (size_t)size, 0) != size) {
        return STATUS_IO_ERROR;
    }
    return STATUS_OK;
}

static status_t check_owner(int fd)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return STATUS_IO_ERROR;
    }
    bool is_private = info.st_uid == geteuid() && (info.st_mode & 022) == 0;
    return is_private ? STATUS_OK : STATUS_UNSAFE_PERMISSIONS;
}

status_t data_dir_open(data_dir_t *self, const char *path, pid_t *holder)
{
    *self = (data_dir_t){.fd = -1, .lock_fd = -1};
    *holder = 0;
    if (!*path || strlen(path) >= sizeof self->path) {
        return *path ? STATUS_TOO_LARGE : STATUS_INVALID;
    }
    memcpy(self->path, path, strlen(path) + 1);
    status_t status = make_path(path);
    if (status == STATUS_OK) {
        self->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        status = self->fd < 0 ? STATUS_IO_ERROR : check_owner(self->fd);
    }
    if (status == STATUS_OK) {
        status = lock_take(self, holder);
    }
    if (status != STATUS_OK) {
        int error = errno;
        data_dir_close(self);
        errno = error;
    }
    return status;
}

void data_dir_close(data_dir_t *self)
{
    if (self->lock_fd >= 0) {
        close(self->lock_fd);
    }
    if (self->fd >= 0) {
        close(self->fd);
    }
    self->fd = -1;
    self->lock_fd = -1;
}
