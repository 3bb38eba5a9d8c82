/* SPDX-License-Identifier: MPL-2.0 */
/* hello, then register, over a link of its own. */
#include "client/actors/registration.h"

#include <sodium.h>
#include <string.h>

#include "client/actors/link.h"
#include "client/home/clock.h"
#include "client/keys/identity.h"
#include "proto/endpoint.h"
#include "proto/message.h"

#define SLICE_MS 100 /* how often a cancellation is asked for */
#define LATER_MS 300 /* after a transient refusal */

typedef struct {
    const registration_t *order;
    endpoint_t broker;
    link_t *link;
    buffer_t frame;
    uint64_t end_ms;     /* boot clock, like all here */
    uint64_t attempt_ms; /* when this attempt is given up */
    uint64_t id;         /* of the open request; 0 none */
    verb_t step;         /* what it is, or VERB_none before the connection */
    bool was_connected, was_sent;
} attempt_t;

static status_t send_step(attempt_t *self, verb_t step)
{
    hello_request_t hello = {.version_min = PROTOCOL_VERSION_MIN,
                             .version_max = PROTOCOL_VERSION_MAX};
    static const char software[] = "conclave";
    hello.software = (text_t){software, sizeof software - 1};
    register_request_t request = {.name = *identity_name(self->order->identity)};
    register_invited_request_t invited = {.name = request.name};
    memcpy(request.identity_key, identity_key(self->order->identity), KEY_BYTES);
    identity_sign_register(self->order->identity, self->broker.key, request.signature);
    memcpy(invited.identity_key, request.identity_key, KEY_BYTES);
    memcpy(invited.signature, request.signature, SIGNATURE_BYTES);
    if (self->order->invite)
        memcpy(invited.invite, self->order->invite, INVITE_BYTES);
    buffer_t frame = {0};
    const void *body = step == VERB_hello      ? (const void *)&hello
                       : step == VERB_register ? (const void *)&request
                                               : (const void *)&invited;
    self->step = step;
    char text[TRACE_CONTEXT_CHARS + 1];
    text_t traceparent = trace_context_text(&self->order->trace, text);
    message_write_request(&frame, step, ++self->id, (bytes_t){0}, traceparent, body);
    self->attempt_ms = clock_boot_ms() + CALL_DEADLINE_MS;
    self->was_sent |= step != VERB_hello;
    sodium_memzero(&invited, sizeof invited);
    return link_send(self->link, &frame);
}

/* A fresh connection; what the old one had under way may still be done by the broker. */
static status_t begin(attempt_t *self)
{
    uint8_t key[KEY_BYTES];
    self->step = VERB_none;
    self->attempt_ms = UINT64_MAX;
    return link_open(self->link, key);
}

static bool is_transient(status_t status)
{
    return status == STATUS_RATE_LIMITED || status == STATUS_STORE_FULL ||
           status == STATUS_STORE_FAILED || status == STATUS_DRAINING;
}

/* *done: the outcome is final. */
static status_t take_reply(attempt_t *self, const message_t *reply, bool *done)
{
    if (reply->id != self->id || reply->verb != self->step)
        return STATUS_OK;
    if (is_transient(reply->status)) {
        clock_sleep_ms(LATER_MS);
        return send_step(self, self->step);
    }
    if (reply->status == STATUS_OK && self->step == VERB_hello)
        return send_step(self, self->order->invite ? VERB_register_invited : VERB_register);
    *done = true;
    return reply->status;
}

static status_t take_frame(attempt_t *self, bool *done)
{
    bytes_t rest = buffer_view(&self->frame);
    status_t status = STATUS_OK;
    while (status == STATUS_OK && !*done) {
        message_t message = {0};
        status = message_read(&message, &rest, 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH);
        if (status == STATUS_OK && message.kind == MESSAGE_REPLY)
            status = take_reply(self, &message, done);
        message_wipe(&message);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static status_t take_events(attempt_t *self)
{
    link_event_t event;
    status_t status = STATUS_OK;
    while (status == STATUS_OK && link_next_event(self->link, &event)) {
        if (event == LINK_WRONG_BROKER)
            return STATUS_WRONG_BROKER;
        if (event == LINK_CONNECTED) {
            self->was_connected = true;
            status = send_step(self, VERB_hello);
        } else if (event == LINK_DOWN && self->step != VERB_none) {
            status = begin(self);
        }
    }
    return status;
}

static status_t turn(attempt_t *self, bool *done)
{
    uint64_t now = clock_boot_ms();
    if (self->order->is_cancelled && self->order->is_cancelled(self->order->context))
        return STATUS_INTERRUPTED;
    if (now >= self->end_ms)
        return self->was_connected ? STATUS_TIMED_OUT : STATUS_UNREACHABLE;
    status_t status = now >= self->attempt_ms ? begin(self) : STATUS_OK;
    if (status == STATUS_OK)
        status = take_events(self);
    (void)link_flush(self->link);
    while (status == STATUS_OK && !*done && link_receive(self->link, &self->frame))
        status = take_frame(self, done);
    if (status == STATUS_OK && !*done)
        link_wait(self->link, self->end_ms - now < SLICE_MS ? self->end_ms - now : SLICE_MS);
    return status;
}

status_t registration_run(const registration_t *order, bool *was_sent)
{
    zsys_handler_set(NULL); /* signals are the caller's */
    attempt_t self = {.order = order};
    uint64_t now = clock_boot_ms();
    bool done = false;
    *was_sent = false;
    self.end_ms = order->timeout_ms > UINT64_MAX - now ? UINT64_MAX : now + order->timeout_ms;
    status_t status = endpoint_parse(&self.broker, order->broker_url);
    if (status == STATUS_OK)
        status = link_new(&self.link, &self.broker);
    if (status == STATUS_OK)
        status = begin(&self);
    while (status == STATUS_OK && !done)
        status = turn(&self, &done);
    link_destroy(&self.link);
    buffer_wipe(&self.frame);
    *was_sent = self.was_sent;
    return status;
}
