/* SPDX-License-Identifier: MPL-2.0 */
/* The eavesdropper: every event that the broker ever handed out, and where the logs end. */
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"
#include "proto/message.h"
#include "tests/simulation/world.h"

const recorded_t *world_recorded(const world_t *self, const uint8_t *group, uint64_t sequence,
                                 const recorded_t *after)
{
    for (size_t i = after ? (size_t)(after - self->recorded) + 1 : 0; i < self->recorded_count; i++)
        if (self->recorded[i].sequence == sequence &&
            !memcmp(self->recorded[i].group, group, GROUP_ID_BYTES))
            return &self->recorded[i];
    return NULL;
}

struct head {
    uint8_t group[GROUP_ID_BYTES];
    uint64_t sequence;
};

static struct head *find_head(const world_t *self, const uint8_t *group)
{
    for (size_t i = 0; i < self->head_count; i++)
        if (!memcmp(self->heads[i].group, group, GROUP_ID_BYTES))
            return &self->heads[i];
    return NULL;
}

uint64_t world_head(const world_t *self, const uint8_t *group)
{
    const struct head *head = find_head(self, group);
    return head ? head->sequence : 0;
}

static void record_head(world_t *self, size_t client, const group_state_record_t *state)
{
    if (client == SIZE_MAX)
        return; /* its connection has gone */
    member_core_t *core = (member_core_t *)self->nodes[client].cores[SIDE_MEMBER];
    const group_t *group = core ? member_group(core, state->group) : NULL;
    if (!group || group->phase == GROUP_LEAVING ||
        (state->status && status_from_wire(state->status) != STATUS_BAD_CURSOR))
        return; /* of somebody who reads it no further: up to the own leave */
    struct head *head = find_head(self, state->group);
    if (!head) {
        self->heads = mem_realloc(self->heads, self->head_count + 1, sizeof *self->heads);
        head = &self->heads[self->head_count++];
        memcpy(head->group, state->group, GROUP_ID_BYTES);
    }
    head->sequence = state->head;
}

static bool is_same(const recorded_t *known, const event_record_t *event)
{
    return known->payload.size == event->payload.size &&
           !memcmp(known->payload.data, event->payload.data, event->payload.size);
}

static void record(world_t *self, const event_record_t *event)
{
    const recorded_t *known = world_recorded(self, event->group, event->sequence, NULL);
    if (known && !self->was_set_back && !is_same(known, event))
        world_fail(self, "the broker handed out two different events at %llu",
                   (unsigned long long)event->sequence);
    for (; known; known = world_recorded(self, event->group, event->sequence, known))
        if (is_same(known, event))
            return;
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

void world_record(world_t *self, size_t client, bytes_t frame)
{
    for (;;) {
        message_t message = {0};
        status_t status = message_read(&message, &frame, 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH);
        const event_record_t *events = NULL;
        size_t count = 0;
        if (!status && message.verb == VERB_poll_messages) {
            events = message.body.poll_messages_reply.events.items;
            count = message.body.poll_messages_reply.events.count;
            for (size_t i = 0; i < message.body.poll_messages_reply.states.count; i++)
                record_head(self, client, &message.body.poll_messages_reply.states.items[i]);
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
    free(self->heads);
}
