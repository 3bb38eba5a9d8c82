/* SPDX-License-Identifier: MPL-2.0 */
/* The network, and the queue of what will happen. */
#include <sodium.h>
#include <string.h>

#include "proto/memory.h"
#include "tests/simulation/world.h"

#define DELAY_MS 9000 /* longer than calls wait */

static bool is_before(const happening_t *a, const happening_t *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(happening_t *a, happening_t *b)
{
    happening_t other = *a;
    *a = *b;
    *b = other;
}

void world_event_add(world_t *self, happening_t *event)
{
    if (self->event_count == self->event_capacity) {
        self->event_capacity = self->event_capacity ? 2 * self->event_capacity : 64;
        self->events = mem_realloc(self->events, self->event_capacity, sizeof *self->events);
    }
    event->order = self->event_order++;
    size_t at = self->event_count++;
    self->events[at] = *event;
    event->bytes = (buffer_t){0}; /* transferred */
    for (; at && is_before(&self->events[at], &self->events[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&self->events[at], &self->events[(at - 1) / 2]);
}

uint64_t world_event_next(const world_t *self)
{
    return self->event_count ? self->events[0].at_ms : UINT64_MAX;
}

bool world_event_take(world_t *self, uint64_t until_ms, happening_t *out)
{
    if (world_event_next(self) > until_ms || !self->event_count)
        return false;
    *out = self->events[0];
    self->events[0] = self->events[--self->event_count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < self->event_count && is_before(&self->events[child], &self->events[least]))
                least = child;
        if (least == at)
            return true;
        swap(&self->events[at], &self->events[least]);
        at = least;
    }
}

static void link_event(world_t *self, size_t client, unsigned side, link_event_t what,
                       uint64_t delay_ms)
{
    happening_t event = {.at_ms = self->now_ms + delay_ms,
                         .kind = EVENT_LINK,
                         .client = client,
                         .side = side,
                         .life = self->nodes[client].life,
                         .connection = self->nodes[client].links[side].number,
                         .link = what};
    world_event_add(self, &event);
}

void world_link_close(world_t *self, size_t client, unsigned side)
{
    connection_t *link = &self->nodes[client].links[side];
    if (!link->is_open)
        return;
    link->is_open = false;
    if (chance_hits(&self->nodes[client].chance, 5000)) {
        uint8_t id[8];
        put_u64(id, link->number);
        rules_peer_gone(self->rules, id, sizeof id);
    }
}

void world_link_open(world_t *self, size_t client, unsigned side)
{
    world_link_close(self, client, side);
    connection_t *link = &self->nodes[client].links[side];
    *link = (connection_t){.is_open = true, .number = ++self->last_connection};
    randombytes_buf(link->curve_key, sizeof link->curve_key);
    link_event(self, client, side, LINK_UP, 0);
    link_event(self, client, side, LINK_CONNECTED, 1);
}

void world_dawdle(world_t *self, size_t client, uint64_t late_ms)
{
    self->nodes[client].links[SIDE_MEMBER].late_ms = late_ms;
}

void world_echo(world_t *self, size_t client, uint64_t late_ms)
{
    self->nodes[client].links[SIDE_MEMBER].echo_ms = late_ms;
}

/* When a frame arrives; 0 if never. Frames of a connection keep their order unless chance has it
 * otherwise. */
static uint64_t arrival(world_t *self, size_t client, unsigned side, unsigned direction,
                        bool is_push)
{
    connection_t *link = &self->nodes[client].links[side];
    chance_t *chance = &self->nodes[client].chance;
    if (world_fault(self, FAULT_loss) || (is_push && world_fault(self, FAULT_push_loss)))
        return 0;
    uint64_t at = self->now_ms + 1 + chance_below(chance, self->options.delay_ms + 1);
    if (world_fault(self, FAULT_delay))
        at += world_fault_below(self, FAULT_delay, DELAY_MS);
    if (world_fault(self, FAULT_reorder))
        return at;
    if (direction == 0 && link->late_ms)
        return at + link->late_ms;
    if (at < link->last_at[direction])
        at = link->last_at[direction];
    link->last_at[direction] = at;
    return at;
}

static void maybe_cut(world_t *self, size_t client, unsigned side)
{
    connection_t *link = &self->nodes[client].links[side];
    if (!world_fault(self, FAULT_cut))
        return;
    link->is_open = false;
    link_event(self, client, side, LINK_DOWN, chance_below(&self->nodes[client].chance, 200));
}

void world_send_to_broker(world_t *self, size_t client, unsigned side, buffer_t *frame)
{
    connection_t *link = &self->nodes[client].links[side];
    unsigned copies = world_fault(self, FAULT_doubling) || link->echo_ms ? 2 : 1;
    for (unsigned i = 0; i < copies && link->is_open; i++) {
        uint64_t at = i && link->echo_ms ? self->now_ms + link->echo_ms
                                         : arrival(self, client, side, 0, false);
        happening_t event = {.at_ms = at,
                             .kind = EVENT_TO_BROKER,
                             .client = client,
                             .side = side,
                             .connection = link->number,
                             .peer = *link};
        if (!at)
            continue;
        buffer_append(&event.bytes, frame->data, frame->size);
        world_event_add(self, &event);
    }
    if (link->is_open)
        maybe_cut(self, client, side);
}

size_t world_client_of(const world_t *self, uint64_t connection)
{
    for (size_t client = 0; client < self->options.clients; client++)
        for (unsigned side = 0; side < SIDES; side++)
            if (self->nodes[client].links[side].number == connection)
                return client;
    return SIZE_MAX;
}

void world_send_to_client(world_t *self, const rules_peer_t *peer, bytes_t frame, bool is_push)
{
    uint64_t number = peer->id_size == 8 ? get_u64(peer->id) : 0;
    for (size_t client = 0; client < self->options.clients; client++) {
        for (unsigned side = 0; side < SIDES; side++) {
            connection_t *link = &self->nodes[client].links[side];
            if (link->number != number || !link->is_open)
                continue;
            unsigned copies = world_fault(self, FAULT_doubling) ? 2 : 1;
            for (unsigned i = 0; i < copies; i++) {
                uint64_t at = arrival(self, client, side, 1, is_push);
                happening_t event = {.at_ms = at,
                                     .kind = EVENT_TO_CLIENT,
                                     .client = client,
                                     .side = side,
                                     .life = self->nodes[client].life,
                                     .connection = number};
                if (!at)
                    continue;
                buffer_append(&event.bytes, frame.data, frame.size);
                world_event_add(self, &event);
            }
        }
    }
}
