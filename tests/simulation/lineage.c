/* SPDX-License-Identifier: MPL-2.0 */
/* Commits, one after the other, on a roster. */
#include "tests/simulation/lineage.h"

#include <stdlib.h>
#include <string.h>

#include "proto/commit.h"
#include "proto/memory.h"

#define EPOCHS_MAX 100000 /* more is no epoch of a simulation */

void lineage_free(lineage_t *self)
{
    for (size_t i = 0; i < self->group_count; i++) {
        for (size_t k = 0; k < self->groups[i].epoch_count; k++)
            free(self->groups[i].epochs[k].members);
        free(self->groups[i].epochs);
    }
    free(self->groups);
    *self = (lineage_t){0};
}

static lineage_group_t *find_group(lineage_t *self, const uint8_t *id)
{
    for (size_t i = 0; i < self->group_count; i++)
        if (!memcmp(self->groups[i].id, id, GROUP_ID_BYTES))
            return &self->groups[i];
    return NULL;
}

static lineage_epoch_t *make_epoch(lineage_t *self, const uint8_t *id, uint64_t number)
{
    lineage_group_t *group = find_group(self, id);
    if (!group) {
        self->groups = mem_realloc(self->groups, self->group_count + 1, sizeof *self->groups);
        group = &self->groups[self->group_count++];
        *group = (lineage_group_t){0};
        memcpy(group->id, id, GROUP_ID_BYTES);
    }
    if (number >= group->epoch_count) {
        group->epochs = mem_realloc(group->epochs, number + 1, sizeof *group->epochs);
        memset(group->epochs + group->epoch_count, 0,
               (number + 1 - group->epoch_count) * sizeof *group->epochs);
        group->epoch_count = number + 1;
    }
    return &group->epochs[number];
}

/* An admin signs one commit for an epoch, whatever it was told meanwhile. */
static void check_only(world_t *world, const lineage_epoch_t *epoch, const recorded_t *commit)
{
    const buffer_t *before = &world->recorded[epoch->commit].payload;
    if (epoch->is_recorded && (before->size != commit->payload.size ||
                               memcmp(before->data, commit->payload.data, before->size)))
        world_fail(world, "a second commit leads to an epoch (%llu)",
                   (unsigned long long)commit->sequence);
}

void lineage_update(lineage_t *self, world_t *world)
{
    for (; self->read < world->recorded_count; self->read++) {
        const recorded_t *event = &world->recorded[self->read];
        commit_t commit;
        if (event->kind != EVENT_COMMIT || commit_parse(&commit, buffer_view(&event->payload)))
            continue;
        if (commit.epoch < EPOCHS_MAX) {
            lineage_epoch_t *epoch = make_epoch(self, event->group, commit.epoch + 1);
            check_only(world, epoch, event);
            epoch->is_recorded = true;
            epoch->commit = self->read;
        }
        commit_wipe(&commit);
    }
}

static bool is_removed(const commit_t *commit, uint32_t leaf)
{
    for (size_t i = 0; i < commit->removal_count; i++)
        if (commit->removals[i].leaf == leaf)
            return true;
    return false;
}

static int by_leaf(const void *a, const void *b)
{
    uint32_t x = ((const roster_member_t *)a)->leaf, y = ((const roster_member_t *)b)->leaf;
    return (x > y) - (x < y);
}

static void settle(lineage_epoch_t *self, const lineage_epoch_t *before, const commit_t *commit)
{
    size_t old = before ? before->member_count : 0;
    self->members = mem_alloc((old + commit->add_count + 1) * sizeof *self->members);
    for (size_t i = 0; i < old; i++)
        if (!is_removed(commit, before->members[i].leaf))
            self->members[self->member_count++] = before->members[i];
    for (size_t i = 0; i < commit->add_count; i++) {
        roster_member_t *member = &self->members[self->member_count++];
        *member = (roster_member_t){.leaf = commit->adds[i].leaf,
                                    .name = commit->adds[i].name,
                                    .epoch_added = commit->epoch + 1};
        memcpy(member->identity_key, commit->adds[i].identity_key, KEY_BYTES);
    }
    qsort(self->members, self->member_count, sizeof *self->members, by_leaf);
    for (size_t i = 0; i < self->member_count; i++)
        for (size_t k = 0; k < commit->role_count; k++)
            if (commit->roles[k].leaf == self->members[i].leaf)
                self->members[i].role = commit->roles[k].role;
    self->is_settled = true;
}

const lineage_epoch_t *lineage_epoch(lineage_t *self, const world_t *world, const uint8_t *id,
                                     uint64_t number)
{
    const lineage_group_t *group = find_group(self, id);
    if (!group || !number || number >= group->epoch_count)
        return NULL;
    for (uint64_t i = 1; i <= number; i++) {
        lineage_epoch_t *epoch = &group->epochs[i];
        if (epoch->is_settled)
            continue;
        commit_t commit;
        if (!epoch->is_recorded ||
            commit_parse(&commit, buffer_view(&world->recorded[epoch->commit].payload)))
            return NULL;
        settle(epoch, i > 1 ? epoch - 1 : NULL, &commit);
        commit_wipe(&commit);
    }
    return &group->epochs[number];
}

bool lineage_has_commit(lineage_t *self, const uint8_t *id, uint64_t number)
{
    const lineage_group_t *group = find_group(self, id);
    return group && number < group->epoch_count && group->epochs[number].is_recorded;
}

const roster_member_t *lineage_member(const lineage_epoch_t *epoch, uint32_t leaf)
{
    for (size_t i = 0; i < epoch->member_count; i++)
        if (epoch->members[i].leaf == leaf)
            return &epoch->members[i];
    return NULL;
}

bool lineage_has(const lineage_epoch_t *epoch, const name_t *name)
{
    for (size_t i = 0; i < epoch->member_count; i++)
        if (name_equal(&epoch->members[i].name, name))
            return true;
    return false;
}
