/* SPDX-License-Identifier: MPL-2.0 */
/* The words for what stands in a trace record. */
#ifndef CONCLAVE_BROKER_TRACE_NAMES_H
#define CONCLAVE_BROKER_TRACE_NAMES_H

#include "broker/rules/trace.h"

/* Static storage; "?" for what this version doesn't know. */
const char *trace_step_name(uint64_t step);
const char *trace_reason_name(uint64_t reason);

/* False if there is no step of that name ("push dropped"; "push-dropped" and "push_dropped" too).
 */
bool trace_step_find(const char *name, trace_step_t *out);

#endif
