/* SPDX-License-Identifier: MPL-2.0 */
/* Numbers there and back. */
#include "tests/simulation/renumber.h"

#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"
#include "proto/message.h"

#define MESSAGE_PER_10000 1500
#define COMMIT_PER_10000  100 /* who misses one follows no more */

void renumber_init(renumber_t *self, world_t *world, uint64_t seed)
{
    *self = (renumber_t){.world = world};
    self->chance.state = seed ^ 0x4e5b;
    self->victims = chance_next(&self->chance);
}

void renumber_free(renumber_t *self)
{
    free(self->logs);
    *self = (renumber_t){0};
}

void renumber_stop(renumber_t *self)
{
    self->has_stopped = true;
}

static retold_log_t *log_of(renumber_t *self, size_t client, const uint8_t *group)
{
    for (size_t i = 0; i < self->log_count; i++)
        if (self->logs[i].client == client && !memcmp(self->logs[i].group, group, GROUP_ID_BYTES))
            return &self->logs[i];
    self->logs = mem_realloc(self->logs, self->log_count + 1, sizeof *self->logs);
    retold_log_t *log = &self->logs[self->log_count++];
    *log = (retold_log_t){.client = client};
    memcpy(log->group, group, GROUP_ID_BYTES);
    return log;
}

/* How far the client has come that has heard of all up to this place. */
static uint64_t told_of(const retold_log_t *log, uint64_t sequence)
{
    size_t hidden = 0;
    while (hidden < log->hidden_count && log->hidden[hidden] <= sequence)
        hidden++;
    return sequence - hidden;
}

static uint64_t true_of(const retold_log_t *log, uint64_t told)
{
    for (size_t i = 0; i < log->hidden_count && log->hidden[i] <= told; i++)
        told++;
    return told;
}

static bool is_hidden(const retold_log_t *log, uint64_t sequence)
{
    for (size_t i = 0; i < log->hidden_count; i++)
        if (log->hidden[i] == sequence)
            return true;
    return false;
}

/* What comes for the first time may be hidden. */
static bool hides(renumber_t *self, retold_log_t *log, const event_record_t *event)
{
    if (event->sequence <= log->last)
        return is_hidden(log, event->sequence);
    bool is_first = !log->last;
    log->last = event->sequence;
    unsigned rate = event->kind == EVENT_COMMIT ? COMMIT_PER_10000 : MESSAGE_PER_10000;
    if (is_first || self->has_stopped || log->hidden_count == HIDDEN_MAX ||
        !chance_hits(&self->chance, rate))
        return false;
    log->hidden[log->hidden_count++] = event->sequence;
    self->world->tally.lies[LIE_renumber]++;
    return true;
}

static void retell_events(renumber_t *self, size_t client, event_record_t *events, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        retold_log_t *log = log_of(self, client, events[i].group);
        if (hides(self, log, &events[i]))
            continue;
        events[kept] = events[i];
        events[kept++].sequence = told_of(log, events[i].sequence);
    }
    *count = kept;
}

static void retell(renumber_t *self, size_t client, message_t *message)
{
    if (message->kind == MESSAGE_PUSH && message->verb == VERB_events) {
        events_push_t *body = &message->body.events_push;
        retell_events(self, client, body->events.items, &body->events.count);
    } else if (message->kind == MESSAGE_REPLY && message->verb == VERB_poll_messages) {
        poll_messages_reply_t *body = &message->body.poll_messages_reply;
        retell_events(self, client, body->events.items, &body->events.count);
        for (size_t i = 0; i < body->states.count; i++) {
            group_state_record_t *state = &body->states.items[i];
            state->head = told_of(log_of(self, client, state->group), state->head);
        }
    } else if (message->kind == MESSAGE_REPLY && message->verb == VERB_poll_keys) {
        poll_keys_reply_t *body = &message->body.poll_keys_reply;
        for (size_t i = 0; i < body->keys.count; i++) {
            pending_key_record_t *key = &body->keys.items[i];
            key->commit_sequence = told_of(log_of(self, client, key->group), key->commit_sequence);
        }
    }
}

static void number_back(renumber_t *self, size_t client, cursor_record_t *cursors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cursors[i].cursor = true_of(log_of(self, client, cursors[i].group), cursors[i].cursor);
}

static bool is_victim(const renumber_t *self, size_t client)
{
    return client < self->world->options.clients && (self->victims >> client & 1);
}

bool renumber_tell(renumber_t *self, size_t client, bytes_t frame, buffer_t *out)
{
    message_t message = {0};
    while (is_victim(self, client) &&
           !message_read(&message, &frame, 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH)) {
        retell(self, client, &message);
        if (message.kind == MESSAGE_PUSH)
            message_write_push(out, message.verb, message.id, &message.body);
        else
            message_write_reply(out, message.verb, message.id, message.status, &message.body);
        message_wipe(&message);
    }
    return out->size != 0;
}

bool renumber_hear(renumber_t *self, size_t client, bytes_t frame, buffer_t *out)
{
    message_t message = {0};
    while (is_victim(self, client) && !message_read(&message, &frame, 1u << MESSAGE_REQUEST)) {
        poll_messages_request_t *messages = &message.body.poll_messages_request;
        poll_keys_request_t *keys = &message.body.poll_keys_request;
        if (message.verb == VERB_poll_messages)
            number_back(self, client, messages->cursors.items, messages->cursors.count);
        else if (message.verb == VERB_poll_keys)
            number_back(self, client, keys->done.items, keys->done.count);
        message_write_request(out, message.verb, message.id, message.token, message.traceparent,
                              &message.body);
        message_wipe(&message);
    }
    return out->size != 0;
}
