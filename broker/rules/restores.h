/* SPDX-License-Identifier: MPL-2.0 */
/* What a restore leaves in the store, so that clients who know more than a backup can be told so.
 */
#ifndef CONCLAVE_BROKER_RULES_RESTORES_H
#define CONCLAVE_BROKER_RULES_RESTORES_H

#include "broker/store/store.h"

#include <stdint.h>

/*
 * Makes a store that was copied from a backup another one: a new random incarnation, the one that
 * it replaces, and where each group's log ends now. One unit, synced. No rules may be open on it.
 * now_ms: wall clock. STATUS_NOT_FOUND: it is no store of rules. STATUS_STORE_FAILED,
 * STATUS_STORE_FULL.
 */
MUST_CHECK status_t restore_stamp(store_t *store, uint64_t now_ms);

#endif
