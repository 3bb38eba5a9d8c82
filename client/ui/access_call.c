/* SPDX-License-Identifier: MPL-2.0 */
/* How a command reaches its home: requests, replies and pushes. */
#include "client/ui/access.h"

#include "client/actors/engine.h"
#include "client/ui/action_trace.h"
#include "client/ui/complaint.h"
#include "client/ui/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_MS      2000 /* how long a command that ends waits for texts that are on their way */
#define SETTLE_STEP_MS 40

static void set_text(text_buffer_t *out, text_t text)
{
    text_buffer_wipe(out);
    text_buffer_add(out, text.data, text.size);
}

const char *access_link_reason(const access_t *self)
{
    return !self->reachable && self->link_reason.size ? self->link_reason.bytes : NULL;
}

text_t access_detail(const local_message_t *reply)
{
    switch (reply->verb) {
    case LOCAL_VERB_pass:
        return reply->body.pass_reply.detail;
    case LOCAL_VERB_create:
        return reply->body.create_reply.detail;
    case LOCAL_VERB_join:
        return reply->body.join_reply.detail;
    case LOCAL_VERB_leave:
        return reply->body.leave_reply.detail;
    case LOCAL_VERB_send:
        return reply->body.send_reply.detail;
    case LOCAL_VERB_members:
        return reply->body.members_reply.detail;
    case LOCAL_VERB_pending:
        return reply->body.pending_reply.detail;
    case LOCAL_VERB_unregister:
        return reply->body.unregister_reply.detail;
    default:
        return (text_t){0};
    }
}

/* The screen has ended: of which cause? */
static status_t ended(access_t *self)
{
    invocation_t *invocation = self->invocation;
    if (self->engine) {
        char reason[ENGINE_REASON_BYTES];
        status_t status = engine_failure(self->engine, reason);
        if (status != STATUS_OK) {
            complain(invocation, status, "the client had to stop");
            complain_cause(invocation, reason);
            return status;
        }
    }
    complain(invocation, STATUS_HOLDER_ENDED, "the connection to the home was lost");
    if (self->ending_reason.size)
        complain_cause(invocation, self->ending_reason.bytes);
    return STATUS_HOLDER_ENDED;
}

/* What a user does to others; all else only fetches. */
static bool is_action(local_verb_t verb)
{
    return verb == LOCAL_VERB_create || verb == LOCAL_VERB_join || verb == LOCAL_VERB_leave ||
           verb == LOCAL_VERB_send || verb == LOCAL_VERB_unregister;
}

status_t access_send(access_t *self, local_verb_t verb, const void *body, uint64_t *id)
{
    buffer_t frame = {0};
    *id = ++self->last_id;
    bool is_traced = self->invocation->globals.trace && is_action(verb);
    if (is_traced)
        action_trace_make(&self->trace);
    local_write_request(&frame, verb, *id, is_traced ? &self->trace : NULL, body);
    status_t status = screen_send(self->screen, buffer_view(&frame));
    buffer_wipe(&frame);
    if (status == STATUS_HOLDER_ENDED)
        return ended(self);
    if (status != STATUS_OK)
        complain(self->invocation, status, "the home's holder takes no request");
    return status;
}

static void note(access_t *self)
{
    const local_message_t *message = &self->message;
    if (message->kind != MESSAGE_PUSH)
        return;
    if (message->verb == LOCAL_VERB_link) {
        self->link_known = true;
        self->reachable = message->body.link_push.reachable != 0;
        set_text(&self->link_reason, message->body.link_push.reason);
    } else if (message->verb == LOCAL_VERB_ending) {
        set_text(&self->ending_reason, message->body.ending_push.reason);
    }
}

/* Waits for the screen or a signal. STATUS_OK: try the screen again. */
static status_t wait_for_either(access_t *self, uint64_t until_ms)
{
    uint64_t now = access_now();
    if (now >= until_ms)
        return STATUS_TIMED_OUT;
    uint64_t left = until_ms - now;
    struct pollfd sources[] = {{.fd = screen_fd(self->screen), .events = POLLIN},
                               {.fd = self->invocation->signal_fd, .events = POLLIN}};
    int timeout = left > 60000 ? 60000 : (int)left;
    if (poll(sources, 2, timeout) < 0)
        return errno == EINTR ? STATUS_OK : STATUS_IO_ERROR;
    int number = sources[1].revents ? signals_take(self->invocation->signal_fd) : 0;
    if (!number || number == SIGWINCH)
        return STATUS_OK;
    self->invocation->signal_number = number;
    return STATUS_INTERRUPTED;
}

