/* SPDX-License-Identifier: MPL-2.0 */
/* What goes out to a peer. */
#include "broker/rules/output.h"

#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

/* Memory that a quiet peer may keep from turn to turn. */
enum { OUTPUT_KEPT_BYTES = 2048 };

size_t output_size(const peer_t *peer)
{
    return peer->output.bytes.size;
}

static void add_cut(output_t *self)
{
    if (self->cut_count == self->cut_capacity) {
        self->cut_capacity = self->cut_capacity ? self->cut_capacity * 2 : 1;
        self->cuts = mem_realloc(self->cuts, self->cut_capacity, sizeof *self->cuts);
    }
    self->cuts[self->cut_count++] =
        (frame_cut_t){.end = self->bytes.size, .told_end = self->told_count};
}

static frame_cut_t *open_cut(output_t *self)
{
    return &self->cuts[self->cut_count - 1];
}

static output_t *touch(rules_t *self, peer_t *peer)
{
    if (!peer->touched) {
        peer->touched = true;
        pointers_add(&self->touched_peers, peer);
    }
    if (peer->output.cut_count == 0)
        add_cut(&peer->output);
    return &peer->output;
}

/* Counts in the message that starts at `before`: in the open frame, or in a new one if that would
 * grow too large. */
static void close_message(output_t *self, size_t before, bool is_push)
{
    frame_cut_t *cut = open_cut(self);
    size_t start = self->cut_count > 1 ? cut[-1].end : 0;
    size_t max_bytes = is_push ? PUSH_FRAME_MAX_BYTES : FRAME_MAX_BYTES;
    if (before > start && (self->bytes.size - start > max_bytes ||
                           cut->replies + cut->pushes >= FRAME_MAX_MESSAGES)) {
        cut->end = before;
        add_cut(self);
        cut = open_cut(self);
    }
    cut->end = self->bytes.size;
    *(is_push ? &cut->pushes : &cut->replies) += 1;
}

/* The push that was closed last, for who is told when its frame can't be sent. */
static void note_push(rules_t *self, output_t *output, verb_t verb, uint64_t step)
{
    if (!self->config.listen)
        return;
    if (output->told_count == output->told_capacity) {
        output->told_capacity = output->told_capacity ? output->told_capacity * 2 : 2;
        output->told = mem_realloc(output->told, output->told_capacity, sizeof *output->told);
    }
    output->told[output->told_count++] = (rules_push_t){.verb = verb, .step = step};
    open_cut(output)->told_end = output->told_count;
}

static void settle(output_t *self)
{
    self->settled_bytes = self->bytes.size;
    self->settled_cuts = self->cut_count;
    self->settled_last = *open_cut(self);
}

void output_reply(rules_t *self, peer_t *peer, verb_t verb, uint64_t id, status_t status,
                  const void *body, bool tentative)
{
    output_t *output = touch(self, peer);
    size_t before = output->bytes.size;
    message_write_reply(&output->bytes, verb, id, status, body);
    close_message(output, before, false);
    if (!tentative) {
        settle(output);
        return;
    }
    if (self->tentative_count == self->tentative_capacity) {
        self->tentative_capacity = self->tentative_capacity ? self->tentative_capacity * 2 : 64;
        self->tentative =
            mem_realloc(self->tentative, self->tentative_capacity, sizeof *self->tentative);
    }
    self->tentative[self->tentative_count++] = (tentative_t){peer, verb, id};
}

void output_push(rules_t *self, session_t *session, verb_t verb, const void *body)
{
    if (!session->peer || session->peer->gone)
        return;
    output_t *output = touch(self, session->peer);
    size_t before = output->bytes.size;
    message_write_push(&output->bytes, verb, ++session->push_number, body);
    close_message(output, before, true);
    note_push(self, output, verb, 0);
}

/* MessagePack's shortest forms, which is all that the head of a push of events needs. */
static size_t put_number(uint8_t *out, uint64_t number)
{
    if (number < 0x80) {
        out[0] = (uint8_t)number;
        return 1;
    }
    unsigned size = number <= UINT8_MAX    ? 1
                    : number <= UINT16_MAX ? 2
                    : number <= UINT32_MAX ? 4
                                           : 8;
    out[0] = (uint8_t)(size == 1 ? 0xcc : size == 2 ? 0xcd : size == 4 ? 0xce : 0xcf);
    for (unsigned i = 0; i < size; i++)
        out[1 + i] = (uint8_t)(number >> (8 * (size - 1 - i)));
    return 1 + size;
}

