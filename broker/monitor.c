/* SPDX-License-Identifier: MPL-2.0 */
/* libzmq sends its events in two parts: event (2 bytes) and value (4), host order; the address. */
#include "broker/monitor.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    uint16_t event;
    uint32_t value;
    char address[128];
} socket_event_t;

static bool event_receive(zsock_t *source, socket_event_t *out)
{
    zframe_t *head = NULL;
    char *address = NULL;
    bool is_read = zsock_recv(source, "fs", &head, &address) == 0 && head && zframe_size(head) == 6;
    if (is_read) {
        memcpy(&out->event, zframe_data(head), 2);
        memcpy(&out->value, zframe_data(head) + 2, 4);
        snprintf(out->address, sizeof out->address, "%s", address ? address : "");
    }
    zframe_destroy(&head);
    free(address);
    return is_read;
}

static const char *event_name(uint16_t event)
{
    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        return "accepted";
    case ZMQ_EVENT_ACCEPT_FAILED:
        return "accept_failed";
    case ZMQ_EVENT_DISCONNECTED:
        return "disconnected";
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return "handshake_succeeded";
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return "handshake_failed";
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return "handshake_failed_protocol";
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return "handshake_failed_authentication";
    default:
        return "other";
    }
}

static void event_count(counters_t *counters, uint16_t event)
{
    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        counter_add(&counters->connections, 1);
        counter_add(&counters->connections_accepted, 1);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        if (counter_get(&counters->connections) > 0) {
            counter_add(&counters->connections,
                        UINT64_MAX); /* minus 1; only this thread writes it */
        }
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        counter_add(&counters->handshakes, 1);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        counter_add(&counters->handshakes_failed, 1);
        break;
    default:
        break;
    }
}

static void event_trace(trace_hub_t *trace, uint16_t event)
{
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        trace_hub_handshake_failed(trace, TRACE_REASON_NO_DETAIL);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        trace_hub_handshake_failed(trace, TRACE_REASON_PROTOCOL);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        trace_hub_handshake_failed(trace, TRACE_REASON_AUTHENTICATION);
        break;
    default:
        break;
    }
}

static void event_handle(const monitor_options_t *self, const socket_event_t *event)
{
    event_count(self->counters, event->event);
    if (self->trace) {
        event_trace(self->trace, event->event);
    }
    if (event->event == ZMQ_EVENT_ACCEPT_FAILED) {
        LOG(self->log, LEVEL_WARN, log_event("accept_failed"), log_text("address", event->address),
            log_errno("cause", (int)event->value));
    } else {
        LOG(self->log, LEVEL_DEBUG, log_event("connection"),
            log_text("change", event_name(event->event)), log_text("address", event->address),
            log_count("value", event->value));
    }
}

void monitor_actor(zsock_t *pipe, void *options)
{
    monitor_options_t *self = options;
    /* libzmq frees the name of a monitor that was stopped some time later: each has its own. */
    static atomic_uint started;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "inproc://conclave.monitor.%u",
             atomic_fetch_add(&started, 1u));
    const int wanted = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_DISCONNECTED |
                       ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    zsock_t *source = zsock_new(ZMQ_PAIR);
    self->is_started = source &&
                       zmq_socket_monitor(zsock_resolve(self->watched), endpoint, wanted) == 0 &&
                       zsock_connect(source, "%s", endpoint) == 0;
    zsock_signal(pipe, 0);
    if (self->is_started) {
        zpoller_t *poller = zpoller_new(pipe, source, NULL);
        zpoller_set_nonstop(poller, true);
        socket_event_t event;
        while (zpoller_wait(poller, -1) == source) {
            if (event_receive(source, &event)) {
                event_handle(self, &event);
            }
        }
        zpoller_destroy(&poller);
    }
    zsock_destroy(&source);
}

void monitor_stop(zsock_t *watched)
{
    zmq_socket_monitor(zsock_resolve(watched), NULL, 0);
}