status_t access_receive(access_t *self, uint64_t until_ms)
{
    for (;;) {
        local_message_wipe(&self->message);
        status_t status = screen_receive(self->screen, 0, &self->frame);
        if (status == STATUS_OK) {
            status = local_message_read(&self->message, buffer_view(&self->frame),
                                        1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH);
            if (status != STATUS_OK)
                return complain(self->invocation, status, "the home's holder speaks otherwise");
            note(self);
            return STATUS_OK;
        }
        if (status == STATUS_HOLDER_ENDED)
            return ended(self);
        if (status != STATUS_TIMED_OUT && status != STATUS_INTERRUPTED)
            return complain(self->invocation, status, "the home's holder can't be understood");
        status = wait_for_either(self, until_ms);
        if (status != STATUS_OK)
            return status;
    }
}

status_t access_await(access_t *self, uint64_t id, uint64_t until_ms)
{
    for (;;) {
        status_t status = access_receive(self, until_ms);
        if (status != STATUS_OK)
            return status;
        if (self->message.kind == MESSAGE_REPLY && self->message.id == id)
            return STATUS_OK;
        if (self->on_push)
            self->on_push(self->context, &self->message);
    }
}

status_t access_call_until(access_t *self, local_verb_t verb, const void *body, uint64_t until_ms,
                           const char *what)
{
    uint64_t id;
    status_t status = access_send(self, verb, body, &id);
    if (status == STATUS_OK)
        status = access_await(self, id, until_ms);
    if (status == STATUS_TIMED_OUT) {
        const char *reason = access_link_reason(self);
        status = reason ? STATUS_UNREACHABLE : STATUS_TIMED_OUT;
        complain(self->invocation, status, "%s", what);
        complain_cause(self->invocation, reason);
        return status;
    }
    if (status != STATUS_OK)
        return status;
    status = self->message.status;
    if (status != STATUS_OK) {
        complain(self->invocation, status, "%s", what);
        complain_cause_text(self->invocation, access_detail(&self->message));
    }
    return status;
}

status_t access_call(access_t *self, local_verb_t verb, const void *body, const char *what)
{
    return access_call_until(self, verb, body, access_deadline(self), what);
}

/* Texts that wait from earlier get a moment to go out. */
static status_t settle_outbox(access_t *self)
{
    uint64_t until_ms = access_now() + SETTLE_MS;
    local_outbox_request_t all = {0};
    for (;;) {
        status_t status =
            access_call(self, LOCAL_VERB_outbox, &all, "the outbox could not be read");
        if (status != STATUS_OK || self->message.body.outbox_reply.waiting == 0)
            return status;
        uint64_t pause_ms = access_now() + SETTLE_STEP_MS;
        if (pause_ms > until_ms)
            return STATUS_OK;
        do {
            status = access_receive(self, pause_ms);
            if (status == STATUS_OK && self->on_push)
                self->on_push(self->context, &self->message);
        } while (status == STATUS_OK);
        if (status != STATUS_TIMED_OUT)
            return status;
    }
}

status_t access_pass(access_t *self, const char *what)
{
    status_t status = access_call(self, LOCAL_VERB_pass, NULL, what);
    if (status != STATUS_OK)
        return status;
    if (self->engine && !self->is_remembered)
        self->is_remembered = home_remember_broker(self->home, self->broker_url) == STATUS_OK;
    return settle_outbox(self);
}

void access_pass_quietly(access_t *self)
{
    invocation_t *invocation = self->invocation;
    text_buffer_t what = invocation->what, cause = invocation->cause, advice = invocation->advice;
    invocation->what = invocation->cause = invocation->advice = (text_buffer_t){0};
    uint64_t id;
    status_t status = access_send(self, LOCAL_VERB_pass, NULL, &id);
    if (status == STATUS_OK)
        status = access_await(self, id, access_deadline(self));
    text_buffer_wipe(&invocation->what);
    text_buffer_wipe(&invocation->cause);
    text_buffer_wipe(&invocation->advice);
    invocation->what = what; /* what the command was about stays said */
    invocation->cause = cause;
    invocation->advice = advice;
    if (status == STATUS_OK && self->message.status == STATUS_OK && self->engine &&
        !self->is_remembered)
        self->is_remembered = home_remember_broker(self->home, self->broker_url) == STATUS_OK;
}
