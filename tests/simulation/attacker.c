/* SPDX-License-Identifier: MPL-2.0 */
/* What they hold, and what follows from it. */
#include "tests/simulation/attacker.h"

#include <stdlib.h>
#include <string.h>

#include "client/core/admin.h"
#include "client/core/member.h"
#include "client/keys/group_state_parts.h"
#include "proto/memory.h"
#include "tests/simulation/derivations.h"

#define SEIZURE_PER_10000 40 /* of a step */
#define SEIZED_MAX        16 /* at the end */

typedef struct {
    uint32_t *keys;
    size_t count, capacity;
} hoard_t;

/* What a member held on entering an epoch. */
typedef struct {
    size_t client;
    uint8_t group[GROUP_ID_BYTES];
    uint64_t epoch;
    uint32_t epoch_secret;
    hoard_t path;
} possession_t;

struct attacker {
    world_t *world;
    lineage_t *lineage;
    const agreement_t *agreement;
    chance_t chance;
    possession_t *possessions;
    size_t possession_count, possession_capacity;
    hoard_t pending; /* message keys of the step under way */
    hoard_t *used;   /* by client */
};

static void hoard_add(hoard_t *self, uint32_t key)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 32;
        self->keys = mem_realloc(self->keys, self->capacity, sizeof *self->keys);
    }
    self->keys[self->count++] = key;
}

attacker_t *attacker_new(world_t *world, lineage_t *lineage, const agreement_t *agreement)
{
    attacker_t *self = mem_zalloc(1, sizeof *self);
    *self = (attacker_t){.world = world, .lineage = lineage, .agreement = agreement};
    self->chance.state = world->options.seed ^ 0xa77ac; /* apart: the run stays as it is without */
    self->used = mem_zalloc(world->options.clients, sizeof *self->used);
    derivations_open();
    return self;
}

void attacker_destroy(attacker_t **pointer)
{
    attacker_t *self = *pointer;
    derivations_close();
    for (size_t i = 0; i < self->possession_count; i++)
        free(self->possessions[i].path.keys);
    for (size_t i = 0; i < self->world->options.clients; i++)
        free(self->used[i].keys);
    free(self->possessions);
    free(self->pending.keys);
    free(self->used);
    free(self);
    *pointer = NULL;
}

void attacker_used(attacker_t *self, const secret_t *message_key)
{
    hoard_add(&self->pending, derivations_key(message_key));
}

void attacker_step_stored(attacker_t *self, const vault_t *vault)
{
    for (size_t client = 0; client < self->world->options.clients; client++)
        if (self->world->nodes[client].vaults[SIDE_MEMBER] == vault)
            for (size_t i = 0; i < self->pending.count; i++)
                hoard_add(&self->used[client], self->pending.keys[i]);
    self->pending.count = 0;
}

void attacker_step_undone(attacker_t *self)
{
    self->pending.count = 0;
}

static uint32_t epoch_secret_of(const secret_t *membership)
{
    return derivations_source(derivations_key(membership));
}

/* --- A seized device ------------------------------------------------------------------------- */

static void hold_found(void *context, uint32_t key)
{
    (void)context;
    derivations_hold(key);
}

static bool hold_row(void *context, bytes_t key, bytes_t value)
{
    (void)context;
    if (key.data[0] != ROW_LINE) /* its readable history aside */
        derivations_scan(value, hold_found, NULL);
    return true;
}

/* The two sides enter an epoch one after the other; in between the device holds what leads there.
 */
static bool is_settled(world_t *world, size_t client)
{
    const node_t *node = &world->nodes[client];
    admin_core_t *admin = (admin_core_t *)node->cores[SIDE_ADMIN];
    member_core_t *member = (member_core_t *)node->cores[SIDE_MEMBER];
    if (!admin || !member)
        return false;
    for (size_t i = 0; i < admin->group_count; i++) {
        const holder_t *holder = admin->groups[i]->holder;
        const group_t *group = member_group(member, admin->groups[i]->id);
        if (holder && group && group->keys && holder_epoch(holder) < group_state_epoch(group->keys))
            return false;
    }
    return true;
}

