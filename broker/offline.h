/* SPDX-License-Identifier: MPL-2.0 */
/* What is done to a data directory while no broker runs on it. */
#ifndef CONCLAVE_BROKER_OFFLINE_H
#define CONCLAVE_BROKER_OFFLINE_H

#include "broker/options.h"

/* Each prints what it found or did to `out`, and why it can't go on, with the next step, to `err`.
 */

/* Checks every record of the store in --data, or of a backup there; changes nothing.
   STATUS_OK: it is sound. Any other: damage was found, or it could not be looked at. */
MUST_CHECK status_t offline_fsck(const options_t *options, FILE *out, FILE *err);

#endif
