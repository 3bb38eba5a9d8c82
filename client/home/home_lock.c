/* SPDX-License-Identifier: MPL-2.0 */
#include "client/home/home_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/home/clock.h"

static const char lock_name[] = "lock";
enum { RETRY_MS = 20, DESCRIPTION_BYTES = 64 };

static int open_lock_file(int folder)
{
    return openat(folder, lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* STATUS_HOME_IN_USE, STATUS_IO_ERROR. */
static status_t try_lock(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
        return STATUS_OK;
    return errno == EAGAIN || errno == EACCES ? STATUS_HOME_IN_USE : STATUS_IO_ERROR;
}

status_t home_lock_describe(int lock, const char *role)
{
    char text[DESCRIPTION_BYTES];
    int size = snprintf(text, sizeof text, "%ld %.*s\n", (long)getpid(), HOME_ROLE_BYTES - 1, role);
    if (ftruncate(lock, 0) < 0 || pwrite(lock, text, (size_t)size, 0) != size)
        return STATUS_IO_ERROR;
    return STATUS_OK;
}

status_t home_lock_take(int folder, const char *role, uint64_t timeout_ms, int *out)
{
    *out = -1;
    int fd = open_lock_file(folder);
    if (fd < 0)
        return STATUS_IO_ERROR;
    uint64_t start = clock_boot_ms();
    status_t status;
    while ((status = try_lock(fd)) == STATUS_HOME_IN_USE && clock_boot_ms() - start < timeout_ms) {
        clock_sleep_ms(RETRY_MS);
    }
    if (status != STATUS_OK) {
        close(fd);
        return status;
    }
    /* A full disk may keep the description from being written: the lock counts, not the text. */
    if (home_lock_describe(fd, role) != STATUS_OK && ftruncate(fd, 0) < 0) {
        close(fd);
        return STATUS_IO_ERROR;
    }
    *out = fd;
    return STATUS_OK;
}

static void parse_description(const char *text, home_holder_t *out)
{
    char *end = NULL;
    errno = 0;
    long pid = strtol(text, &end, 10);
    if (errno != 0 || pid <= 0 || *end != ' ' || (kill((pid_t)pid, 0) < 0 && errno == ESRCH))
        return; /* not written yet, or left behind by an earlier holder */
    out->pid = (uint64_t)pid;
    snprintf(out->role, sizeof out->role, "%.*s", (int)strcspn(end + 1, "\n"), end + 1);
}

status_t home_lock_holder(int folder, home_holder_t *out)
{
    *out = (home_holder_t){0};
    int fd = openat(folder, lock_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO_ERROR;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char text[DESCRIPTION_BYTES + 1] = "";
    status_t status = STATUS_OK;
    if (fcntl(fd, F_OFD_GETLK, &whole) < 0)
        status = STATUS_IO_ERROR;
    else if (whole.l_type == F_UNLCK)
        status = STATUS_NOT_FOUND;
    else if (pread(fd, text, DESCRIPTION_BYTES, 0) > 0)
        parse_description(text, out);
    close(fd);
    return status;
}
