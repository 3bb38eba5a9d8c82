/* SPDX-License-Identifier: MPL-2.0 */
/* What is left of the truth on screens when the broker lied. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/member.h"
#include "proto/memory.h"
#include "tests/simulation/liar.h"

/* Where a typed text stands in one client's history. */
typedef struct {
    uint64_t sequence, epoch;
} place_t;

/* A gap that it was told of: before the message of this sequence. */
typedef struct {
    name_t sender;
    uint64_t sequence;
} gap_t;

typedef struct {
    play_t *play;
    size_t client;
    const group_t *group;
    place_t *places; /* by text; sequence 0: nowhere */
    gap_t *gaps;
    size_t gap_count;
    uint64_t joined;
} record_t;

/* A text that was typed, by whom it is shown to be from, in this group, and for the first time. */
static void take_text(record_t *self, const local_line_record_t *line)
{
    world_t *world = self->play->world;
    for (size_t i = 0; i < self->play->text_count; i++) {
        const typed_t *text = &self->play->texts[i];
        if (line->text.size != strlen(text->text) ||
            memcmp(line->text.data, text->text, line->text.size))
            continue;
        if (!name_equal(&line->sender, &world->nodes[text->client].name))
            world_fail(world, "c%zu shows \"%s\" as from %s", self->client, text->text,
                       line->sender.text);
        if (memcmp(text->id, self->group->id, GROUP_ID_BYTES))
            world_fail(world, "c%zu shows \"%s\" in another group", self->client, text->text);
        if (self->places[i].sequence)
            world_fail(world, "c%zu shows \"%s\" twice", self->client, text->text);
        self->places[i] = (place_t){line->sequence, line->epoch};
        return;
    }
    world_fail(world, "c%zu shows what nobody typed: \"%.*s\"", self->client, (int)line->text.size,
               line->text.data);
}

static bool visit(void *context, bytes_t key, bytes_t value)
{
    (void)key;
    record_t *self = context;
    local_line_record_t line = {0};
    if (line_row_read(&line, value)) {
        world_fail(self->play->world, "a stored line of c%zu is damaged", self->client);
        return false;
    }
    if (line.kind == LINE_MESSAGE) {
        take_text(self, &line);
    } else if (line_is_notice(&line, NOTICE_GAP)) {
        self->gaps = mem_realloc(self->gaps, self->gap_count + 1, sizeof *self->gaps);
        self->gaps[self->gap_count++] = (gap_t){line.who, line.sequence};
    } else if (line_is_notice(&line, NOTICE_JOINED) &&
               name_equal(&line.who, &self->play->world->nodes[self->client].name)) {
        self->joined = line.sequence;
    }
    return true;
}

/* The epoch in which the sender of a text had come when it sent it; 0 if that is not known. */
static uint64_t came_in(const record_t *self, lineage_t *lineage, size_t text)
{
    const world_t *world = self->play->world;
    const lineage_epoch_t *epoch =
        lineage_epoch(lineage, world, self->group->id, self->places[text].epoch);
    for (size_t i = 0; epoch && i < epoch->member_count; i++)
        if (name_equal(&epoch->members[i].name, &world->nodes[self->play->texts[text].client].name))
            return epoch->members[i].epoch_added;
    return 0;
}

/* Heard before it and after it, from the same membership of its sender: then the next one that came
 * (its sequence; 0 if not so) must tell of it. */
static uint64_t next_heard(const record_t *self, lineage_t *lineage, size_t text, uint64_t came,
                           uint64_t sequence)
{
    bool is_counted = false;
    uint64_t next = 0;
    for (size_t i = 0; i < self->play->text_count; i++) {
        uint64_t here = self->places[i].sequence;
        if (self->play->texts[i].client != self->play->texts[text].client || here <= self->joined ||
            came_in(self, lineage, i) != came)
            continue;
        is_counted = is_counted || here < sequence;
        if (here > sequence && (!next || here < next))
            next = here;
    }
    return is_counted ? next : 0;
}

/* Two events may have changed places. */
static bool was_told(const record_t *self, const name_t *sender, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < self->gap_count; i++)
        if (name_equal(&self->gaps[i].sender, sender) && self->gaps[i].sequence + 1 >= from &&
            self->gaps[i].sequence <= to)
            return true;
    return false;
}

/* No loss without a word: a text that its sender holds for sent, between others that came. */
static void check_missing(const record_t *sender, const record_t *self, lineage_t *lineage)
{
    world_t *world = self->play->world;
    for (size_t i = 0; i < self->play->text_count && !world->failure[0]; i++) {
        const typed_t *text = &self->play->texts[i];
        uint64_t sequence = sender->places[i].sequence;
        if (text->client != sender->client || !sequence || self->places[i].sequence ||
            sequence <= self->joined)
            continue;
        uint64_t came = came_in(sender, lineage, i);
        uint64_t next = came ? next_heard(self, lineage, i, came, sequence) : 0;
        if (next && !was_told(self, &world->nodes[sender->client].name, sequence, next))
            world_fail(world, "c%zu lacks \"%s\" (%llu) and was not told at %llu", self->client,
                       text->text, (unsigned long long)sequence, (unsigned long long)next);
    }
}

static void check_group(play_t *play, lineage_t *lineage, const uint8_t *id)
{
    world_t *world = play->world;
    size_t clients = world->options.clients;
    record_t *records = mem_zalloc(clients, sizeof *records);
    row_key_t prefix = row_key_of_group(ROW_LINE, id);
    for (size_t i = 0; i < clients; i++) {
        records[i] = (record_t){.play = play, .client = i};
        records[i].places = mem_zalloc(play->text_count + 1, sizeof *records[i].places);
        core_t *core = world->nodes[i].cores[SIDE_MEMBER]; /* NULL: never came, or left */
        records[i].group = core ? member_group((member_core_t *)core, id) : NULL;
        if (records[i].group &&
            vault_range(world->nodes[i].vaults[SIDE_MEMBER], row_key_view(&prefix), (bytes_t){0},
                        false, visit, &records[i]))
            world_fail(world, "the vault of c%zu can't be read", i);
    }
    for (size_t i = 0; i < clients * clients; i++) {
        const record_t *receiver = &records[i % clients];
        if (records[i / clients].group && receiver->group && group_is_current(receiver->group))
            check_missing(&records[i / clients], receiver, lineage);
    }
    for (size_t i = 0; i < clients; i++) {
        free(records[i].places);
        free(records[i].gaps);
    }
    free(records);
}

void check_lied(play_t *self, lineage_t *lineage)
{
    for (size_t i = 0; i < lineage->group_count && !self->world->failure[0]; i++)
        check_group(self, lineage, lineage->groups[i].id);
}
