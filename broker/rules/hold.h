/* SPDX-License-Identifier: MPL-2.0 */
/* How long a group's messages are held back while a rekey is due. */
#ifndef CONCLAVE_BROKER_RULES_HOLD_H
#define CONCLAVE_BROKER_RULES_HOLD_H

#include "broker/rules/state.h"

/* To be called when the group comes into memory and when what it waits for has changed: from then
 * on the boot clock counts, so that a wall clock that is set back holds nobody up for longer. */
void hold_begin(const rules_t *self, group_t *group);

/* Somebody's leave has no removal yet, and the hold time isn't over. */
bool hold_is_on(const rules_t *self, const group_t *group);

#endif
