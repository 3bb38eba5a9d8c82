/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Makes spans of steps, after OpenTelemetry's conventions for messaging (broker/README.md).
 *
 *   received .. accepted, appended ... stored   one span a request, to the end of its turn
 *                fetched                        a span below the poll's
 *   pushed, push dropped                        a span each, with links to what was sent, if any
 *   stored                                      a span, below or linked to the turn's requests
 */
#ifndef CONCLAVE_BROKER_TRACER_SPANS_H
#define CONCLAVE_BROKER_TRACER_SPANS_H

#include "proto/message.h"

typedef struct spans spans_t;

/* Given each span as a JSON object, lent during the call. */
typedef void spans_take_t(void *context, text_t span);

spans_t *spans_new(spans_take_t *take, void *context);
void spans_destroy(spans_t **self);

void spans_add(spans_t *self, const trace_record_t *step);
/* Ends what waits for the end of its turn: none of it came for a while, or will come. */
void spans_end_turn(spans_t *self);

#endif
