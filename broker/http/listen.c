/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/http/listen.h"

#include "broker/http/access.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 128
/* What the system holds for a reader that is slow; its own choice would be megabytes: minutes of a
   live page's events before it shows. Accepted sockets inherit it. */
#define SEND_BUFFER_BYTES 65536

static int listen_on(const struct addrinfo *address)
{
    const int on = 1;
    const int send_buffer = SEND_BUFFER_BYTES;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    /* Not refused for connections of an earlier broker that linger in TIME_WAIT. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer) != 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage bound = {0};
    struct sockaddr_in6 in6;
    struct sockaddr_in in;
    socklen_t size = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0) {
        return 0;
    }
    if (bound.ss_family == AF_INET6) {
        memcpy(&in6, &bound, sizeof in6);
        return ntohs(in6.sin6_port);
    }
    memcpy(&in, &bound, sizeof in);
    return ntohs(in.sin_port);
}

status_t http_listen(http_socket_t *out, const endpoint_t *endpoint, bool local_only)
{
    char port[8];
    const bool any_host = strcmp(endpoint->host, "*") == 0;
    const struct addrinfo hints = {.ai_family = any_host ? AF_INET : AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    status_t status = STATUS_IO_ERROR;
    *out = (http_socket_t){.fd = -1};
    snprintf(port, sizeof port, "%u", (unsigned)endpoint->port);
    errno = 0;
    if (getaddrinfo(any_host ? NULL : endpoint->host, port, &hints, &found) != 0) {
        errno = 0;
        return STATUS_IO_ERROR;
    }
    for (const struct addrinfo *at = found; at && out->fd < 0; at = at->ai_next) {
        if (local_only && !http_address_is_local(at->ai_addr)) {
            status = STATUS_INVALID;
            break;
        }
        out->fd = listen_on(at);
    }
    int error = errno;
    freeaddrinfo(found);
    errno = error;
    if (out->fd < 0) {
        return status;
    }
    snprintf(out->url, sizeof out->url, endpoint->is_ipv6 ? "http://[%s]:%u/" : "http://%s:%u/",
             endpoint->host, port_of(out->fd));
    return STATUS_OK;
}
