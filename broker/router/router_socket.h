/* SPDX-License-Identifier: MPL-2.0 */
/* The ROUTER socket: its settings, and frames in and out without ever waiting for a client. */
#ifndef CONCLAVE_BROKER_ROUTER_ROUTER_SOCKET_H
#define CONCLAVE_BROKER_ROUTER_ROUTER_SOCKET_H

#include "broker/counters.h"
#include "broker/files/key_file.h"
#include "broker/rules/rules.h"
#include "proto/bytes.h"
#include "proto/endpoint.h"

#include <czmq.h>

/* Owned by one thread, the router's. */
typedef struct {
    zsock_t *socket;
    void *handle; /* libzmq's */
    counters_t *counters;
} router_socket_t;

/* A request frame. Owned: received_frame_close. */
typedef struct {
    rules_peer_t peer;
    zmq_msg_t body;
    uint64_t
        received_us; /* CLOCK_MONOTONIC; of the frames received together, when the first came */
} received_frame_t;

typedef enum { SEND_OK, SEND_FULL, SEND_GONE } send_result_t;

/* STATUS_IO_ERROR with errno set. The key is copied into libzmq. */
MUST_CHECK status_t router_socket_init(router_socket_t *self, const key_pair_t *key,
                                       counters_t *counters);
/* Frames not sent yet get linger_ms. */
void router_socket_wipe(router_socket_t *self, int linger_ms);

/* Listens. *bound is the endpoint with the port that was picked and without a key.
   STATUS_IO_ERROR with errno set: EADDRINUSE, EACCES, EADDRNOTAVAIL, ENODEV... */
MUST_CHECK status_t router_socket_bind(router_socket_t *self, const endpoint_t *endpoint,
                                       endpoint_t *bound);

/* The next frame, or false if there is none now. Frames in several parts, of clients with a routing
   id of their own or without a known CURVE key are dropped and counted. */
bool router_socket_receive(router_socket_t *self, received_frame_t *out);
bytes_t received_frame_bytes(received_frame_t *self);
void received_frame_close(received_frame_t *self);

/* Sends a copy. SEND_FULL: the client doesn't read. SEND_GONE: the connection is closed. In both
   cases the frame is dropped. */
send_result_t router_socket_send(router_socket_t *self, const rules_peer_t *peer, bytes_t frame);

#endif
