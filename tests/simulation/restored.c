/* SPDX-License-Identifier: MPL-2.0 */
/* Before and after a restore. */
#include "tests/simulation/restored.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/rules/records.h"
#include "client/core/member.h"
#include "proto/memory.h"

typedef struct {
    size_t lines;
    const char *wanted; /* in a notice; NULL: nothing is looked for */
    bool was_told;
} history_t;

static bool visit(void *context, bytes_t key, bytes_t value)
{
    (void)key;
    history_t *self = context;
    local_line_record_t line = {0};
    if (line_row_read(&line, value))
        return false;
    self->lines += line.kind == LINE_MESSAGE;
    if (!self->wanted || !line_is_notice(&line, NOTICE_RESTORED))
        return true;
    char reason[512];
    snprintf(reason, sizeof reason, "%.*s", (int)line.reason.size, line.reason.data);
    self->was_told = self->was_told || strstr(reason, self->wanted);
    return true;
}

static void read_history(world_t *world, size_t client, const uint8_t *group, history_t *history)
{
    row_key_t prefix = row_key_of_group(ROW_LINE, group);
    if (vault_range(world->nodes[client].vaults[SIDE_MEMBER], row_key_view(&prefix), (bytes_t){0},
                    false, visit, history))
        world_fail(world, "the vault of c%zu can't be read", client);
}

static void find_end(world_t *world, restored_group_t *noted)
{
    store_key_t key = key_of_group(KEY_HEAD, noted->group);
    uint8_t *value = NULL;
    size_t size = 0;
    head_t head;
    if (!store_get(world->store, key.bytes, key.size, &value, &size, NULL) &&
        head_read(&head, (bytes_t){value, size})) {
        noted->is_known = true;
        noted->end = head.sequence;
        noted->end_epoch = head.epoch;
    }
    free(value);
}

static void note(restored_t *self, world_t *world, size_t client, const group_t *group)
{
    self->groups = mem_realloc(self->groups, self->count + 1, sizeof *self->groups);
    restored_group_t *noted = &self->groups[self->count++];
    history_t history = {0};
    *noted = (restored_group_t){.client = client,
                                .cursor = group->cursor,
                                .epoch = group_state_epoch(group->keys),
                                .epoch_added = group_state_epoch_added(group->keys)};
    memcpy(noted->group, group->id, GROUP_ID_BYTES);
    read_history(world, client, group->id, &history);
    noted->lines = history.lines;
    find_end(world, noted);
}

void restored_free(restored_t *self)
{
    free(self->groups);
    *self = (restored_t){0};
}

void restored_note(restored_t *self, world_t *world)
{
    for (size_t client = 0; client < world->options.clients; client++) {
        const member_core_t *core = (const member_core_t *)world->nodes[client].cores[SIDE_MEMBER];
        for (size_t i = 0; core && i < core->group_count; i++)
            if (group_is_current(core->groups[i]) && core->groups[i]->keys)
                note(self, world, client, core->groups[i]);
    }
}

/* What it typed afterwards went nowhere. */
static void check_silent(const play_t *play, const restored_group_t *noted)
{
    for (size_t i = 0; i < play->text_count; i++) {
        const typed_t *text = &play->texts[i];
        if (text->is_final && text->client == noted->client && text->fate == TEXT_ACKED &&
            !memcmp(text->id, noted->group, GROUP_ID_BYTES))
            world_fail(play->world, "c%zu has stopped after a restore, and sent \"%s\"",
                       noted->client, text->text);
    }
}

static void check_group(play_t *play, const restored_group_t *noted, const member_core_t *core,
                        const group_t *group)
{
    world_t *world = play->world;
    bool lacks = noted->is_known && noted->end < noted->cursor;
    bool stops = !noted->is_known || (lacks && noted->end_epoch != noted->epoch);
    char wanted[96] = "it has all that this device has";
    if (stops)
        snprintf(wanted, sizeof wanted, "Nothing is sent from here");
    else if (lacks)
        snprintf(wanted, sizeof wanted, "messages %llu to %llu exist only here",
                 (unsigned long long)noted->end + 1, (unsigned long long)noted->cursor);
    history_t history = {.wanted = wanted};
    read_history(world, noted->client, noted->group, &history);
    if (group_is_stopped(core, group) != stops || (!stops && !group_is_settled(core, group)))
        world_fail(world,
                   "c%zu stands at %llu in epoch %llu, the restored log ends at %llu in %llu: "
                   "and it %s",
                   noted->client, (unsigned long long)noted->cursor,
                   (unsigned long long)noted->epoch, (unsigned long long)noted->end,
                   (unsigned long long)noted->end_epoch,
                   group_is_stopped(core, group) ? "has stopped" : "has not stopped");
    if (!history.was_told)
        world_fail(world, "c%zu was not told after a restore: %s", noted->client, wanted);
    if (history.lines < noted->lines)
        world_fail(world, "c%zu showed %zu texts before a restore, and now %zu", noted->client,
                   noted->lines, history.lines);
    if (stops)
        check_silent(play, noted);
}

void restored_check(play_t *play, const restored_t *self)
{
    world_t *world = play->world;
    for (size_t i = 0; i < self->count && !world->failure[0]; i++) {
        const restored_group_t *noted = &self->groups[i];
        member_core_t *core = (member_core_t *)world->nodes[noted->client].cores[SIDE_MEMBER];
        const group_t *group = core ? member_group(core, noted->group) : NULL;
        if (group && group_is_current(group) && group->keys && session_is_ready(&core->session) &&
            group_state_epoch_added(group->keys) == noted->epoch_added)
            check_group(play, noted, core, group);
    }
}
