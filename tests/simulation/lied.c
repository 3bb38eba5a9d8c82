/* SPDX-License-Identifier: MPL-2.0 */
/* What is left of the truth on screens when the broker lied. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/member.h"
#include "proto/memory.h"
#include "tests/simulation/liar.h"

/* Where a typed text stands in one client's history, and as which one of its sender. */
typedef struct {
    uint64_t sequence, epoch, number;
} place_t;

/* A gap that it was told of: before the message at this place. */
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
    bool was_warned; /* of the broker */
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
        self->places[i] = (place_t){line->sequence, line->epoch, line->number};
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
    } else if (line_is_notice(&line, NOTICE_BROKER)) {
        self->was_warned = true;
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

/* Heard up to it and from after it on, in the same membership of its sender: then the next one that
 * came (its place; 0 if not so) must tell of it. By the sender's own count, since a broker that
 * lies may have given the log other numbers. */
static uint64_t next_heard(const record_t *self, lineage_t *lineage, size_t text, uint64_t came,
                           uint64_t number)
{
    bool is_counted = false;
    const place_t *next = NULL;
    for (size_t i = 0; i < self->play->text_count; i++) {
        const place_t *here = &self->places[i];
        if (self->play->texts[i].client != self->play->texts[text].client ||
            here->sequence <= self->joined || came_in(self, lineage, i) != came)
            continue;
        is_counted = is_counted || here->number < number;
        if (here->number > number && (!next || here->number < next->number))
            next = here;
    }
    return is_counted && next ? next->sequence : 0;
}

static bool was_told(const record_t *self, const name_t *sender, uint64_t sequence)
{
    for (size_t i = 0; i < self->gap_count; i++)
        if (name_equal(&self->gaps[i].sender, sender) && self->gaps[i].sequence == sequence)
            return true;
    return false;
}

/* No loss without a word: a text that its sender holds for sent, between others that came. */
static void check_missing(const record_t *sender, const record_t *self, lineage_t *lineage)
{
    world_t *world = self->play->world;
    for (size_t i = 0; i < self->play->text_count && !world->failure[0]; i++) {
        const typed_t *text = &self->play->texts[i];
        const place_t *place = &sender->places[i];
        if (text->client != sender->client || !place->sequence || self->places[i].sequence)
            continue;
        uint64_t came = came_in(sender, lineage, i);
        uint64_t next = came ? next_heard(self, lineage, i, came, place->number) : 0;
        if (next && !was_told(self, &world->nodes[sender->client].name, next))
            world_fail(world, "c%zu lacks \"%s\" (%llu) and was not told at %llu", self->client,
                       text->text, (unsigned long long)place->sequence, (unsigned long long)next);
    }
}

/* What the broker said that it took is kept by its sender at least. */
static void check_acked(const record_t *self)
{
    const core_t *core = self->play->world->nodes[self->client].cores[SIDE_MEMBER];
    if (group_is_stopped((const member_core_t *)core, self->group))
        return; /* it waits for a better backup */
    if (self->play->world->was_set_back && self->group->alarm && self->was_warned)
        return; /* the broker has forgotten the group, and this device was told */
    for (size_t i = 0; i < self->play->text_count; i++) {
        const typed_t *text = &self->play->texts[i];
        if (text->client == self->client && text->fate == TEXT_ACKED && !self->places[i].sequence &&
            !memcmp(text->id, self->group->id, GROUP_ID_BYTES))
            world_fail(self->play->world, "\"%s\" was acked, but is not in its sender's history",
                       text->text);
    }
}

/* A log that ends before where a client has been was set back. */
static void check_warned(const record_t *self)
{
    world_t *world = self->play->world;
    const member_core_t *core =
        (const member_core_t *)world->nodes[self->client].cores[SIDE_MEMBER];
    uint64_t head = world_head(world, self->group->id);
    if (!world->was_restored && group_is_current(self->group) && session_is_ready(&core->session) &&
        head && self->group->cursor > head && !self->was_warned)
        world_fail(world, "c%zu stands at %llu of a log of %llu, and was not warned", self->client,
                   (unsigned long long)self->group->cursor, (unsigned long long)head);
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
        if (!records[i].group)
            continue;
        check_acked(&records[i]);
        check_warned(&records[i]);
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
