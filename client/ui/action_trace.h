/* SPDX-License-Identifier: MPL-2.0 */
/* The trace context of one action of the user. */
#ifndef CONCLAVE_CLIENT_UI_ACTION_TRACE_H
#define CONCLAVE_CLIENT_UI_ACTION_TRACE_H

#include "client/ui/json.h"
#include "proto/trace_context.h"

/* Random ids, sampled. Nothing in it tells two actions of a user from those of two users. */
void action_trace_make(trace_context_t *out);

/* Adds it as "traceparent"; nothing if there is none. */
void action_trace_add(const trace_context_t *self, json_t *json);

#endif
