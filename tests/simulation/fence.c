/* SPDX-License-Identifier: MPL-2.0 */
/* Leaves against messages and commits. */
#include "tests/simulation/fence.h"

#include <stdlib.h>
#include <string.h>

#include "proto/commit.h"
#include "proto/memory.h"
#include "proto/requests.h"
#include "proto/sealed_message.h"

/* A leaf that is taken from its holder: by its own word, or by a commit. */
typedef struct {
    uint8_t group[GROUP_ID_BYTES];
    uint64_t sequence;
    uint32_t leaf;
    uint64_t epoch; /* a leave: in which it was added; a removal: the one that it starts */
} mark_t;

typedef struct {
    mark_t *items;
    size_t count;
} marks_t;

static void add(marks_t *self, const recorded_t *event, uint32_t leaf, uint64_t epoch)
{
    self->items = mem_realloc(self->items, self->count + 1, sizeof *self->items);
    mark_t *mark = &self->items[self->count++];
    *mark = (mark_t){.sequence = event->sequence, .leaf = leaf, .epoch = epoch};
    memcpy(mark->group, event->group, GROUP_ID_BYTES);
}

static void collect(const world_t *world, marks_t *leaves, marks_t *removals)
{
    for (size_t i = 0; i < world->recorded_count; i++) {
        const recorded_t *event = &world->recorded[i];
        leave_t leave;
        commit_t commit;
        if (event->kind == EVENT_LEAVE && !leave_parse(&leave, buffer_view(&event->payload)))
            add(leaves, event, leave.leaf, leave.epoch_added);
        if (event->kind != EVENT_COMMIT || commit_parse(&commit, buffer_view(&event->payload)))
            continue;
        for (size_t k = 0; k < commit.removal_count; k++)
            add(removals, event, commit.removals[k].leaf, commit.epoch + 1);
        commit_wipe(&commit);
    }
}

/* The first removal that ends a membership of this leaf, from this epoch on; NULL if none was
 * handed out. */
static const mark_t *end_of(const marks_t *removals, const mark_t *leave)
{
    const mark_t *first = NULL;
    for (size_t i = 0; i < removals->count; i++) {
        const mark_t *removal = &removals->items[i];
        if (removal->leaf == leave->leaf && removal->epoch > leave->epoch &&
            !memcmp(removal->group, leave->group, GROUP_ID_BYTES) &&
            (!first || removal->epoch < first->epoch))
            first = removal;
    }
    return first;
}

/* Whether all of the log between these places was handed out: a client that a liar has led past
 * some of it never asks for that. */
static bool is_whole(const world_t *world, const uint8_t *group, uint64_t from, uint64_t to)
{
    for (uint64_t sequence = from; sequence < to; sequence++)
        if (!world_recorded(world, group, sequence, NULL))
            return false;
    return true;
}

static void check_leave(world_t *world, const mark_t *leave, const mark_t *end)
{
    for (size_t i = 0; i < world->recorded_count; i++) {
        const recorded_t *event = &world->recorded[i];
        message_header_t header;
        bytes_t header_bytes, sealed;
        if (event->kind != EVENT_MESSAGE || event->sequence < leave->sequence ||
            memcmp(event->group, leave->group, GROUP_ID_BYTES) ||
            message_header_parse(&header, buffer_view(&event->payload), &header_bytes, &sealed) ||
            header.leaf != leave->leaf || (end && header.epoch >= end->epoch) ||
            !is_whole(world, event->group, leave->sequence, event->sequence))
            continue;
        world_fail(world, "leaf %u left at %llu, and the broker took its message at %llu",
                   leave->leaf, (unsigned long long)leave->sequence,
                   (unsigned long long)event->sequence);
    }
}

static void check_removal(world_t *world, const mark_t *removal, const marks_t *leaves)
{
    for (size_t i = 0; i < leaves->count; i++) {
        const mark_t *leave = &leaves->items[i];
        if (leave->leaf == removal->leaf && leave->epoch < removal->epoch &&
            leave->sequence < removal->sequence &&
            !memcmp(leave->group, removal->group, GROUP_ID_BYTES))
            return;
    }
    if (is_whole(world, removal->group, 1, removal->sequence))
        world_fail(world, "leaf %u was removed at %llu and had not left", removal->leaf,
                   (unsigned long long)removal->sequence);
}

void check_fence(world_t *world)
{
    marks_t leaves = {0}, removals = {0};
    if (world->was_set_back)
        return;
    collect(world, &leaves, &removals);
    for (size_t i = 0; i < leaves.count; i++)
        check_leave(world, &leaves.items[i], end_of(&removals, &leaves.items[i]));
    for (size_t i = 0; i < removals.count; i++)
        check_removal(world, &removals.items[i], &leaves);
    free(leaves.items);
    free(removals.items);
}
