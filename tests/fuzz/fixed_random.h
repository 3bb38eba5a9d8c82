/* SPDX-License-Identifier: MPL-2.0 */
/* libsodium's randomness from a seed, so that an input of a target that makes keys does the same
 * each time. Never in a product. */
#ifndef CONCLAVE_TESTS_FUZZ_FIXED_RANDOM_H
#define CONCLAVE_TESTS_FUZZ_FIXED_RANDOM_H

#include <sodium.h>

#include "tests/fuzz/fuzz.h"
#include "tests/splitmix.h"

static uint64_t fixed_random_state;

static inline const char *fixed_random_name(void)
{
    return "fixed";
}

static inline uint32_t fixed_random_u32(void)
{
    return (uint32_t)splitmix_next(&fixed_random_state);
}

static inline void fixed_random_fill(void *const out, const size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)splitmix_next(&fixed_random_state);
}

/* Starts the sequence anew; the first call also takes libsodium's source over. */
static inline void fixed_random_start(uint64_t seed)
{
    static randombytes_implementation source = {.implementation_name = fixed_random_name,
                                                .random = fixed_random_u32,
                                                .buf = fixed_random_fill};
    static int is_set;
    fixed_random_state = seed;
    if (is_set)
        return;
    is_set = 1;
    randombytes_set_implementation(&source);
    FUZZ_MUST(sodium_init() >= 0);
}

#endif
