/* SPDX-License-Identifier: MPL-2.0 */
/* The queue of unanswered requests. */
#include "client/core/calls.h"

#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

uint64_t calls_add(calls_t *self, verb_t verb, const uint8_t *group, uint64_t subject,
                   const void *request)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 16;
        self->items = mem_realloc(self->items, self->capacity, sizeof *self->items);
    }
    call_t *call = &self->items[self->count++];
    *call = (call_t){.id = ++self->last_id, .verb = verb, .subject = subject};
    if (group)
        memcpy(call->group, group, GROUP_ID_BYTES);
    message_write_request_body(&call->body, verb, request);
    return call->id;
}

call_t *calls_find(calls_t *self, uint64_t id)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->items[i].id == id)
            return &self->items[i];
    return NULL;
}

bool calls_take(calls_t *self, uint64_t id, call_t *out)
{
    call_t *call = calls_find(self, id);
    if (!call)
        return false;
    *out = *call;
    self->in_flight -= call->in_flight;
    size_t at = (size_t)(call - self->items);
    memmove(call, call + 1, (self->count - at - 1) * sizeof *call);
    self->count--;
    return true;
}

bool calls_take_first(calls_t *self, call_t *out)
{
    return self->count && calls_take(self, self->items[0].id, out);
}

call_t *calls_next(calls_t *self, uint64_t now_ms)
{
    if (self->in_flight >= IN_FLIGHT_MAX)
        return NULL;
    for (size_t i = 0; i < self->count; i++)
        if (!self->items[i].in_flight && self->items[i].rest_until_ms <= now_ms)
            return &self->items[i];
    return NULL;
}

void calls_mark_sent(calls_t *self, call_t *call, uint64_t deadline_ms)
{
    self->in_flight += !call->in_flight;
    call->in_flight = true;
    call->deadline_ms = deadline_ms;
}

void calls_mark_resting(calls_t *self, call_t *call, uint64_t until_ms)
{
    self->in_flight -= call->in_flight;
    call->in_flight = false;
    call->rest_until_ms = until_ms;
    call->refusals++;
}

void calls_mark_all_unsent(calls_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        self->items[i].in_flight = false;
    self->in_flight = 0;
}

uint64_t calls_first_deadline(const calls_t *self)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < self->count; i++)
        if (self->items[i].in_flight && self->items[i].deadline_ms < first)
            first = self->items[i].deadline_ms;
    return first;
}

uint64_t calls_first_sendable(const calls_t *self)
{
    uint64_t first = UINT64_MAX;
    if (self->in_flight >= IN_FLIGHT_MAX)
        return first;
    for (size_t i = 0; i < self->count; i++)
        if (!self->items[i].in_flight && self->items[i].rest_until_ms < first)
            first = self->items[i].rest_until_ms;
    return first;
}

void call_wipe(call_t *self)
{
    buffer_free(&self->body);
    *self = (call_t){0};
}

void calls_wipe(calls_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        call_wipe(&self->items[i]);
    free(self->items);
    *self = (calls_t){0};
}
