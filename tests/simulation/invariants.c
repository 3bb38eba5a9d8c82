/* SPDX-License-Identifier: MPL-2.0 */
/* Who is told of a step. */
#include "tests/simulation/invariants.h"

#include <stdlib.h>

#include "proto/memory.h"
#include "tests/simulation/agreement.h"
#include "tests/simulation/intercept.h"
#include "tests/simulation/ledger.h"

struct invariants {
    world_t *world;
    lineage_t lineage;
    agreement_t agreement;
    attacker_t *attacker;
};

static void entered(void *context, size_t client, const uint8_t *group, uint64_t epoch)
{
    invariants_t *self = context;
    attacker_entered(self->attacker, client, group, epoch);
}

static void observe(void *context, world_t *world, size_t client_or_broker)
{
    invariants_t *self = context;
    lineage_update(&self->lineage, world);
    if (client_or_broker == WORLD_BROKER)
        return;
    agreement_observe(&self->agreement, world, &self->lineage, client_or_broker, entered, self);
    attacker_observe(self->attacker, client_or_broker);
}

invariants_t *invariants_new(world_t *world)
{
    invariants_t *self = mem_zalloc(1, sizeof *self);
    self->world = world;
    ledger_open(world);
    self->attacker = attacker_new(world, &self->lineage, &self->agreement);
    intercept_for(self->attacker);
    world->observe = observe;
    world->observe_context = self;
    return self;
}

lineage_t *invariants_lineage(invariants_t *self)
{
    return &self->lineage;
}

void invariants_finish(invariants_t *self)
{
    attacker_finish(self->attacker);
}

void invariants_destroy(invariants_t **pointer)
{
    invariants_t *self = *pointer;
    if (!self)
        return;
    self->world->observe = NULL;
    intercept_for(NULL);
    attacker_destroy(&self->attacker);
    ledger_close();
    agreement_free(&self->agreement);
    lineage_free(&self->lineage);
    free(self);
    *pointer = NULL;
}
