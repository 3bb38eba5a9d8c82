/* SPDX-License-Identifier: MPL-2.0 */
/* The median world has 5 clients; 2 in 100 have the most. */
#include "tests/simulation/seed_options.h"

#define CLIENTS_MAX 64
#define SLOW_PACE   60 /* minutes instead of seconds, so that sessions and hold times end */

static unsigned clients_of(chance_t *chance)
{
    uint64_t dice = chance_below(chance, 100);
    if (dice < 2)
        return CLIENTS_MAX;
    return dice < 4 ? 9 + (unsigned)chance_below(chance, 24)
                    : 2 + (unsigned)chance_below(chance, 7);
}

/* In some worlds sessions end while people are in the midst of something. */
static void draw_lifetimes(world_options_t *options)
{
    chance_t chance = {.state = options->seed ^ 0x11fe};
    if (chance_hits(&chance, 3000))
        options->absolute_ms = (2000 + chance_below(&chance, 20000)) * options->pace;
    if (chance_hits(&chance, 1500))
        options->idle_ms = (1500 + chance_below(&chance, 9000)) * options->pace;
}

world_options_t seed_options(uint64_t seed)
{
    chance_t chance = {.state = seed ^ 0x5eed};
    static const unsigned storms[] = {0, 50, 300, 1000};
    world_options_t options = {.seed = seed};
    options.faults = faults_of(seed, storms[chance_below(&chance, 4)]);
    options.clients = clients_of(&chance);
    options.newcomers = (unsigned)chance_below(&chance, options.clients / 3 + 1);
    options.delay_ms = 5 + chance_below(&chance, 100);
    options.pace = options.clients <= 8 && chance_hits(&chance, 1200) ? SLOW_PACE : 1;
    options.poll_period_ms = 1000 * options.pace;
    draw_lifetimes(&options);
    options.is_invite_only = seed % 8 == 3;
    return options;
}
