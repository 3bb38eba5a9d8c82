/* SPDX-License-Identifier: MPL-2.0 */
#include "client/actors/link_watch.h"

#include <zmq.h>

enum { REFUSALS_TO_TELL = 2, RETRIES_TO_TELL = 2, STALL_MARGIN_MS = 500 };

void link_watch_reopen(link_watch_t *self)
{
    *self = (link_watch_t){.refusals = self->refusals};
}

static bool tell_down(link_watch_t *self, link_event_t *out)
{
    bool is_news = !self->is_down;
    self->is_connected = false;
    self->is_down = true;
    *out = LINK_DOWN;
    return is_news;
}

static bool handshake_failed(link_watch_t *self, uint64_t now_ms, link_event_t *out)
{
    if (now_ms - self->attempt_ms + STALL_MARGIN_MS >= LINK_HANDSHAKE_MS) {
        self->refusals = 0;
        return tell_down(self, out);
    }
    if (self->refusals < REFUSALS_TO_TELL)
        self->refusals++;
    *out = LINK_WRONG_BROKER;
    return self->refusals == REFUSALS_TO_TELL;
}

bool link_watch_event(link_watch_t *self, unsigned event, uint64_t now_ms, link_event_t *out)
{
    if (event != ZMQ_EVENT_CONNECT_RETRIED)
        self->retries = 0;
    switch (event) {
    case ZMQ_EVENT_CONNECTED:
        self->attempt_ms = now_ms;
        return false;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        *self = (link_watch_t){.is_connected = true};
        *out = LINK_CONNECTED;
        return true;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return handshake_failed(self, now_ms, out);
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        /* It speaks, but not CURVE. ZeroMQ doesn't try again, so that there is no second one to
         * wait for. */
        *out = LINK_WRONG_BROKER;
        return true;
    case ZMQ_EVENT_CLOSED: /* connect failed */
        self->refusals = 0;
        return tell_down(self, out);
    case ZMQ_EVENT_DISCONNECTED:
        /* After a refusal the next attempt decides what it was. */
        return self->is_connected && tell_down(self, out);
    case ZMQ_EVENT_CONNECT_RETRIED:
        return !self->is_connected && ++self->retries >= RETRIES_TO_TELL && tell_down(self, out);
    default:
        return false;
    }
}
