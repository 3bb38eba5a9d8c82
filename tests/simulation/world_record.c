/* SPDX-License-Identifier: MPL-2.0 */
/* The eavesdropper: every event that the broker ever handed out. */
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"
#include "proto/message.h"
#include "tests/simulation/world.h"

const recorded_t *world_recorded(const world_t *self, const uint8_t *group, uint64_t sequence)
{
    for (size_t i = 0; i < self->recorded_count; i++)
        if (self->recorded[i].sequence == sequence &&
            !memcmp(self->recorded[i].group, group, GROUP_ID_BYTES))
            return &self->recorded[i];
    return NULL;
}

static void record(world_t *self, const event_record_t *event)
{
    const recorded_t *known = world_recorded(self, event->group, event->sequence);
    if (known) {
        if (known->payload.size != event->payload.size ||
            memcmp(known->payload.data, event->payload.data, event->payload.size))
            world_fail(self, "the broker handed out two different events at %llu",
                       (unsigned long long)event->sequence);
        return;
    }
    if (self->recorded_count == self->recorded_capacity) {
        self->recorded_capacity = self->recorded_capacity ? 2 * self->recorded_capacity : 256;
        self->recorded =
            mem_realloc(self->recorded, self->recorded_capacity, sizeof *self->recorded);
    }
    recorded_t *new = &self->recorded[self->recorded_count++];
    *new = (recorded_t){.sequence = event->sequence, .kind = event->kind};
    memcpy(new->group, event->group, GROUP_ID_BYTES);
    buffer_append(&new->payload, event->payload.data, event->payload.size);
}

void world_record(world_t *self, bytes_t frame)
{
    for (;;) {
        message_t message = {0};
        status_t status = message_read(&message, &frame, 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH);
        const event_record_t *events = NULL;
        size_t count = 0;
        if (!status && message.verb == VERB_poll_messages) {
            events = message.body.poll_messages_reply.events.items;
            count = message.body.poll_messages_reply.events.count;
        } else if (!status && message.verb == VERB_events) {
            events = message.body.events_push.events.items;
            count = message.body.events_push.events.count;
        }
        for (size_t i = 0; i < count; i++)
            record(self, &events[i]);
        message_wipe(&message);
        if (status == STATUS_NOT_FOUND)
            return;
        if (status) {
            world_fail(self, "the broker sent a frame that can't be read: %s", status_name(status));
            return;
        }
    }
}

void world_record_free(world_t *self)
{
    for (size_t i = 0; i < self->recorded_count; i++)
        buffer_free(&self->recorded[i].payload);
    free(self->recorded);
}
