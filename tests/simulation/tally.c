/* SPDX-License-Identifier: MPL-2.0 */
/* Sums of counts. */
#include "tests/simulation/tally.h"

void tally_add(tally_t *self, const tally_t *more)
{
    uint64_t *to = (uint64_t *)self;
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < sizeof *self / sizeof *to; i++)
        to[i] += from[i];
}
