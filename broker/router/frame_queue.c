/* SPDX-License-Identifier: MPL-2.0 */
/* A ring: frames don't move, so what points into them stays good until they are popped. */
#include "broker/router/frame_queue.h"

bool frame_queue_is_full(const frame_queue_t *self)
{
    return self->count == FRAME_QUEUE_FRAMES || self->bytes >= FRAME_QUEUE_BYTES;
}

received_frame_t *frame_queue_slot(frame_queue_t *self)
{
    return &self->frames[(self->first + self->count) % FRAME_QUEUE_FRAMES];
}

void frame_queue_push(frame_queue_t *self)
{
    self->bytes += received_frame_bytes(frame_queue_slot(self)).size;
    self->count++;
}

received_frame_t *frame_queue_first(frame_queue_t *self)
{
    return frame_queue_at(self, 0);
}

received_frame_t *frame_queue_at(frame_queue_t *self, size_t index)
{
    return index < self->count ? &self->frames[(self->first + index) % FRAME_QUEUE_FRAMES] : NULL;
}

void frame_queue_pop(frame_queue_t *self)
{
    received_frame_t *frame = frame_queue_first(self);
    if (frame) {
        self->bytes -= received_frame_bytes(frame).size;
        received_frame_close(frame);
        self->first = (self->first + 1) % FRAME_QUEUE_FRAMES;
        self->count--;
    }
}

void frame_queue_wipe(frame_queue_t *self)
{
    while (self->count > 0) {
        frame_queue_pop(self);
    }
}
