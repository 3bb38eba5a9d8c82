/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A Dolev-Yao attacker on the run as it was: with everything that was recorded, and
 * - all that those held, while they were members, who are not in an epoch, leavers and newcomers
 *   together: no key of that epoch;
 * - a device's stores at some moment: no message key that it had used by then, and no secret of an
 *   epoch that it had entered.
 */
#ifndef CONCLAVE_TESTS_SIMULATION_ATTACKER_H
#define CONCLAVE_TESTS_SIMULATION_ATTACKER_H

#include "tests/simulation/agreement.h"

typedef struct attacker attacker_t;

/* Opens the derivations. All is borrowed. */
attacker_t *attacker_new(world_t *world, lineage_t *lineage, const agreement_t *agreement);
void attacker_destroy(attacker_t **self);

/* A message key was used: erased for good once the step is durable. */
void attacker_used(attacker_t *self, const secret_t *message_key);
void attacker_step_stored(attacker_t *self, const vault_t *vault);
void attacker_step_undone(attacker_t *self);

/* Keeps what a client holds in an epoch that it has entered, and lets those who are not in it try.
 */
void attacker_entered(attacker_t *self, size_t client, const uint8_t *group, uint64_t epoch);
/* Now and then, after a step, takes the device away. */
void attacker_observe(attacker_t *self, size_t client);
/* At the end: every device, and for every epoch all who were not in it, together. */
void attacker_finish(attacker_t *self);

#endif
