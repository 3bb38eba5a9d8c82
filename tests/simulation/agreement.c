/* SPDX-License-Identifier: MPL-2.0 */
/* One table of what is held in each epoch. */
#include "tests/simulation/agreement.h"

#include <stdlib.h>
#include <string.h>

#include "client/core/admin.h"
#include "client/core/member.h"
#include "client/keys/group_state_parts.h"
#include "proto/memory.h"

/* A client's side in a group: compared anew in another epoch, or in another life, which begins with
 * what was stored. */
typedef struct seen {
    size_t client;
    unsigned side;
    uint8_t group[GROUP_ID_BYTES];
    uint64_t life, epoch;
} seen_t;

void agreement_free(agreement_t *self)
{
    free(self->epochs);
    free(self->seen);
    *self = (agreement_t){0};
}

static seen_t *seen_of(agreement_t *self, size_t client, unsigned side, const uint8_t *group)
{
    for (size_t i = 0; i < self->seen_count; i++)
        if (self->seen[i].client == client && self->seen[i].side == side &&
            !memcmp(self->seen[i].group, group, GROUP_ID_BYTES))
            return &self->seen[i];
    if (self->seen_count == self->seen_capacity) {
        self->seen_capacity = self->seen_capacity ? 2 * self->seen_capacity : 32;
        self->seen = mem_realloc(self->seen, self->seen_capacity, sizeof *self->seen);
    }
    seen_t *seen = &self->seen[self->seen_count++];
    *seen = (seen_t){.client = client, .side = side};
    memcpy(seen->group, group, GROUP_ID_BYTES);
    return seen;
}

/* True at most once in a life and an epoch. */
static bool is_new(agreement_t *self, const world_t *world, size_t client, unsigned side,
                   const uint8_t *group, uint64_t epoch)
{
    seen_t *seen = seen_of(self, client, side, group);
    if (seen->life == world->nodes[client].life && seen->epoch == epoch)
        return false;
    seen->life = world->nodes[client].life;
    seen->epoch = epoch;
    return true;
}

static void compare_admins(world_t *world, agreed_t *agreed, const agreed_t *held)
{
    if (!agreed->has_admins && held->has_admins) {
        memcpy(agreed->admins, held->admins, sizeof held->admins);
        agreed->admin_count = held->admin_count;
        agreed->has_admins = true;
    } else if (held->has_admins &&
               (agreed->admin_count != held->admin_count ||
                memcmp(agreed->admins, held->admins, held->admin_count * sizeof *held->admins))) {
        world_fail(world, "c%zu and c%zu list other admins in epoch %llu", agreed->client,
                   held->client, (unsigned long long)held->epoch);
    }
}

static void compare(agreement_t *self, world_t *world, const agreed_t *held)
{
    for (size_t i = 0; i < self->count; i++) {
        agreed_t *agreed = &self->epochs[i];
        if (agreed->epoch != held->epoch || memcmp(agreed->group, held->group, GROUP_ID_BYTES))
            continue;
        const char *what = NULL;
        if (memcmp(&agreed->membership, &held->membership, KEY_BYTES))
            what = "another secret";
        else if (memcmp(&agreed->root, &held->root, KEY_BYTES))
            what = "another root key";
        else if (memcmp(agreed->transcript, held->transcript, HASH_BYTES))
            what = "another history";
        else if (memcmp(agreed->roster_root, held->roster_root, HASH_BYTES))
            what = "another roster";
        if (what)
            world_fail(world, "c%zu holds %s in epoch %llu than c%zu", held->client, what,
                       (unsigned long long)held->epoch, agreed->client);
        compare_admins(world, agreed, held);
        return;
    }
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 64;
        self->epochs = mem_realloc(self->epochs, self->capacity, sizeof *self->epochs);
    }
    self->epochs[self->count++] = *held;
}

