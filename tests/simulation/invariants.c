/* SPDX-License-Identifier: MPL-2.0 */
/* Who is told of a step. */
#include "tests/simulation/invariants.h"

#include <stdlib.h>

#include "proto/memory.h"
#include "tests/simulation/agreement.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/lineage.h"

struct invariants {
    world_t *world;
    lineage_t lineage;
    agreement_t agreement;
};

static void observe(void *context, world_t *world, size_t client_or_broker)
{
    invariants_t *self = context;
    lineage_update(&self->lineage, world);
    if (client_or_broker != WORLD_BROKER)
        agreement_observe(&self->agreement, world, &self->lineage, client_or_broker, NULL, NULL);
}

invariants_t *invariants_new(world_t *world)
{
    invariants_t *self = mem_zalloc(1, sizeof *self);
    self->world = world;
    ledger_open(world);
    world->observe = observe;
    world->observe_context = self;
    return self;
}

void invariants_destroy(invariants_t **pointer)
{
    invariants_t *self = *pointer;
    if (!self)
        return;
    self->world->observe = NULL;
    ledger_close();
    agreement_free(&self->agreement);
    lineage_free(&self->lineage);
    free(self);
    *pointer = NULL;
}
