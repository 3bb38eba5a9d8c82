/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Frames over a local stream socket, in both directions, without ever waiting: a version byte (1),
 * the length (4, big-endian), the bytes.
 */
#ifndef CONCLAVE_CLIENT_HOME_FRAME_STREAM_H
#define CONCLAVE_CLIENT_HOME_FRAME_STREAM_H

#include "proto/bytes.h"

#define FRAME_STREAM_VERSION          1
#define FRAME_STREAM_QUEUE_BYTES_MAX  (32u * 1024 * 1024) /* unsent; always more than one frame */
#define FRAME_STREAM_QUEUE_FRAMES_MAX 65536

/* Owned by one thread. */
typedef struct {
    int socket;
    buffer_t in, out;
    size_t in_at, out_at; /* what is done with */
    size_t out_frames;    /* put since out was last empty */
    bool has_ended;       /* the peer has closed, or can't be understood */
} frame_stream_t;

/* Takes the socket over. */
void frame_stream_init(frame_stream_t *self, int socket);
void frame_stream_wipe(frame_stream_t *self);

/* Queues a frame and sends what goes at once. STATUS_TOO_LARGE, STATUS_TOO_MANY (the queue is
 * full), STATUS_HOLDER_ENDED (the peer is gone): not queued. */
MUST_CHECK status_t frame_stream_put(frame_stream_t *self, bytes_t frame);
/* Sends what goes. STATUS_HOLDER_ENDED. */
MUST_CHECK status_t frame_stream_flush(frame_stream_t *self);
/* Whether something waits to be sent: poll for writing. */
bool frame_stream_is_sending(const frame_stream_t *self);

/*
 * Replaces frame's content by the next frame, reading what has come. STATUS_NOT_FOUND: none yet.
 * STATUS_HOLDER_ENDED: none any more. STATUS_TOO_LARGE, STATUS_NEWER_FORMAT: the peer isn't of this
 * version, the stream has ended.
 */
MUST_CHECK status_t frame_stream_get(frame_stream_t *self, buffer_t *frame);

#endif
