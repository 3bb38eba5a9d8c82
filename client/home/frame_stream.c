/* SPDX-License-Identifier: MPL-2.0 */
#include "client/home/frame_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/local/local.h"

enum { HEADER_BYTES = 5, READ_BYTES = 64 * 1024 };
_Static_assert(FRAME_STREAM_QUEUE_BYTES_MAX > LOCAL_FRAME_MAX_BYTES + HEADER_BYTES, "one fits");

void frame_stream_init(frame_stream_t *self, int socket)
{
    *self = (frame_stream_t){.socket = socket};
    int flags = fcntl(socket, F_GETFL);
    if (flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) < 0)
        self->has_ended = true;
}

void frame_stream_wipe(frame_stream_t *self)
{
    if (self->socket >= 0)
        close(self->socket);
    buffer_wipe(&self->in);
    buffer_wipe(&self->out);
    *self = (frame_stream_t){.socket = -1, .has_ended = true};
}

bool frame_stream_is_sending(const frame_stream_t *self)
{
    return self->out.size > self->out_at;
}

/* Drops what is done with once that is most of the buffer, so that moving costs little per byte. */
static void compact(buffer_t *buffer, size_t *at)
{
    if (*at < buffer->size && *at < buffer->size / 2)
        return;
    size_t left = buffer->size - *at;
    if (left > 0 && *at > 0)
        memmove(buffer->data, buffer->data + *at, left);
    buffer->size = left;
    *at = 0;
}

status_t frame_stream_flush(frame_stream_t *self)
{
    while (frame_stream_is_sending(self)) {
        ssize_t sent = send(self->socket, self->out.data + self->out_at,
                            self->out.size - self->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            self->out_at += (size_t)sent;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        return STATUS_HOLDER_ENDED; /* what the peer said before it left can still be read */
    }
    compact(&self->out, &self->out_at);
    if (self->out.size == 0)
        self->out_frames = 0;
    return STATUS_OK;
}

status_t frame_stream_put(frame_stream_t *self, bytes_t frame)
{
    if (frame.size > LOCAL_FRAME_MAX_BYTES)
        return STATUS_TOO_LARGE;
    if (self->socket < 0)
        return STATUS_HOLDER_ENDED;
    if (self->out_frames >= FRAME_STREAM_QUEUE_FRAMES_MAX ||
        self->out.size - self->out_at + HEADER_BYTES + frame.size > FRAME_STREAM_QUEUE_BYTES_MAX)
        return STATUS_TOO_MANY;
    buffer_u8(&self->out, FRAME_STREAM_VERSION);
    buffer_lp(&self->out, frame.data, frame.size);
    self->out_frames++;
    return frame_stream_flush(self);
}

/* One read. STATUS_NOT_FOUND: nothing there. */
static status_t fill(frame_stream_t *self)
{
    if (self->has_ended)
        return STATUS_HOLDER_ENDED;
    compact(&self->in, &self->in_at);
    uint8_t *room = buffer_extend(&self->in, READ_BYTES);
    ssize_t got;
    do
        got = recv(self->socket, room, READ_BYTES, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    int cause = errno;
    self->in.size -= READ_BYTES - (size_t)(got > 0 ? got : 0);
    if (got > 0)
        return STATUS_OK;
    if (got < 0 && (cause == EAGAIN || cause == EWOULDBLOCK))
        return STATUS_NOT_FOUND;
    self->has_ended = true;
    return STATUS_HOLDER_ENDED;
}

/* A whole frame that has been read, STATUS_NOT_FOUND, or why there will be none. */
static status_t parse(frame_stream_t *self, buffer_t *frame)
{
    size_t left = self->in.size - self->in_at;
    if (left < HEADER_BYTES)
        return STATUS_NOT_FOUND;
    const uint8_t *header = self->in.data + self->in_at;
    if (header[0] != FRAME_STREAM_VERSION)
        return STATUS_NEWER_FORMAT;
    size_t size = get_u32(header + 1);
    if (size > LOCAL_FRAME_MAX_BYTES)
        return STATUS_TOO_LARGE;
    if (left - HEADER_BYTES < size)
        return STATUS_NOT_FOUND;
    buffer_clear(frame);
    if (size > 0)
        buffer_append(frame, header + HEADER_BYTES, size);
    self->in_at += HEADER_BYTES + size;
    return STATUS_OK;
}

status_t frame_stream_get(frame_stream_t *self, buffer_t *frame)
{
    for (;;) {
        status_t status = parse(self, frame);
        if (status == STATUS_NOT_FOUND)
            status = fill(self);
        else if (status == STATUS_OK)
            return status;
        else
            self->has_ended = true;
        if (status != STATUS_OK)
            return status;
    }
}
