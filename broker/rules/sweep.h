/* SPDX-License-Identifier: MPL-2.0 */
/* What time does to stored state: cursors get stored, old events and ended groups go, hold times
 * end. */
#ifndef CONCLAVE_BROKER_RULES_SWEEP_H
#define CONCLAVE_BROKER_RULES_SWEEP_H

#include "broker/rules/state.h"

/* Stores some of the cursors that were acknowledged since the last time. */
void sweep_flush_cursors(rules_t *self);

/* Looks at the next few groups. A group's events go once every current member's stored cursor
 * passed them, or when they are older than the retention. */
void sweep_step(rules_t *self);

/* Tells members that messages flow again, though the rekey is still due. */
void sweep_hold_times(rules_t *self);

#endif
