/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/operator/session.h"

#include "broker/operator/times.h"
#include "proto/memory.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void session_start(operator_session_t *self, void *socket, const uint8_t *id, size_t id_size)
{
    *self = (operator_session_t){.socket = socket, .id_size = id_size, .listener_fd = -1};
    assert(id_size <= sizeof self->id);
    memcpy(self->id, id, id_size);
}

void session_end_watch(operator_session_t *self)
{
    trace_unlisten(&self->listener);
    self->listener_fd = -1;
}

void session_wipe(operator_session_t *self)
{
    session_end_watch(self);
    buffer_free(&self->unsent);
    for (size_t i = 0; i < self->reply_count; i++)
        buffer_wipe(&self->replies[i]); /* it may hold an invite */
    *self = (operator_session_t){.listener_fd = -1};
}

status_t session_watch(operator_session_t *self, trace_hub_t *hub, const watch_request_t *request)
{
    const trace_filter_t filter = {.user = request->user,
                                   .group = request->group,
                                   .verb = request->verb,
                                   .status = request->status,
                                   .refused_only = request->refused_only != 0,
                                   .steps = request->steps,
                                   .share = request->share};
    session_end_watch(self);
    self->listener = trace_listen(hub, &filter, request->past != 0,
                                  self->is_local ? "a tool here" : "a tool from elsewhere");
    if (!self->listener)
        return STATUS_TOO_MANY;
    self->listener_fd = trace_listener_fd(self->listener);
    self->owes_past = request->past != 0;
    return STATUS_OK;
}

static session_health_t try_send(operator_session_t *self, bytes_t frame)
{
    if (zmq_send(self->socket, self->id, self->id_size, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return errno == EAGAIN ? SESSION_BLOCKED : SESSION_GONE;
    return zmq_send(self->socket, frame.data, frame.size, ZMQ_DONTWAIT) < 0 ? SESSION_GONE
                                                                            : SESSION_FINE;
}

/* In the order in which they were made. */
static session_health_t send_kept(operator_session_t *self, uint64_t now_ms)
{
    session_health_t health = SESSION_FINE;
    if (self->unsent.size > 0) {
        health = try_send(self, buffer_view(&self->unsent));
        if (health == SESSION_FINE)
            buffer_clear(&self->unsent);
    }
    while (health == SESSION_FINE && self->reply_count > 0) {
        health = try_send(self, buffer_view(&self->replies[0]));
        if (health != SESSION_FINE)
            break;
        buffer_wipe(&self->replies[0]);
        self->reply_count--;
        memmove(self->replies, self->replies + 1, self->reply_count * sizeof *self->replies);
    }
    if (health == SESSION_FINE)
        self->told_ms = now_ms;
    return health;
}

session_health_t session_send(operator_session_t *self, buffer_t *frame, uint64_t now_ms)
{
    if (self->reply_count == SESSION_REPLIES_MAX) {
        buffer_wipe(frame);
        return SESSION_GONE;
    }
    self->replies[self->reply_count++] = *frame;
    *frame = (buffer_t){0};
    return send_kept(self, now_ms);
}

bool session_is_blocked(const operator_session_t *self)
{
    return self->unsent.size > 0 || self->reply_count > 0;
}

static void push_steps(operator_session_t *self, buffer_t *out)
{
    traced_push_t push = {.records = {.items = mem_alloc(TRACED_MAX * sizeof *push.records.items)}};
    push.records.count =
        trace_listener_take(self->listener, push.records.items, TRACED_MAX, &push.dropped);
    message_write_push(out, VERB_traced, ++self->pushes, &push);
    free(push.records.items);
}

static bool has_news(const operator_session_t *self, uint64_t now_ms)
{
    zmq_pollitem_t item = {.fd = self->listener_fd, .events = ZMQ_POLLIN};
    return self->owes_past || now_ms - self->told_ms >= OPERATOR_SILENCE_MS ||
           zmq_poll(&item, 1, 0) > 0;
}

session_health_t session_go_on(operator_session_t *self, uint64_t now_ms)
{
    if (!session_is_blocked(self)) {
        if (!self->listener || !has_news(self, now_ms))
            return SESSION_FINE;
        push_steps(self, &self->unsent);
        self->owes_past = false;
    }
    return send_kept(self, now_ms);
}

session_health_t session_probe(operator_session_t *self, uint64_t now_ms)
{
    self->told_ms = 0;
    return session_go_on(self, now_ms);
}
