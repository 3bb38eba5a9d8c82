/* SPDX-License-Identifier: MPL-2.0 */
/* What must hold at the end of a run, when the network has been calm for a while. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/rules/check.h"
#include "client/core/member.h"
#include "proto/memory.h"
#include "tests/simulation/play.h"

static group_t *group_of(world_t *world, size_t client, size_t group)
{
    name_t name = play_group_name(group);
    core_t *core = world->nodes[client].cores[SIDE_MEMBER];
    return core ? member_group_named((member_core_t *)core, &name) : NULL; /* never came, or left */
}

static bool is_in(const group_t *group)
{
    return group && group->phase == GROUP_ACTIVE && group->keys;
}

/* All members at one epoch, with one history behind them; nothing left on the way. */
static void check_epochs(world_t *world, size_t number)
{
    const group_t *first = NULL;
    for (size_t i = 0; i < world->options.clients; i++) {
        const group_t *group = group_of(world, i, number);
        if (!is_in(group))
            continue;
        if (!first)
            first = group;
        if (memcmp(first->id, group->id, GROUP_ID_BYTES))
            world_fail(world, "c%zu is in another g%zu", i, number);
        else if (group_state_epoch(first->keys) != group_state_epoch(group->keys))
            world_fail(world, "c%zu is at epoch %llu of g%zu, another at %llu", i,
                       (unsigned long long)group_state_epoch(group->keys), number,
                       (unsigned long long)group_state_epoch(first->keys));
        else if (memcmp(group_state_transcript(first->keys), group_state_transcript(group->keys),
                        HASH_BYTES))
            world_fail(world, "c%zu has another history of g%zu", i, number);
        if (group->outbox_count)
            world_fail(world, "c%zu still has %zu texts for g%zu", i, group->outbox_count, number);
        if (group->waiting_count)
            world_fail(world, "c%zu still waits for proofs in g%zu", i, number);
        if (group->cursor != first->cursor)
            world_fail(world, "c%zu stands at %llu of g%zu, another at %llu", i,
                       (unsigned long long)group->cursor, number,
                       (unsigned long long)first->cursor);
    }
}

/* One client's stored lines of one group. */
typedef struct {
    world_t *world;
    size_t client;
    local_line_record_t *lines;
    buffer_t *rows;
    size_t count, capacity;
    uint64_t joined; /* the sequence of its last admission */
} history_t;

static bool visit(void *context, bytes_t key, bytes_t value)
{
    (void)key;
    history_t *self = context;
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 64;
        self->lines = mem_realloc(self->lines, self->capacity, sizeof *self->lines);
        self->rows = mem_realloc(self->rows, self->capacity, sizeof *self->rows);
    }
    self->rows[self->count] = (buffer_t){0};
    buffer_append(&self->rows[self->count], value.data, value.size);
    local_line_record_t *line = &self->lines[self->count];
    *line = (local_line_record_t){0};
    if (line_row_read(line, buffer_view(&self->rows[self->count])))
        world_fail(self->world, "a stored line of c%zu is damaged", self->client);
    self->count++;
    const node_t *node = &self->world->nodes[self->client];
    if (line_is_notice(line, NOTICE_JOINED) && name_equal(&line->who, &node->name))
        self->joined = line->sequence;
    return true;
}

static history_t read_history(world_t *world, size_t client, const group_t *group)
{
    history_t history = {.world = world, .client = client};
    row_key_t prefix = row_key_of_group(ROW_LINE, group->id);
    if (vault_range(world->nodes[client].vaults[SIDE_MEMBER], row_key_view(&prefix), (bytes_t){0},
                    false, visit, &history))
        world_fail(world, "the vault of c%zu can't be read", client);
    return history;
}

static void history_free(history_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        buffer_wipe(&self->rows[i]);
    free(self->rows);
    free(self->lines);
}

/* It says what it was made by, if that was traced. */
static void check_trace(const history_t *history, const typed_t *text,
                        const local_line_record_t *line)
{
    char expected[TRACE_CONTEXT_CHARS + 1];
    trace_context_t trace = world_trace_of(text->request);
    text_t traceparent = trace_context_text(&trace, expected);
    if (line->traceparent.size != traceparent.size ||
        (traceparent.size && memcmp(line->traceparent.data, expected, traceparent.size)))
        world_fail(history->world, "\"%s\" was made by \"%.*s\", says c%zu", text->text,
                   (int)line->traceparent.size, line->traceparent.data, history->client);
}

/* Where the text stands; how often in *times. */
static uint64_t locate(const history_t *history, const typed_t *text, size_t *times)
{
    uint64_t sequence = 0;
    *times = 0;
    for (size_t i = 0; i < history->count; i++) {
        const local_line_record_t *line = &history->lines[i];
        if (line->kind == LINE_MESSAGE && line->text.size == strlen(text->text) &&
            !memcmp(line->text.data, text->text, line->text.size)) {
            ++*times;
            sequence = line->sequence;
            check_trace(history, text, line);
        }
    }
    return sequence;
}

/* Lines that say that something went wrong have no place in an honest world. */
static void check_notices(const history_t *history, size_t number)
{
    static const char *const wrong[] = {NOTICE_FORK,          NOTICE_GAP,
                                        NOTICE_KEY_CHANGED,   NOTICE_OUT_OF_STEP,
                                        NOTICE_UNDECRYPTABLE, NOTICE_BROKER};
    for (size_t i = 0; i < history->count; i++) {
        const local_line_record_t *line = &history->lines[i];
        if (!is_in(group_of(history->world, history->client, number)) ||
            line->sequence < history->joined)
            continue; /* who left may leave something unproven behind */
        for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++)
            if (line_is_notice(line, wrong[k]))
                world_fail(history->world, "c%zu has a notice %s at %llu of g%zu: %.*s",
                           history->client, wrong[k], (unsigned long long)line->sequence, number,
                           (int)line->reason.size, line->reason.data);
    }
}

