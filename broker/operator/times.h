/* SPDX-License-Identifier: MPL-2.0 */
/* How long the broker and an operator's tools wait for each other, in milliseconds. */
#ifndef CONCLAVE_BROKER_OPERATOR_TIMES_H
#define CONCLAVE_BROKER_OPERATOR_TIMES_H

/* The broker looks at its tools at least so often. */
#define OPERATOR_LOOK_MS 1000
/* Who watches gets an empty push after so long without another. */
#define OPERATOR_SILENCE_MS 2000
/* So long the broker waits for its router in one round of requests, however many tools ask: a slow
 * disk may hold the router up. Meanwhile no tool hears anything. */
#define OPERATOR_CALLS_MS 4000

/* Who hears nothing for so long has no broker any more. A request may come when a round has just
 * begun, and be answered at the end of the next; an empty push may be due just after a look, and a
 * round come before it. */
#define OPERATOR_PATIENCE_MS 10000
_Static_assert(OPERATOR_PATIENCE_MS > 2 * OPERATOR_CALLS_MS + OPERATOR_LOOK_MS &&
                   OPERATOR_PATIENCE_MS >
                       OPERATOR_SILENCE_MS + OPERATOR_LOOK_MS + OPERATOR_CALLS_MS,
               "a tool waits longer than a living broker is silent");

#endif
