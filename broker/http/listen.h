/* SPDX-License-Identifier: MPL-2.0 */
/* The HTTP server's listening socket. */
#ifndef CONCLAVE_BROKER_HTTP_LISTEN_H
#define CONCLAVE_BROKER_HTTP_LISTEN_H

#include "proto/endpoint.h"

#include <stdbool.h>

#define HTTP_URL_BYTES 320

typedef struct {
    int fd;
    char url[HTTP_URL_BYTES]; /* http://HOST:PORT/, with the port that was picked */
} http_socket_t;

/* Listens on the first address of the host that can be had. local_only: addresses that others can
   reach are refused: STATUS_INVALID. STATUS_IO_ERROR with errno set; 0: no such host. */
MUST_CHECK status_t http_listen(http_socket_t *out, const endpoint_t *endpoint, bool local_only);

#endif
