/* SPDX-License-Identifier: MPL-2.0 */
/* Who is connected to the HTTP server, and who holds a place for too long. */
#ifndef CONCLAVE_BROKER_HTTP_CONNECTIONS_H
#define CONCLAVE_BROKER_HTTP_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_CONNECTIONS_MAX     64 /* that are served */
#define HTTP_CONNECTIONS_REFUSED 16 /* more, which are told that there are too many */
#define HTTP_CONNECTIONS_ALL     (HTTP_CONNECTIONS_MAX + HTTP_CONNECTIONS_REFUSED)
#define HTTP_PER_ADDRESS_MAX     16 /* from one address, when it is public */
#define HTTP_REQUEST_MS          10000 /* from the last answer, or the connection, to the whole next one */
#define HTTP_CHECK_MS            1000 /* how often http_connections_end_late is to be called */

typedef struct {
    int fd; /* -1: the place is free */
    uint64_t since_ms;
    bool is_stream; /* of a live page: it may stay */
} http_connection_t;

/* Owned by one thread. */
typedef struct {
    http_connection_t places[HTTP_CONNECTIONS_ALL];
    size_t open; /* also those that got no place */
    uint64_t ended;
} http_connections_t;

void http_connections_init(http_connections_t *self);

/* The connection's place, lent until it ends; NULL: none is free. */
http_connection_t *http_connections_begin(http_connections_t *self, int fd, uint64_t now_ms);
/* NULL: one that got no place. */
void http_connections_end(http_connections_t *self, http_connection_t *connection);

/* A request is done with; the time for the next one begins. */
void http_connection_restart(http_connection_t *self, uint64_t now_ms);

/* Shuts down those that are late; libmicrohttpd then ends them. */
void http_connections_end_late(const http_connections_t *self, uint64_t now_ms);

#endif
