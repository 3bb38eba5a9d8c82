/* SPDX-License-Identifier: MPL-2.0 */
/* One connected tool: what it asked, and the steps that are pushed to it. */
#ifndef CONCLAVE_BROKER_OPERATOR_SESSION_H
#define CONCLAVE_BROKER_OPERATOR_SESSION_H

#include "broker/trace/hub.h"
#include "proto/message.h"

#include <czmq.h>

/* Replies that wait for a tool which doesn't read. */
#define SESSION_REPLIES_MAX 8

/* Sends without waiting; what can't be sent is kept for the next try. */
typedef struct {
    void *socket; /* libzmq's, borrowed */
    uint8_t id[16];
    size_t id_size;
    bool is_local;              /* a tool of the broker's user on this machine */
    trace_listener_t *listener; /* NULL: doesn't watch */
    int listener_fd;            /* -1 */
    buffer_t unsent;            /* a frame of steps, older than the replies */
    buffer_t replies[SESSION_REPLIES_MAX];
    size_t reply_count;
    uint64_t pushes;
    uint64_t told_ms; /* when something was sent last */
    bool owes_past; /* a push is due even if nothing is remembered: it shows where the past ends */
} operator_session_t;

typedef enum { SESSION_FINE, SESSION_BLOCKED, SESSION_GONE } session_health_t;

void session_start(operator_session_t *self, void *socket, const uint8_t *id, size_t id_size);
/* Frees all and zeroes it. */
void session_wipe(operator_session_t *self);

void session_end_watch(operator_session_t *self);

/* STATUS_TOO_MANY if too many watch already. */
MUST_CHECK status_t session_watch(operator_session_t *self, trace_hub_t *hub,
                                  const watch_request_t *request);

/* A frame with a reply, which is taken over. SESSION_GONE also for who has asked for
 * SESSION_REPLIES_MAX already and reads none. */
session_health_t session_send(operator_session_t *self, buffer_t *frame, uint64_t now_ms);

/* Whether something waits that could not be sent. */
bool session_is_blocked(const operator_session_t *self);

/* Sends what was kept, then waiting steps, a frame of at most TRACED_MAX; an empty one as a sign of
 * life if nothing was sent for long, which also shows who has gone. */
session_health_t session_go_on(operator_session_t *self, uint64_t now_ms);

/* The same, with a sign of life in any case for who watches. */
session_health_t session_probe(operator_session_t *self, uint64_t now_ms);

#endif
