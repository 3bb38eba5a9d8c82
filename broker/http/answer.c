/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/http/answer.h"

#include "broker/http/page.h"

#include <stdio.h>
#include <string.h>

#define NUMBERS_AGE_MS                                                                             \
    1000 /* a scrape sees nothing older, and the router is asked no more often                     \
          */

static void add_header(http_answer_t *self, const char *name, const char *value)
{
    self->headers[self->header_count++] = (http_header_t){name, value};
}

static void set_type(http_answer_t *self, const char *type)
{
    add_header(self, "Content-Type", type);
}

static void set_text(http_answer_t *self, const char *text)
{
    buffer_append(&self->body, text, strlen(text));
    buffer_append(&self->body, "\n", 1);
    set_type(self, "text/plain; charset=utf-8");
}

static void begin(http_answer_t *self, http_code_t code)
{
    buffer_clear(&self->body);
    self->code = code;
    self->is_stream = false;
    self->header_count = 0;
    snprintf(self->policy, sizeof self->policy, "default-src 'none'; frame-ancestors 'none'");
    add_header(self, "Content-Security-Policy", self->policy);
    add_header(self, "Cache-Control", "no-store");
    add_header(self, "X-Content-Type-Options", "nosniff");
    add_header(self, "X-Frame-Options", "DENY");
    add_header(self, "Referrer-Policy", "no-referrer");
    add_header(self, "Cross-Origin-Resource-Policy", "same-origin");
}

void http_refuse(http_answer_t *self, http_code_t code, const char *text)
{
    begin(self, code);
    set_text(self, text);
    if (code == HTTP_METHOD_NOT_ALLOWED) {
        add_header(self, "Allow", "GET, HEAD");
    } else if (code == HTTP_UNAUTHORIZED) {
        add_header(self, "WWW-Authenticate", "Bearer realm=\"conclaved\"");
    } else if (code == HTTP_UNAVAILABLE) {
        add_header(self, "Retry-After", "1");
    }
}

void http_answer_wipe(http_answer_t *self)
{
    buffer_free(&self->body);
}

/* --- Pages ------------------------------------------------------------------------------------ */

static void answer_health(http_answer_t *self, const http_context_t *context)
{
    (void)context;
    set_text(self, "ok");
}

static void answer_ready(http_answer_t *self, const http_context_t *context)
{
    numbers_refresh(context->numbers, context->own->now_ms, NUMBERS_AGE_MS);
    const char *problem = numbers_problem(context->numbers, context->own->now_ms);
    if (problem) {
        http_refuse(self, HTTP_UNAVAILABLE, problem);
    } else {
        set_text(self, "ready");
    }
}

static void answer_metrics(http_answer_t *self, const http_context_t *context)
{
    numbers_refresh(context->numbers, context->own->now_ms, NUMBERS_AGE_MS);
    metrics_write_text(context->numbers, context->own, &self->body);
    set_type(self, "text/plain; version=0.0.4; charset=utf-8");
}

static void answer_varz(http_answer_t *self, const http_context_t *context)
{
    numbers_refresh(context->numbers, context->own->now_ms, NUMBERS_AGE_MS);
    metrics_write_json(context->numbers, context->own, &self->body);
    set_type(self, "application/json");
}

static void answer_page(http_answer_t *self, const http_context_t *context)
{
    char nonce[PAGE_NONCE_BYTES];
    (void)context;
    page_write(&self->body, nonce);
    page_policy(self->policy, nonce);
    set_type(self, "text/html; charset=utf-8");
}

static void answer_events(http_answer_t *self, const http_context_t *context)
{
    (void)context;
    self->is_stream = true;
    set_type(self, "text/event-stream");
}

static const struct {
    const char *path;
    void (*answer)(http_answer_t *self, const http_context_t *context);
    bool is_health; /* no token, and also when there are too many connections */
} pages[] = {
    {"/", answer_page, false},           {"/events", answer_events, false},
    {"/healthz", answer_health, true},   {"/readyz", answer_ready, true},
    {"/metrics", answer_metrics, false}, {"/varz", answer_varz, false},
};

/* --- Who is answered -------------------------------------------------------------------------- */

static bool shows_token(const http_context_t *context, const http_request_t *request)
{
    const char *bearer = http_bearer(request->authorization);
    return http_token_matches(context->token, bearer ? bearer : request->token);
}

static bool is_refused(http_answer_t *self, const http_context_t *context,
                       const http_request_t *request)
{
    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
        http_refuse(self, HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
    } else if (!context->is_public && !http_host_is_local(request->host)) {
        http_refuse(self, HTTP_MISDIRECTED,
                    "ask for localhost, 127.0.0.1 or [::1]: under another name a web site could "
                    "read this");
    } else if (http_is_cross_site(request->fetch_site, request->fetch_mode)) {
        http_refuse(self, HTTP_FORBIDDEN, "other web sites may not ask this");
    } else {
        return false;
    }
    return true;
}

void http_answer(http_answer_t *self, const http_context_t *context, const http_request_t *request)
{
    size_t i = 0;
    begin(self, HTTP_OK);
    if (is_refused(self, context, request)) {
        return;
    }
    while (i < sizeof pages / sizeof *pages && strcmp(pages[i].path, request->path) != 0) {
        i++;
    }
    bool is_page = i < sizeof pages / sizeof *pages;
    bool is_health = is_page && pages[i].is_health;
    if (context->is_full && !is_health) {
        http_refuse(self, HTTP_UNAVAILABLE, "too many connections; try again");
    } else if (!is_health && !shows_token(context, request)) {
        http_refuse(self, HTTP_UNAUTHORIZED,
                    "a token is needed: Authorization: Bearer TOKEN, or /?token=TOKEN");
    } else if (!is_page) {
        http_refuse(self, HTTP_NOT_FOUND,
                    "there are / /metrics /varz /healthz /readyz, and nothing else");
    } else {
        pages[i].answer(self, context);
    }
}