static void seize(attacker_t *self, size_t client)
{
    world_t *world = self->world;
    if (!is_settled(world, client))
        return;
    derivations_search();
    for (unsigned side = 0; side < SIDES; side++)
        if (vault_range(world->nodes[client].vaults[side], (bytes_t){0}, (bytes_t){0}, false,
                        hold_row, NULL))
            world_fail(world, "the vault of c%zu can't be read", client);
    derivations_finish();
    for (size_t i = 0; i < self->used[client].count; i++)
        if (derivations_reached_near(self->used[client].keys[i]))
            world_fail(world, "c%zu's device still leads to a message key that it had used",
                       client);
    for (size_t i = 0; i < self->possession_count; i++)
        if (self->possessions[i].client == client &&
            derivations_reached(self->possessions[i].epoch_secret))
            world_fail(world, "c%zu's device leads back to the secret of epoch %llu", client,
                       (unsigned long long)self->possessions[i].epoch);
}

void attacker_observe(attacker_t *self, size_t client)
{
    if (chance_hits(&self->chance, SEIZURE_PER_10000))
        seize(self, client);
}

/* --- People ---------------------------------------------------------------------------------- */

static const lineage_epoch_t *epoch_of(attacker_t *self, const agreed_t *agreed)
{
    return lineage_epoch(self->lineage, self->world, agreed->group, agreed->epoch);
}

/* All who are not in an epoch together, whenever they came or left: none of them alone, and no few
 * of them, get further. */
static void attack(attacker_t *self, const agreed_t *agreed)
{
    const lineage_epoch_t *epoch = epoch_of(self, agreed);
    if (!epoch)
        return;
    derivations_search();
    for (size_t i = 0; i < self->possession_count; i++) {
        const possession_t *held = &self->possessions[i];
        if (memcmp(held->group, agreed->group, GROUP_ID_BYTES) ||
            lineage_has(epoch, &self->world->nodes[held->client].name))
            continue;
        derivations_hold(held->epoch_secret);
        for (size_t k = 0; k < held->path.count; k++)
            derivations_hold(held->path.keys[k]);
    }
    derivations_finish();
    if (derivations_reached_near(epoch_secret_of(&agreed->membership)))
        world_fail(self->world, "people who were not in epoch %llu got a secret of it together",
                   (unsigned long long)agreed->epoch);
}

/* When an epoch begins: those who have left by then want its secret, and its newcomers, with them,
 * that of the epoch before. */
static void attack_at_commit(attacker_t *self, const uint8_t *group, uint64_t number)
{
    for (size_t i = 0; i < self->agreement->count && !self->world->failure[0]; i++) {
        const agreed_t *agreed = &self->agreement->epochs[i];
        if (!memcmp(agreed->group, group, GROUP_ID_BYTES) &&
            (agreed->epoch == number || agreed->epoch + 1 == number))
            attack(self, agreed);
    }
}

void attacker_entered(attacker_t *self, size_t client, const uint8_t *group, uint64_t epoch)
{
    member_core_t *core = (member_core_t *)self->world->nodes[client].cores[SIDE_MEMBER];
    const group_state_t *keys = member_group(core, group)->keys;
    if (self->possession_count == self->possession_capacity) {
        self->possession_capacity = self->possession_capacity ? 2 * self->possession_capacity : 64;
        self->possessions =
            mem_realloc(self->possessions, self->possession_capacity, sizeof *self->possessions);
    }
    possession_t *possession = &self->possessions[self->possession_count++];
    *possession = (possession_t){
        .client = client, .epoch = epoch, .epoch_secret = epoch_secret_of(&keys->membership)};
    memcpy(possession->group, group, GROUP_ID_BYTES);
    for (unsigned level = 0; level <= keys->path.depth; level++)
        hoard_add(&possession->path, derivations_key(&keys->path.keys[level]));
    attack_at_commit(self, group, epoch);
}

void attacker_finish(attacker_t *self)
{
    for (size_t i = 0; i < self->agreement->count && !self->world->failure[0]; i++)
        attack(self, &self->agreement->epochs[i]);
    for (size_t client = 0; client < self->world->options.clients; client++)
        if (client < SEIZED_MAX && !self->world->failure[0])
            seize(self, client);
}
