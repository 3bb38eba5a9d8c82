/* SPDX-License-Identifier: MPL-2.0 */
/* Random people's plans. */
#include "tests/simulation/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"
#include "tests/simulation/play.h"

#define CROWD 12 /* from this many on, all ask to join at first, and less happens afterwards */

static action_t draw(chance_t *chance)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < ACTION_COUNT; i++)
        sum += action_weight((action_t)i);
    uint64_t dice = chance_below(chance, sum);
    unsigned action = 0;
    for (; dice >= action_weight((action_t)action); action++)
        dice -= action_weight((action_t)action);
    return (action_t)action;
}

static deed_t *add(schedule_t *self, action_t action)
{
    deed_t *deed = &self->deeds[self->count];
    *deed = (deed_t){.number = self->count, .action = action};
    self->count++;
    return deed;
}

/* One creates the first group, and all others ask to join it. */
static void gather(schedule_t *self, size_t clients)
{
    for (size_t client = 0; client < clients; client++) {
        deed_t *deed = add(self, client ? ACTION_join : ACTION_create);
        deed->client = client;
        deed->gap_ms = client ? 20 : 1000;
    }
}

schedule_t schedule_of(const world_options_t *options)
{
    chance_t chance = {.state = options->seed ^ 0xac7};
    bool is_crowd = options->clients >= CROWD;
    uint64_t longest_gap_ms = (chance_hits(&chance, 5000) ? 1500 : 150) * options->pace;
    size_t count = is_crowd ? 40 : 40 + chance_below(&chance, 120);
    schedule_t self = {0};
    self.deeds = mem_zalloc(count + options->clients, sizeof *self.deeds);
    bool is_created[PLAY_GROUPS] = {false};
    if (is_crowd) {
        gather(&self, options->clients);
        is_created[0] = true;
    }
    for (size_t i = 0; i < count; i++) {
        deed_t *deed = add(&self, draw(&chance));
        deed->client = chance_below(&chance, options->clients);
        deed->group = chance_below(&chance, PLAY_GROUPS);
        deed->argument = chance_next(&chance);
        deed->gap_ms = chance_below(&chance, longest_gap_ms);
        if (!is_created[deed->group] && chance_hits(&chance, 4000))
            deed->action = ACTION_create;
        is_created[deed->group] = is_created[deed->group] || deed->action == ACTION_create;
    }
    return self;
}

schedule_t schedule_copy(const schedule_t *self)
{
    schedule_t copy = {.count = self->count};
    copy.deeds = mem_zalloc(self->count + 1, sizeof *copy.deeds);
    memcpy(copy.deeds, self->deeds, self->count * sizeof *copy.deeds);
    return copy;
}

void schedule_free(schedule_t *self)
{
    free(self->deeds);
    *self = (schedule_t){0};
}

void schedule_print(const schedule_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        const deed_t *deed = &self->deeds[i];
        printf("  %3zu  c%zu %s g%zu, then %llu ms\n", deed->number, deed->client,
               action_name(deed->action), deed->group, (unsigned long long)deed->gap_ms);
    }
}
