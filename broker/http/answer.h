/* SPDX-License-Identifier: MPL-2.0 */
/* What the HTTP server answers: which request gets which page, and who is refused. No sockets. */
#ifndef CONCLAVE_BROKER_HTTP_ANSWER_H
#define CONCLAVE_BROKER_HTTP_ANSWER_H

#include "broker/http/access.h"
#include "broker/http/metrics.h"

#define HTTP_HEADERS_MAX 10

typedef enum {
    HTTP_OK = 200,
    HTTP_UNAUTHORIZED = 401,
    HTTP_FORBIDDEN = 403,
    HTTP_NOT_FOUND = 404,
    HTTP_METHOD_NOT_ALLOWED = 405,
    HTTP_MISDIRECTED = 421,
    HTTP_UNAVAILABLE = 503
} http_code_t;

/* A request, lent for the call. Headers and parameters are NULL where there are none. */
typedef struct {
    const char *method;
    const char *path;
    const char *host;
    const char *authorization;
    const char *fetch_site;
    const char *fetch_mode;
    const char *token; /* parameter of the URL */
} http_request_t;

typedef struct {
    const char *name;
    const char *value;
} http_header_t;

/* body is owned: http_answer_wipe. Values of headers live as long as the answer. */
typedef struct {
    http_code_t code;
    bool is_stream; /* of the live page's events, instead of the body */
    http_header_t headers[HTTP_HEADERS_MAX];
    size_t header_count;
    buffer_t body;
    char policy[512];
} http_answer_t;

/* All borrowed. */
typedef struct {
    bool is_public; /* any Host */
    const http_token_t *token;
    numbers_t *numbers;
    const metrics_self_t *own;
    bool is_full; /* too many connections: only health is answered */
} http_context_t;

/* *out is zeroed memory. /healthz and /readyz need no token: they tell nothing about anybody. */
void http_answer(http_answer_t *out, const http_context_t *context, const http_request_t *request);
void http_answer_wipe(http_answer_t *self);

/* Replaces what was to be answered by a refusal. text: one line. */
void http_refuse(http_answer_t *self, http_code_t code, const char *text);

#endif
