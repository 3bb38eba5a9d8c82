/* SPDX-License-Identifier: MPL-2.0 */
/* Who hears of what is intercepted: ledger and derivations always, and this attacker. */
#ifndef CONCLAVE_TESTS_SIMULATION_INTERCEPT_H
#define CONCLAVE_TESTS_SIMULATION_INTERCEPT_H

#include "tests/simulation/attacker.h"

/* NULL: none. Borrowed. */
void intercept_for(attacker_t *of);
/* What was sealed since the last step counts as never sealed. */
void intercept_forget(void);

#endif
