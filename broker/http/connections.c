/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/http/connections.h"

#include <sys/socket.h>

void http_connections_init(http_connections_t *self)
{
    *self = (http_connections_t){.open = 0};
    for (size_t i = 0; i < HTTP_CONNECTIONS_ALL; i++) {
        self->places[i].fd = -1;
    }
}

http_connection_t *http_connections_begin(http_connections_t *self, int fd, uint64_t now_ms)
{
    self->open++;
    for (size_t i = 0; fd >= 0 && i < HTTP_CONNECTIONS_ALL; i++) {
        if (self->places[i].fd < 0) {
            self->places[i] = (http_connection_t){.fd = fd, .since_ms = now_ms};
            return &self->places[i];
        }
    }
    return NULL;
}

void http_connections_end(http_connections_t *self, http_connection_t *connection)
{
    self->open--;
    self->ended++;
    if (connection) {
        connection->fd = -1;
    }
}

void http_connection_restart(http_connection_t *self, uint64_t now_ms)
{
    self->since_ms = now_ms;
    self->is_stream = false;
}

/* libmicrohttpd doesn't see an end that came together with the bytes before it: it reads until it
   gets less than it asked for, and is told of each change only once. */
static bool peer_has_ended(const http_connection_t *self)
{
    char byte;
    return recv(self->fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Who drips a request, or doesn't read the answer, holds its place for HTTP_REQUEST_MS and no
   longer. */
static bool is_late(const http_connection_t *self, uint64_t now_ms)
{
    uint64_t age_ms = now_ms - self->since_ms;
    return age_ms >= HTTP_REQUEST_MS || (age_ms >= HTTP_CHECK_MS && peer_has_ended(self));
}

void http_connections_end_late(const http_connections_t *self, uint64_t now_ms)
{
    for (size_t i = 0; i < HTTP_CONNECTIONS_ALL; i++) {
        const http_connection_t *connection = &self->places[i];
        if (connection->fd >= 0 && !connection->is_stream && is_late(connection, now_ms)) {
            shutdown(connection->fd, SHUT_RDWR);
        }
    }
}
