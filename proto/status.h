/* SPDX-License-Identifier: MPL-2.0 */
/* One enum for every outcome in Conclave, with its name and its text. */
#ifndef CONCLAVE_PROTO_STATUS_H
#define CONCLAVE_PROTO_STATUS_H

#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))

typedef enum {
#define STATUS(name, code, text) STATUS_##name = (code),
#include "proto/status.def"
#undef STATUS
} status_t;

/* First code that never travels on the wire. */
#define STATUS_FIRST_LOCAL 100

/* The symbolic name ("STALE_EPOCH") or "UNKNOWN_STATUS". Static storage. */
const char *status_name(status_t status);

/* One sentence for people, without a final stop. Static storage. */
const char *status_text(status_t status);

/* The status of a code from this machine, local ones included; one that this version's table
 * doesn't know becomes STATUS_MALFORMED: known to be a refusal, and no more. */
status_t status_from_code(unsigned long long code);

/* The status of a wire code; a code this version doesn't know becomes STATUS_MALFORMED. */
status_t status_from_wire(unsigned long long code);

#endif
