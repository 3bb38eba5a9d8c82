/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The ledger of keys: no key seals two different things, by whomever, across crashes and restarts.
 * It listens to what the clients seal by link-time wrapping (tests.mk), so there is one for the
 * process.
 *
 * A sealing counts once the step it was made in is durable: of what a crash undid nothing left the
 * device, and the same key may then seal something else.
 */
#ifndef CONCLAVE_TESTS_SIMULATION_LEDGER_H
#define CONCLAVE_TESTS_SIMULATION_LEDGER_H

#include "tests/simulation/world.h"

/* Starts empty; a second use of a key fails this world, which is borrowed until the close. */
void ledger_open(world_t *world);
void ledger_close(void);

#endif
