/* SPDX-License-Identifier: MPL-2.0 */
#include "client/home/home_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/home/clock.h"
#include "client/home/frame_stream.h"

static const char socket_name[] = "socket";
static const uint8_t greeting = FRAME_STREAM_VERSION; /* what the listener says first */
enum { BACKLOG = 64, CONNECT_SECONDS = 2, RETRY_MS = 20 };

/* A Unix address holds 107 bytes, a home's path may be longer: the open folder's name under /proc
 * is short, whatever the path. */
static status_t address_of(const home_t *home, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int size = snprintf(out->sun_path, sizeof out->sun_path, "%s/%s", home_path(home), socket_name);
    if (size >= (int)sizeof out->sun_path)
        size = snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/%s",
                        home_folder(home), socket_name);
    return size > 0 && size < (int)sizeof out->sun_path ? STATUS_OK : STATUS_IO_ERROR;
}

static bool peer_is_same_user(int socket)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

status_t home_socket_listen(const home_t *self, int *out)
{
    *out = -1;
    struct sockaddr_un address;
    if (address_of(self, &address) != STATUS_OK)
        return STATUS_IO_ERROR;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return STATUS_IO_ERROR;
    home_socket_unlink(self); /* of an earlier holder: this one has the lock */
    /* Nobody can connect before listen, so that the mode is set in time. */
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        fchmodat(home_folder(self), socket_name, 0600, 0) < 0 || listen(fd, BACKLOG) < 0) {
        int cause = errno;
        close(fd);
        errno = cause;
        return STATUS_IO_ERROR;
    }
    *out = fd;
    return STATUS_OK;
}

status_t home_socket_accept(int listener, int *out)
{
    *out = -1;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        bool is_nothing =
            errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ECONNABORTED;
        return is_nothing ? STATUS_NOT_FOUND : STATUS_IO_ERROR;
    }
    if (!peer_is_same_user(fd)) {
        close(fd);
        return STATUS_UNSAFE_PERMISSIONS;
    }
    if (send(fd, &greeting, sizeof greeting, MSG_NOSIGNAL) != (ssize_t)sizeof greeting) {
        close(fd); /* it has gone again */
        return STATUS_NOT_FOUND;
    }
    *out = fd;
    return STATUS_OK;
}

/* A listener that is dying can still be connected to for a moment, but greets nobody. */
static status_t await_greeting(int socket)
{
    struct pollfd item = {.fd = socket, .events = POLLIN};
    uint8_t byte;
    uint64_t until = clock_boot_ms() + CONNECT_SECONDS * 1000;
    int rc;
    do {
        uint64_t now = clock_boot_ms();
        rc = poll(&item, 1, now < until ? (int)(until - now) : 0);
    } while (rc < 0 && errno == EINTR);
    if (rc != 1 || recv(socket, &byte, sizeof byte, MSG_DONTWAIT) != (ssize_t)sizeof byte)
        return STATUS_NOT_FOUND;
    return byte == greeting ? STATUS_OK : STATUS_NEWER_FORMAT;
}

void home_socket_unlink(const home_t *self)
{
    unlinkat(home_folder(self), socket_name, 0);
}

status_t home_attach(const home_t *self, screen_t **out)
{
    *out = NULL;
    struct sockaddr_un address;
    if (address_of(self, &address) != STATUS_OK)
        return STATUS_IO_ERROR;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return STATUS_IO_ERROR;
    struct timeval limit = {.tv_sec = CONNECT_SECONDS}; /* while the listener's backlog is full */
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    status_t status = STATUS_OK;
    int rc;
    do
        rc = connect(fd, (const struct sockaddr *)&address, sizeof address);
    while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        /* EAGAIN: it doesn't accept, which is as good as nobody. */
        bool is_nobody = errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN;
        status = is_nobody ? STATUS_NOT_FOUND : STATUS_IO_ERROR;
    } else if (!peer_is_same_user(fd)) {
        status = STATUS_UNSAFE_PERMISSIONS;
    } else {
        status = await_greeting(fd);
    }
    if (status != STATUS_OK) {
        int cause = errno;
        close(fd);
        errno = cause;
        return status;
    }
    *out = screen_new(fd, true);
    return STATUS_OK;
}

status_t home_lock_or_attach(home_t *self, const char *role, bool may_attach, uint64_t timeout_ms,
                             screen_t **attached, home_holder_t *holder)
{
    *attached = NULL;
    uint64_t start = clock_boot_ms();
    for (;;) {
        status_t status = home_lock(self, role, 0);
        if (status != STATUS_HOME_IN_USE)
            return status;
        if (may_attach) {
            status = home_attach(self, attached);
            if (status != STATUS_NOT_FOUND)
                return status;
        }
        if (clock_boot_ms() - start >= timeout_ms)
            break;
        clock_sleep_ms(RETRY_MS);
    }
    if (holder && home_holder(self, holder) != STATUS_OK)
        *holder = (home_holder_t){0}; /* it has just ended */
    return STATUS_HOME_IN_USE;
}
