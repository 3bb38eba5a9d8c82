/* SPDX-License-Identifier: MPL-2.0 */
/* Sums of counts. */
#include "tests/simulation/tally.h"

const char *lie_name(lie_t lie)
{
    static const char *const names[LIE_COUNT] = {
#define LIE(name, text) #name,
#include "tests/simulation/lies.def"
#undef LIE
    };
    return names[lie];
}

void tally_add(tally_t *self, const tally_t *more)
{
    uint64_t *to = (uint64_t *)self;
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < sizeof *self / sizeof *to; i++)
        to[i] += from[i];
}
