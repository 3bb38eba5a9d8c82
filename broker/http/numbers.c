/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/http/numbers.h"

static status_t call_copy(void *context, rules_t *rules, store_t *store)
{
    numbers_t *self = context;
    self->rules = *rules_counters(rules);
    self->room = store_room(store);
    return rules_pending(rules, &self->pending);
}

void numbers_refresh(numbers_t *self, uint64_t now_ms, uint64_t max_age_ms)
{
    bool is_tried = self->tried_ms != 0 && now_ms - self->tried_ms < max_age_ms;
    if (is_tried || !self->from.calls) {
        return;
    }
    self->tried_ms = now_ms;
    status_t status = router_calls_do(self->from.calls, call_copy, self, NUMBERS_WAIT_MS);
    /* A record that can't be read is no reason to hide the counters. */
    if (status == STATUS_OK || status == STATUS_STORE_FAILED) {
        self->taken_ms = now_ms;
    }
    if (store_size_bytes(self->from.store, &self->store_bytes) != STATUS_OK) {
        self->store_bytes = 0;
    }
}

void numbers_detach(numbers_t *self)
{
    self->from.trace = NULL;
    self->from.calls = NULL;
    self->from.store = NULL;
}

const char *numbers_problem(const numbers_t *self, uint64_t now_ms)
{
    if (counter_get(&self->from.counters->draining) || !self->from.calls) {
        return "draining: the broker is about to end";
    }
    if (self->taken_ms == 0 || now_ms - self->taken_ms > NUMBERS_STALE_MS) {
        return "busy: the router did not answer in time";
    }
    if (counter_get(&self->from.counters->store_closed) || self->room == STATUS_STORE_FAILED) {
        return "store failed: it will be opened again";
    }
    return self->room == STATUS_STORE_FULL ? "store full: the disk has too little free space"
                                           : NULL;
}
