/* SPDX-License-Identifier: MPL-2.0 */
/* splitmix64, twice. */
#include "tests/simulation/chance.h"

#include <sodium.h>
#include <string.h>

#include "tests/splitmix.h"

uint64_t chance_next(chance_t *self)
{
    return splitmix_next(&self->state);
}

uint64_t chance_below(chance_t *self, uint64_t bound)
{
    return bound ? chance_next(self) % bound : 0;
}

bool chance_hits(chance_t *self, unsigned per_10000)
{
    return chance_below(self, 10000) < per_10000;
}

static chance_t sodium_chance;

static const char *name(void)
{
    return "seeded";
}

static uint32_t random_word(void)
{
    return (uint32_t)chance_next(&sodium_chance);
}

static void fill(void *const buffer, const size_t size)
{
    uint8_t *out = buffer;
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = chance_next(&sodium_chance);
        memcpy(out + at, &word, size - at < 8 ? size - at : 8);
    }
}

static randombytes_implementation seeded = {
    .implementation_name = name,
    .random = random_word,
    .buf = fill,
};

void chance_install(void)
{
    (void)randombytes_set_implementation(&seeded);
}

void chance_seed_sodium(uint64_t seed)
{
    sodium_chance.state = seed;
}