static void check_texts(play_t *self, size_t number)
{
    world_t *world = self->world;
    history_t *histories = mem_zalloc(world->options.clients, sizeof *histories);
    for (size_t i = 0; i < world->options.clients; i++) {
        const group_t *group = group_of(world, i, number);
        histories[i].world = world;
        if (group)
            histories[i] = read_history(world, i, group);
        check_notices(&histories[i], number);
    }
    for (size_t k = 0; k < self->text_count; k++) {
        typed_t *text = &self->texts[k];
        const group_t *own = group_of(world, text->client, number);
        if (text->group != number || !own || memcmp(own->id, text->id, GROUP_ID_BYTES))
            continue; /* another group of that name, which has ended */
        size_t times;
        uint64_t sequence = locate(&histories[text->client], text, &times);
        bool sender_stays = is_in(own);
        if (times > 1)
            world_fail(world, "c%zu stored its own \"%s\" %zu times", text->client, text->text,
                       times);
        bool is_confirmed = times == 1;
        if (text->fate == TEXT_ACKED && sender_stays && !is_confirmed)
            world_fail(world, "\"%s\" was acked, but is not in its sender's history", text->text);
        if (is_confirmed && text->fate == TEXT_ACKED && text->sequence != sequence)
            world_fail(world, "\"%s\" was acked at %llu and stands at %llu", text->text,
                       (unsigned long long)text->sequence, (unsigned long long)sequence);
        if (text->is_final && sender_stays && !is_confirmed)
            world_fail(world, "\"%s\" was sent in calm, and did not get through", text->text);
        for (size_t i = 0; i < world->options.clients && !world->failure[0]; i++) {
            uint64_t here = locate(&histories[i], text, &times);
            bool is_due = is_confirmed && is_in(group_of(world, i, number)) &&
                          !memcmp(group_of(world, i, number)->id, text->id, GROUP_ID_BYTES) &&
                          sequence > histories[i].joined;
            if (times > 1)
                world_fail(world, "c%zu stored \"%s\" %zu times", i, text->text, times);
            else if (times && is_confirmed && here != sequence)
                world_fail(world, "\"%s\" stands at %llu for c%zu and at %llu for its sender",
                           text->text, (unsigned long long)here, i, (unsigned long long)sequence);
            else if (is_due && !times)
                world_fail(world, "c%zu did not get \"%s\" (%llu, joined at %llu)", i, text->text,
                           (unsigned long long)sequence, (unsigned long long)histories[i].joined);
        }
    }
    for (size_t i = 0; i < world->options.clients; i++)
        history_free(&histories[i]);
    free(histories);
}

/* The texts of one sender stand in the order in which they were typed. */
static void check_order(play_t *self, size_t number)
{
    world_t *world = self->world;
    for (size_t client = 0; client < world->options.clients; client++) {
        const group_t *group = group_of(world, client, number);
        if (!group)
            continue;
        history_t history = read_history(world, client, group);
        uint64_t last = 0;
        for (size_t k = 0; k < self->text_count; k++) {
            size_t times;
            if (self->texts[k].client != client || self->texts[k].group != number)
                continue;
            uint64_t sequence = locate(&history, &self->texts[k], &times);
            if (times && sequence < last)
                world_fail(world, "\"%s\" overtook an earlier text", self->texts[k].text);
            last = times ? sequence : last;
        }
        history_free(&history);
    }
}

/* In calm, nobody stays on the way in or out. */
static void check_phases(world_t *world, size_t number)
{
    for (size_t i = 0; i < world->options.clients; i++) {
        const group_t *group = group_of(world, i, number);
        if (!group)
            continue;
        if (group->phase == GROUP_WELCOMED || group->phase == GROUP_LEAVING ||
            group->phase == GROUP_LOST || group->is_creating || group->is_out_of_step)
            world_fail(world, "c%zu is stuck in phase %d of g%zu%s", i, (int)group->phase, number,
                       group->is_creating ? ", creating" : "");
        for (size_t k = 0; k < world->options.clients; k++) {
            const group_t *other = group_of(world, k, number);
            if (is_in(other) && group->phase == GROUP_JOINING &&
                !memcmp(other->id, group->id, GROUP_ID_BYTES))
                world_fail(world, "c%zu was not let into g%zu", i, number);
        }
    }
}

static void check_left(world_t *world, size_t number)
{
    for (size_t i = 0; i < world->options.clients; i++) {
        const group_t *group = group_of(world, i, number);
        if (!group || group->phase != GROUP_LEFT)
            continue;
        buffer_t value = {0};
        row_key_t head = row_key_of_group(ROW_KEYS, group->id);
        head.bytes[head.size++] = 'h';
        if (!vault_get(world->nodes[i].vaults[SIDE_MEMBER], row_key_view(&head), &value))
            world_fail(world, "c%zu left g%zu and still has its keys", i, number);
        buffer_wipe(&value);
    }
}

static void store_problem(void *context, const char *key, const char *reason)
{
    world_fail(context, "the broker's store is damaged: %s: %s", key, reason);
}

void check_store(world_t *world)
{
    check_counts_t counts;
    if (check_run(world->store, world->broker_key, store_problem, world, &counts))
        world_fail(world, "the broker's store can't be read");
}

void check_everything(play_t *self)
{
    for (size_t number = 0; number < PLAY_GROUPS && !self->world->failure[0]; number++) {
        check_epochs(self->world, number);
        check_texts(self, number);
        check_order(self, number);
        check_left(self->world, number);
        check_phases(self->world, number);
    }
}
