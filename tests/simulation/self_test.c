/* SPDX-License-Identifier: MPL-2.0 */
/* Runs against a check that calls something harmless wrong: two deeds of two people under one kind
 * of fault are needed for it, and nothing else. */
#include "tests/simulation/self_test.h"

#include <stdio.h>
#include <string.h>

#include "tests/simulation/shrink.h"

#define SEEDS 100

/* "Wrong": somebody was let into a group although a frame was doubled. */
static void dislike(play_t *play)
{
    const tally_t *tally = &play->world->tally;
    if (tally->phases[GROUP_WELCOMED][GROUP_ACTIVE] > 1 && tally->injected[FAULT_doubling])
        world_fail(play->world, "%llu are in, in spite of doubled frames",
                   (unsigned long long)tally->phases[GROUP_WELCOMED][GROUP_ACTIVE]);
}

static unsigned present(const world_options_t *options)
{
    unsigned count = 0;
    for (unsigned i = 0; i < options->clients; i++)
        count += !(options->absent >> i & 1);
    return count;
}

/* Those who are left and have nothing to do. */
static unsigned bystanders(const plan_t *plan)
{
    uint64_t busy = 0;
    for (size_t i = 0; i < plan->schedule.count; i++)
        busy |= UINT64_C(1) << plan->schedule.deeds[i].client;
    return present(&plan->options) - (unsigned)__builtin_popcountll(busy);
}

static unsigned kinds_of_faults(const faults_t *faults)
{
    unsigned count = 0;
    for (unsigned i = 0; i < FAULT_COUNT; i++)
        count += faults->rates[i] != 0;
    return count;
}

static int failures, results;

static void result(bool passes, const char *what)
{
    printf("%s %d - %s\n", passes ? "ok" : "not ok", ++results, what);
    failures += !passes;
}

static void test_reduction(plan_t *plan, const verdict_t *first)
{
    verdict_t again = plan_run(plan, dislike, NULL);
    result(!strcmp(again.failure, first->failure), "a failing seed fails again in the same words");
    size_t deeds = plan->schedule.count;
    unsigned runs = shrink(plan, first->kind, dislike);
    printf("# %zu deeds, %u runs; %u of %u people are left:\n", deeds, runs,
           present(&plan->options), plan->options.clients);
    for (size_t i = 0; i < plan->schedule.count; i++)
        printf("#   c%zu %s g%zu\n", plan->schedule.deeds[i].client,
               action_name(plan->schedule.deeds[i].action), plan->schedule.deeds[i].group);
    verdict_t last = plan_run(plan, dislike, NULL);
    result(last.kind == first->kind, "what is left of it fails in the same way");
    result(plan->schedule.count <= 3, "at most three deeds are left");
    result(kinds_of_faults(&plan->options.faults) == 1 &&
               plan->options.faults.rates[FAULT_doubling],
           "the one kind of fault that matters is left");
    result(!bystanders(plan), "of the people only those who do something are left");
    last = plan_run(plan, NULL, NULL);
    result(!last.failure[0], "and nothing is wrong with it without the check");
}

int self_test(void)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        plan_t plan = plan_of(seed);
        verdict_t verdict = plan_run(&plan, dislike, NULL);
        bool is_wanted = verdict.failure[0] && plan.options.clients >= 5 &&
                         kinds_of_faults(&plan.options.faults) >= 8;
        if (is_wanted)
            test_reduction(&plan, &verdict);
        plan_free(&plan);
        if (is_wanted)
            break;
    }
    if (!results)
        result(false, "some seed fails");
    printf("1..%d\n", results);
    return failures ? 1 : 0;
}
