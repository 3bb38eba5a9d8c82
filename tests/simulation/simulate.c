/* SPDX-License-Identifier: MPL-2.0 */
/* simulate SEEDS [FIRST] [loud]: runs that many random worlds, and prints the seed of the first
 * that fails. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/invariants.h"
#include "tests/simulation/liar.h"
#include "tests/simulation/play.h"

#define LIARS_EVERY                                                                                \
    5 /* seeds: with a broker that lies, only what must hold even then is checked                  \
       */

static world_options_t options_of(uint64_t seed, bool is_loud)
{
    chance_t chance = {.state = seed ^ 0x5eed};
    static const unsigned storms[] = {0, 50, 300, 1000};
    unsigned storm = storms[chance_below(&chance, 4)];
    world_options_t options = {.seed = seed, .is_loud = is_loud, .poll_period_ms = 1000};
    options.clients = 3 + (unsigned)chance_below(&chance, 4);
    options.delay_ms = 5 + chance_below(&chance, 100);
    options.loss = (unsigned)chance_below(&chance, storm + 1);
    options.push_loss = (unsigned)chance_below(&chance, 10 * storm + 1);
    options.doubling = (unsigned)chance_below(&chance, 2 * storm + 1);
    options.reorder = (unsigned)chance_below(&chance, 3 * storm + 1);
    options.cut = (unsigned)chance_below(&chance, storm + 1);
    options.client_crash = (unsigned)chance_below(&chance, storm / 2 + 1);
    options.broker_crash = (unsigned)chance_below(&chance, storm / 4 + 1);
    options.store_failure = (unsigned)chance_below(&chance, storm / 2 + 1);
    return options;
}

static bool run(uint64_t seed, bool is_loud)
{
    world_options_t options = options_of(seed, is_loud);
    play_t play = {.chance = {.state = seed ^ 0xac7}};
    play.world = world_new(&options, play_screen, &play);
    world_t *world = play.world;
    invariants_t *invariants = invariants_new(world);
    liar_t *liar = seed % LIARS_EVERY ? NULL : liar_new(world);
    uint64_t longest_gap_ms = chance_hits(&play.chance, 5000) ? 1500 : 150;
    unsigned deeds = 40 + (unsigned)chance_below(&play.chance, 120);
    for (unsigned i = 0; i < deeds && !world->failure[0]; i++) {
        play_act(&play);
        world_run(world, world->now_ms + chance_below(&play.chance, longest_gap_ms));
    }
    world_calm(world);
    if (liar)
        liar_stop(liar);
    world_run(world, world->now_ms + 120000);
    for (size_t i = 0; i < world->options.clients && !world->failure[0]; i++)
        for (size_t group = 0; group < PLAY_GROUPS; group++)
            play_send(&play, i, group, true);
    world_run(world, world->now_ms + 60000);
    if (!world->failure[0] && liar)
        check_lied(&play, invariants_lineage(invariants));
    else if (!world->failure[0])
        check_everything(&play);
    if (!world->failure[0])
        check_secrecy(&play);
    if (!world->failure[0])
        invariants_finish(invariants);
    bool is_good = !world->failure[0];
    if (!is_good)
        printf("seed %llu failed: %s\n", (unsigned long long)seed, world->failure);
    if (is_loud)
        printf("seed %llu: %u clients, %u deeds, %zu texts, %llu lines (%llu late), %llu refusals, "
               "%llu steps, %llu turns, %llu crashes, %llu frames lost, %llu lies\n",
               (unsigned long long)seed, options.clients, deeds, play.text_count,
               (unsigned long long)play.lines, (unsigned long long)play.late_lines,
               (unsigned long long)play.refusals, (unsigned long long)world->steps,
               (unsigned long long)world->turns, (unsigned long long)world->crashes,
               (unsigned long long)world->losses,
               (unsigned long long)(liar ? liar_count(liar) : 0));
    liar_destroy(&liar);
    invariants_destroy(&invariants);
    world_destroy(&world);
    play_free(&play);
    return is_good;
}

int main(int argc, char **argv)
{
    unsigned long long numbers[2] = {20, 1};
    size_t given = 0;
    bool is_tap = false, is_loud = false, is_good = true;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--tap"))
            is_tap = true;
        else if (!strcmp(argv[i], "--loud"))
            is_loud = true;
        else if (given < 2)
            numbers[given++] = strtoull(argv[i], NULL, 10);
    }
    chance_install();
    if (sodium_init() < 0)
        return 2;
    if (is_tap)
        printf("1..%llu\n", numbers[0]);
    for (unsigned long long i = 0; i < numbers[0] && (is_good || is_tap); i++) {
        bool passes = run(numbers[1] + i, is_loud);
        is_good = is_good && passes;
        if (is_tap)
            printf("%s %llu - world of seed %llu\n", passes ? "ok" : "not ok", i + 1,
                   numbers[1] + i);
    }
    if (is_good && !is_tap)
        printf("%llu worlds from seed %llu: all good\n", numbers[0], numbers[1]);
    return is_good ? 0 : 1;
}