static size_t put_list(uint8_t *out, uint32_t count)
{
    if (count < 16) {
        out[0] = (uint8_t)(0x90 | count);
        return 1;
    }
    out[0] = 0xdc; /* at most POLL_EVENTS_MAX */
    out[1] = (uint8_t)(count >> 8);
    out[2] = (uint8_t)count;
    return 3;
}

void output_push_events(rules_t *self, session_t *session, bytes_t events, uint32_t count,
                        uint64_t step)
{
    if (!session->peer || session->peer->gone)
        return;
    output_t *output = touch(self, session->peer);
    size_t before = output->bytes.size;
    uint8_t head[32];
    size_t size = put_list(head, 4);
    size += put_number(head + size, MESSAGE_PUSH);
    size += put_number(head + size, VERB_events);
    size += put_number(head + size, ++session->push_number);
    size += put_list(head + size, 1);
    size += put_list(head + size, count);
    uint8_t *at = buffer_extend(&output->bytes, size + events.size);
    memcpy(at, head, size);
    memcpy(at + size, events.data, events.size);
    close_message(output, before, true);
    note_push(self, output, VERB_events, step);
}

void output_probe(rules_t *self, session_t *session)
{
    static const events_push_t nothing;
    output_t *output = touch(self, session->peer);
    message_write_push(&output->bytes, VERB_events, ++session->push_number, &nothing);
    open_cut(output)->end = output->bytes.size;
}

void output_encode_event(const event_record_t *event, buffer_t *out)
{
    /* A push of this event alone, numbered 0, starts with [2, 64, 0, [[ in 6 bytes. */
    enum { HEAD_BYTES = 6 };
    event_record_t copy = *event;
    events_push_t push = {.events = {&copy, 1}};
    size_t before = out->size;
    message_write_push(out, VERB_events, 0, &push);
    memmove(out->data + before, out->data + before + HEAD_BYTES, out->size - before - HEAD_BYTES);
    out->size -= HEAD_BYTES;
}

static void unwind(output_t *self)
{
    self->bytes.size = self->settled_bytes;
    self->cut_count = self->settled_cuts;
    self->told_count = 0;
    if (self->cut_count > 0) {
        *open_cut(self) = self->settled_last;
        self->told_count = self->settled_last.told_end;
    }
}

void output_refuse_tentative(rules_t *self, status_t status)
{
    for (size_t i = 0; i < self->touched_peers.count; i++)
        unwind(&((peer_t *)self->touched_peers.items[i])->output);
    size_t count = self->tentative_count;
    self->tentative_count = 0;
    for (size_t i = 0; i < count; i++) {
        tentative_t *reply = &self->tentative[i];
        output_reply(self, reply->peer, reply->verb, reply->id, status, NULL, false);
    }
}

static void clear(output_t *self)
{
    if (self->bytes.capacity > OUTPUT_KEPT_BYTES)
        buffer_free(&self->bytes);
    buffer_clear(&self->bytes);
    if (self->told_capacity * sizeof *self->told > OUTPUT_KEPT_BYTES) {
        free(self->told);
        self->told = NULL;
        self->told_capacity = 0;
    }
    self->told_count = 0;
    self->cut_count = 0;
    self->settled_bytes = 0;
    self->settled_cuts = 0;
}

void output_drop_all(rules_t *self)
{
    for (size_t i = 0; i < self->touched_peers.count; i++)
        clear(&((peer_t *)self->touched_peers.items[i])->output);
}

void output_begin(rules_t *self)
{
    for (size_t i = 0; i < self->touched_peers.count; i++) {
        peer_t *peer = self->touched_peers.items[i];
        clear(&peer->output);
        peer->touched = false;
        peer->requests = 0;
    }
    self->touched_peers.count = 0;
    self->tentative_count = 0;
    self->output_peer = 0;
    self->output_cut = 0;
}

void output_free(output_t *self)
{
    buffer_free(&self->bytes);
    free(self->cuts);
    free(self->told);
    *self = (output_t){0};
}
