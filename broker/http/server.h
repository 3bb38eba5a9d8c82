/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's HTTP server: metrics, health and the live page, in a thread of its own that nobody
   of the broker's waits for. */
#ifndef CONCLAVE_BROKER_HTTP_SERVER_H
#define CONCLAVE_BROKER_HTTP_SERVER_H

#include "broker/http/numbers.h"
#include "broker/log.h"
#include "broker/settings/option_value.h"

#define HTTP_DEFAULT_PORT 5680 /* of 127.0.0.1 */

typedef struct http_server http_server_t;

/* All borrowed, and to live as long as the server. */
typedef struct {
    const local_address_t *address; /* not given: 127.0.0.1:HTTP_DEFAULT_PORT if it is free */
    bool is_public;
    const char *token_file; /* "": none */
    log_t *log;
    numbers_sources_t numbers;
} http_options_t;

/*
 * *out is NULL when it is switched off, or when nobody asked for it and its port is taken: that is
 * logged, and the broker goes on. Else a status, and an error with its cause and what to do is
 * logged: STATUS_INVALID (an address that others can reach, without is_public and a token; a token
 * that is none), what reading the token file gives, STATUS_IO_ERROR.
 */
MUST_CHECK status_t http_server_new(http_server_t **out, const http_options_t *options);

/* Ends the live pages, and asks calls, trace and store no more; returns when that is so. Health and
   metrics are still answered, with what is known by then. NULL is allowed, here and below. */
void http_server_detach(http_server_t *self);

void http_server_destroy(http_server_t **self);

#endif
