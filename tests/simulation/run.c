/* SPDX-License-Identifier: MPL-2.0 */
/* From the first deed to the last check. */
#include "tests/simulation/run.h"

#include <string.h>

#include "client/core/member.h"
#include "tests/simulation/fence.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/liar.h"
#include "tests/simulation/seed_options.h"

#define CALM_MS  120000 /* after the storm, times the pace: everything pending gets done */
#define FINAL_MS 60000  /* and after everybody's last words */

plan_t plan_of(uint64_t seed)
{
    plan_t self = {.options = seed_options(seed)};
    self.schedule = schedule_of(&self.options);
    return self;
}

plan_t plan_copy(const plan_t *self)
{
    return (plan_t){self->options, schedule_copy(&self->schedule)};
}

void plan_free(plan_t *self)
{
    schedule_free(&self->schedule);
}

static void storm(play_t *play, const schedule_t *schedule, liar_t *liar)
{
    world_t *world = play->world;
    for (size_t i = 0; i < schedule->count && !world->failure[0]; i++) {
        if (liar)
            liar_before(liar, i);
        action_carry_out(play, &schedule->deeds[i]);
        world_run(world, world->now_ms + schedule->deeds[i].gap_ms);
    }
    if (liar)
        liar_before(liar, schedule->count);
}

/* Whose account is closed without that the answer came is refused at its next login, and is as gone
 * as who was told. */
static void bury_the_refused(world_t *world)
{
    for (size_t i = 0; i < world->options.clients; i++) {
        const node_t *node = &world->nodes[i];
        const member_core_t *core = (const member_core_t *)node->cores[SIDE_MEMBER];
        if (node->is_closing && core && core->session.state == SESSION_STOPPED)
            world_bury(world, i);
    }
}

static void calm(play_t *play, liar_t *liar)
{
    world_t *world = play->world;
    world_trace(world, "world", "calms down");
    world_calm(world);
    if (liar)
        liar_stop(liar);
    world_run(world, world->now_ms + CALM_MS * world->options.pace);
    bury_the_refused(world);
    for (size_t i = 0; i < world->options.clients && !world->failure[0]; i++)
        for (size_t group = 0; group < PLAY_GROUPS; group++)
            play_send(play, i, group, true);
    world_run(world, world->now_ms + FINAL_MS * world->options.pace);
}

static void judge_all(play_t *play, invariants_t *invariants, const liar_t *liar,
                      run_judge_fn *judge)
{
    if (judge && !play->world->failure[0])
        judge(play);
    if (!play->world->failure[0] && liar)
        liar_check(liar, play, invariants_lineage(invariants));
    else if (!play->world->failure[0])
        check_everything(play);
    if (!play->world->failure[0])
        check_store(play->world);
    if (!play->world->failure[0])
        check_fence(play->world);
    if (!play->world->failure[0])
        check_secrecy(play);
    if (!play->world->failure[0])
        invariants_finish(invariants);
}

static void count(const play_t *play, tally_t *total)
{
    tally_t *tally = &play->world->tally;
    tally->simulated_ms = play->world->now_ms;
    tally->texts = play->text_count;
    tally->lines = play->lines;
    tally->late_lines = play->late_lines;
    tally->refusals = play->refusals;
    if (total)
        tally_add(total, tally);
}

verdict_t plan_run(const plan_t *self, run_judge_fn *judge, tally_t *total)
{
    play_t play = {0};
    play.world = world_new(&self->options, play_screen, &play);
    world_t *world = play.world;
    invariants_t *invariants = invariants_new(world);
    /* With a broker that lies, only what must hold even then is checked. */
    liar_t *liar = self->options.seed % LIARS_EVERY ? NULL : liar_new(world, self->schedule.count);
    storm(&play, &self->schedule, liar);
    calm(&play, liar);
    world_broker_end(world);
    judge_all(&play, invariants, liar, judge);
    count(&play, total);
    verdict_t verdict = {.kind = world->failure_kind};
    memcpy(verdict.failure, world->failure, sizeof verdict.failure);
    liar_destroy(&liar);
    invariants_destroy(&invariants);
    world_destroy(&world);
    play_free(&play);
    return verdict;
}
