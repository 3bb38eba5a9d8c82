/* SPDX-License-Identifier: MPL-2.0 */
/* How other threads have something done in the router's thread, which owns rules and store. */
#ifndef CONCLAVE_BROKER_ROUTER_ROUTER_CALLS_H
#define CONCLAVE_BROKER_ROUTER_ROUTER_CALLS_H

#include "broker/rules/rules.h"

#define ROUTER_CALLS_MAX 64 /* that wait at one time */

typedef struct router_calls router_calls_t;

/* Carried out between two turns, while nothing is being written. It must be short: meanwhile nobody
 * is served. */
typedef status_t router_call_t(void *context, rules_t *rules, store_t *store);

/* NULL with errno set if no eventfd can be had. */
router_calls_t *router_calls_new(void);
/* Nobody may be in router_calls_do any more. */
void router_calls_destroy(router_calls_t **self);

/*
 * Any thread but the router's: waits until the call was carried out, and gives what it returned.
 * STATUS_TIMED_OUT: the router didn't come to it within timeout_ms, and will not any more.
 * STATUS_DRAINING: the router has ended, or is about to. STATUS_TOO_MANY: others wait already.
 */
MUST_CHECK status_t router_calls_do(router_calls_t *self, router_call_t *call, void *context,
                                    int timeout_ms);

/* --- The router's thread -------------------------------------------------------------------- */

/* Readable while calls wait. */
int router_calls_fd(const router_calls_t *self);
/* Carries out all that wait. */
void router_calls_serve(router_calls_t *self, rules_t *rules, store_t *store);
/* Answers all that wait, and all to come, STATUS_DRAINING. */
void router_calls_close(router_calls_t *self);

#endif
