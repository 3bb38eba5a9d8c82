/* SPDX-License-Identifier: MPL-2.0 */
/* What must hold in a world whatever happens in it, watched step by step: the ledger of keys, the
 * agreement of members, and the attackers. */
#ifndef CONCLAVE_TESTS_SIMULATION_INVARIANTS_H
#define CONCLAVE_TESTS_SIMULATION_INVARIANTS_H

#include "tests/simulation/lineage.h"

typedef struct invariants invariants_t;

/* Watches from now on, as the world's observer: one at a time in a process. The world is borrowed.
 */
invariants_t *invariants_new(world_t *world);
/* Lives as long as self. */
lineage_t *invariants_lineage(invariants_t *self);
/* What is checked once, when the run is over. */
void invariants_finish(invariants_t *self);
void invariants_destroy(invariants_t **self);

#endif
