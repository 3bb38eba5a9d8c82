/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One DEALER to the broker: CURVE with a fresh client key each time it is opened, and what its
 * socket monitor says, told apart.
 *
 *   connect fails, connection lost, handshake stalls -> LINK_DOWN (once until something else is
 * known; ZeroMQ retries) handshake succeeds                               -> LINK_CONNECTED
 *   handshake refused twice in a row, or not CURVE   -> LINK_WRONG_BROKER: whatever answers there
 * hasn't the expected key
 */
#ifndef CONCLAVE_CLIENT_ACTORS_LINK_H
#define CONCLAVE_CLIENT_ACTORS_LINK_H

#include <czmq.h>

#include "client/core/core.h"
#include "proto/endpoint.h"

/* Frames that wait until the broker takes them. More are refused. */
#define LINK_WAITING_FRAMES_MAX 256
#define LINK_WAITING_BYTES_MAX  (16u * 1024 * 1024)

/* Owned by one actor. Not thread-safe; may move to another thread before its first use. */
typedef struct link link_t;

/* A closed link to an endpoint with a key. STATUS_BAD_ENDPOINT. */
MUST_CHECK status_t link_new(link_t **out, const endpoint_t *broker);
void link_destroy(link_t **self);

/* Closes what is open, then opens a new socket; what waited is dropped. key: the new CURVE public
 * key. STATUS_IO_ERROR: stays closed. */
MUST_CHECK status_t link_open(link_t *self, uint8_t key[static KEY_BYTES]);
void link_close(link_t *self);

/* For polling; NULL while closed, and others after each link_open. */
zsock_t *link_socket(const link_t *self);
zsock_t *link_monitor(const link_t *self);
/* Waits until one of them has something, at most timeout_ms. For callers without a loop of their
 * own. */
void link_wait(link_t *self, uint64_t timeout_ms);

/* Sends a frame, or keeps it until it can be sent, never waiting. The frame is taken over whatever
   happens. STATUS_TOO_LARGE; STATUS_TOO_MANY: the broker doesn't read; STATUS_UNREACHABLE: closed.
 */
MUST_CHECK status_t link_send(link_t *self, buffer_t *frame);
/* Sends what waits. True if something still does and could go soon: call again within milliseconds.
 */
bool link_flush(link_t *self);
/* Replaces frame's content by the next frame. False: none now. Messages that aren't one frame of
 * the allowed size are dropped. Never waits. */
bool link_receive(link_t *self, buffer_t *frame);
/* The next change. False: none now. Never waits. What still waited to be sent is dropped unless it
 * is LINK_CONNECTED. */
bool link_next_event(link_t *self, link_event_t *out);

#endif
