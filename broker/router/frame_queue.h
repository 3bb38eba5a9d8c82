/* SPDX-License-Identifier: MPL-2.0 */
/* Request frames that wait for their batch: first in, first out, limited in frames and in bytes. */
#ifndef CONCLAVE_BROKER_ROUTER_FRAME_QUEUE_H
#define CONCLAVE_BROKER_ROUTER_FRAME_QUEUE_H

#include "broker/router/router_socket.h"

#define FRAME_QUEUE_FRAMES 2048
#define FRAME_QUEUE_BYTES  ((size_t)16 * 1024 * 1024)

/* Owned by the router's thread. When it is full nothing more is received: libzmq's queues fill, and
   TCP makes the clients wait. Zeroed memory is an empty queue. */
typedef struct {
    received_frame_t frames[FRAME_QUEUE_FRAMES];
    size_t first;
    size_t count;
    size_t bytes;
} frame_queue_t;

bool frame_queue_is_full(const frame_queue_t *self);

/* The place for the next frame: fill it, then frame_queue_push. Only if the queue isn't full. */
received_frame_t *frame_queue_slot(frame_queue_t *self);
void frame_queue_push(frame_queue_t *self);

/* The oldest frame, NULL if there is none. It stays where it is until frame_queue_pop closes it. */
received_frame_t *frame_queue_first(frame_queue_t *self);
/* The frame `index` places behind the oldest. */
received_frame_t *frame_queue_at(frame_queue_t *self, size_t index);
void frame_queue_pop(frame_queue_t *self);

/* Closes all frames. */
void frame_queue_wipe(frame_queue_t *self);

#endif