static agreed_t held_by_member(size_t client, const group_state_t *keys)
{
    agreed_t held = {.client = client,
                     .epoch = keys->epoch,
                     .membership = keys->membership,
                     .root = keys->path.keys[keys->path.depth],
                     .has_admins = true,
                     .admin_count = keys->admins.count};
    memcpy(held.group, keys->group, GROUP_ID_BYTES);
    memcpy(held.transcript, group_state_transcript(keys), HASH_BYTES);
    memcpy(held.roster_root, keys->roster_root, HASH_BYTES);
    for (size_t i = 0; i < keys->admins.count; i++)
        held.admins[i] = keys->admins.items[i].leaf;
    return held;
}

static agreed_t held_by_holder(size_t client, const holder_t *holder)
{
    const key_tree_t *tree = holder_tree(holder);
    agreed_t held = {.client = client,
                     .epoch = holder_epoch(holder),
                     .membership = *holder_membership(holder),
                     .root = *key_tree_get(tree, tree_root(key_tree_depth(tree)))};
    memcpy(held.group, holder_group(holder), GROUP_ID_BYTES);
    memcpy(held.transcript, holder_transcript(holder), HASH_BYTES);
    roster_table_root(holder_roster(holder), held.roster_root);
    return held;
}

/* No ghosts: whom a client believes to be a member is one, and as what the commits say. */
static void check_known(world_t *world, const lineage_epoch_t *truth, size_t client,
                        const group_t *group)
{
    for (size_t i = 0; i < group->known_count; i++) {
        const roster_member_t *believed = &group->known[i].entry;
        const roster_member_t *member = lineage_member(truth, believed->leaf);
        if (!member || !name_equal(&member->name, &believed->name) ||
            memcmp(member->identity_key, believed->identity_key, KEY_BYTES) ||
            member->epoch_added != believed->epoch_added || member->role != believed->role)
            world_fail(world, "c%zu believes that %s is at leaf %u in epoch %llu of %s", client,
                       believed->name.text, believed->leaf,
                       (unsigned long long)group_state_epoch(group->keys), group->name.text);
    }
    if (group->has_roster && group->known_count != truth->member_count)
        world_fail(world, "c%zu takes %zu members of %s for all, and there are %zu", client,
                   group->known_count, group->name.text, truth->member_count);
}

static void observe_member(agreement_t *self, world_t *world, lineage_t *lineage, size_t client,
                           agreement_entered_fn *entered, void *context)
{
    const member_core_t *core = (member_core_t *)world->nodes[client].cores[SIDE_MEMBER];
    for (size_t i = 0; i < core->group_count; i++) {
        const group_t *group = core->groups[i];
        if (!group_is_current(group) || !group->keys)
            continue;
        uint64_t epoch = group_state_epoch(group->keys);
        const lineage_epoch_t *truth = lineage_epoch(lineage, world, group->id, epoch);
        if (truth)
            check_known(world, truth, client, group);
        else if (!lineage_has_commit(lineage, group->id, epoch))
            world_fail(world, "c%zu is in epoch %llu, to which no commit of the log leads", client,
                       (unsigned long long)epoch);
        if (!is_new(self, world, client, SIDE_MEMBER, group->id, epoch))
            continue;
        agreed_t held = held_by_member(client, group->keys);
        compare(self, world, &held);
        if (entered)
            entered(context, client, group->id, epoch);
    }
}

void agreement_observe(agreement_t *self, world_t *world, lineage_t *lineage, size_t client,
                       agreement_entered_fn *entered, void *context)
{
    const node_t *node = &world->nodes[client];
    if (node->cores[SIDE_MEMBER])
        observe_member(self, world, lineage, client, entered, context);
    const admin_core_t *admin = (admin_core_t *)node->cores[SIDE_ADMIN];
    for (size_t i = 0; admin && i < admin->group_count; i++) {
        const holder_t *holder = admin->groups[i]->holder;
        if (!holder || !holder_epoch(holder) ||
            !is_new(self, world, client, SIDE_ADMIN, admin->groups[i]->id, holder_epoch(holder)))
            continue;
        agreed_t held = held_by_holder(client, holder);
        compare(self, world, &held);
    }
}
