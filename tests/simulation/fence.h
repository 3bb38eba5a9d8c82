/* SPDX-License-Identifier: MPL-2.0 */
/* Who says that it leaves is out at once, and nobody else is put out: by the log as the broker's
 * rules handed it out. */
#ifndef CONCLAVE_TESTS_SIMULATION_FENCE_H
#define CONCLAVE_TESTS_SIMULATION_FENCE_H

#include "tests/simulation/world.h"

/* At the end: no message of a leaf stands behind its leave in the same membership, and no commit
 * removes a leaf that did not leave. Nothing is checked of a store that was set back: it forgets
 * leaves. */
void check_fence(world_t *world);

#endif
