/* SPDX-License-Identifier: MPL-2.0 */
/* What the router's thread knows in numbers, copied now and then for who asks in another thread. */
#ifndef CONCLAVE_BROKER_HTTP_NUMBERS_H
#define CONCLAVE_BROKER_HTTP_NUMBERS_H

#include "broker/counters.h"
#include "broker/router/router.h"
#include "broker/rules/inspect.h"

/* All borrowed. */
typedef struct {
    const counters_t *counters;
    const counters_t *operator_counters; /* two, as in operator_options_t; NULL: none */
    const router_times_t *times;
    trace_hub_t *trace;
    router_calls_t *calls;
    store_t *store; /* asked for its size only */
} numbers_sources_t;

/* Owned by one thread. Zeroed but for the sources it has been taken never. */
typedef struct {
    numbers_sources_t from;
    uint64_t tried_ms; /* CLOCK_BOOTTIME; 0: never */
    uint64_t taken_ms;
    rules_counters_t rules;
    rules_pending_t pending;
    uint64_t store_bytes;
    status_t room; /* of store_room */
} numbers_t;

/* Copies again if the copy is older than max_age_ms. The router is asked at most once in
   max_age_ms, and waited for NUMBERS_WAIT_MS at most; when it doesn't come the old copy stays. */
void numbers_refresh(numbers_t *self, uint64_t now_ms, uint64_t max_age_ms);

#define NUMBERS_WAIT_MS 250

/* From now on the sources but counters (both kinds) and times are not asked any more. */
void numbers_detach(numbers_t *self);

/* Why requests can't be served now, in a few words; NULL: they can. */
const char *numbers_problem(const numbers_t *self, uint64_t now_ms);

/* The copy counts as the router's silence after so long without a new one. */
#define NUMBERS_STALE_MS 5000

#endif
