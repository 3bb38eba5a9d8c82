/* SPDX-License-Identifier: MPL-2.0 */
/* What is done to a data directory while no broker runs on it. */
#ifndef CONCLAVE_BROKER_BACKUP_OFFLINE_H
#define CONCLAVE_BROKER_BACKUP_OFFLINE_H

#include "broker/settings/options.h"

/* Each prints what it found or did to `out`, and why it can't go on, with the next step, to `err`.
 */

/* Checks every record of the store in --data, or of a backup there; changes nothing.
   STATUS_OK: it is sound. Any other: damage was found, or it could not be looked at. */
MUST_CHECK status_t offline_fsck(const options_t *options, FILE *out, FILE *err);

/* Puts the backup in --restore into --data, which must have no store: copies and checks it, then
   stamps a new incarnation, so that clients know. An interrupted one is begun anew; until one is
   done no broker starts there. On failure the data directory is as it was. */
MUST_CHECK status_t offline_restore(const options_t *options, FILE *out, FILE *err);

#endif
