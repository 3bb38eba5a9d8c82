/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/http/live.h"

#include "broker/clock.h"
#include "broker/http/activity.h"
#include "broker/json.h"
#include "proto/memory.h"
#include "proto/sealed_message.h"

#include <stdlib.h>

enum { TAKEN_AT_ONCE = 256 };

/* What the router is asked for together. */
typedef struct {
    rules_loads_t loads;
    rules_online_t users[LIVE_USERS];
    size_t user_count;
} overview_t;

struct live {
    numbers_t *numbers;
    uint64_t started_ms;
    activity_t *activity;
    trace_listener_t *listener; /* NULL: nobody looks */
    size_t readers;
    bool has_ended;
    feed_t feed;
    buffer_t scratch;
    histogram_counts_t requests; /* when the last tick was */
    histogram_counts_t writes;
    overview_t *overview;
    uint64_t next_overview_ms; /* not asked for more often, whoever opens pages how fast */
    buffer_t last_sealed;      /* the event as JSON; empty: none yet */
    bool is_sealed_due;        /* of this message, which the router was too busy to read */
    trace_record_t due;
    uint64_t next_take_ms;
    uint64_t next_tick_ms;
    uint64_t next_sealed_ms;
    uint64_t next_state_ms;
};

live_t *live_new(numbers_t *numbers, uint64_t started_ms)
{
    live_t *self = mem_zalloc(1, sizeof *self);
    self->numbers = numbers;
    self->started_ms = started_ms;
    self->activity = activity_new();
    self->overview = mem_zalloc(1, sizeof *self->overview);
    return self;
}

void live_destroy(live_t **self)
{
    live_t *dead = *self;
    if (!dead) {
        return;
    }
    trace_unlisten(&dead->listener);
    activity_destroy(&dead->activity);
    feed_free(&dead->feed);
    buffer_free(&dead->scratch);
    buffer_free(&dead->last_sealed);
    free(dead->overview);
    free(dead);
    *self = NULL;
}

/* --- state ------------------------------------------------------------------------------------ */

static status_t call_overview(void *context, rules_t *rules, store_t *store)
{
    overview_t *self = context;
    (void)store;
    self->user_count = rules_online(rules, self->users, LIVE_USERS);
    return rules_loads(rules, &self->loads);
}

static void write_users(json_t *json, const overview_t *overview)
{
    json_key(json, "users");
    json_array(json);
    for (size_t i = 0; i < overview->user_count; i++) {
        const rules_online_t *user = &overview->users[i];
        json_object(json);
        json_put_text(json, "name", user->name.text);
        json_key(json, "groups");
        json_array(json);
        for (size_t g = 0; g < user->group_count; g++) {
            json_text(json, user->groups[g].text);
        }
        json_end(json);
        json_end(json);
    }
    json_end(json);
}

static void write_groups(json_t *json, const rules_loads_t *loads)
{
    json_key(json, "groups");
    json_array(json);
    for (size_t i = 0; i < loads->group_count; i++) {
        const group_load_record_t *group = &loads->groups[i];
        json_object(json);
        json_put_text(json, "name", group->name.text);
        json_put_number(json, "members", group->members);
        json_put_number(json, "online", group->online);
        json_put_number(json, "epoch", group->epoch);
        json_put_number(json, "sequence", group->sequence);
        json_put_number(json, "joins", group->pending_joins);
        json_put_number(json, "leaves", group->leaves_due);
        json_end(json);
    }
    json_end(json);
}

static void write_totals(json_t *json, const numbers_t *numbers)
{
    const rules_counters_t *rules = &numbers->rules;
    json_put_number(json, "connections", counter_get(&numbers->from.counters->connections));
    json_put_number(json, "sessions", rules->sessions);
    json_put_number(json, "online", rules->users_online);
    json_put_number(json, "groups_known", rules->groups_cached);
    json_put_number(json, "appended", rules->events_appended);
    json_put_number(json, "rekeys", rules->answered[VERB_commit][STATUS_OK]);
    json_put_number(json, "handshakes_failed",
                    counter_get(&numbers->from.counters->handshakes_failed));
    json_put_number(json, "store_bytes", numbers->store_bytes);
    json_put_number(json, "queued_frames", counter_get(&numbers->from.counters->queued_frames));
    json_put_number(json, "joins", numbers->pending.joins);
    json_put_number(json, "oldest_join_ms", numbers->pending.oldest_join_ms);
    json_put_number(json, "leaves", numbers->pending.leaves);
    json_put_number(json, "oldest_leave_ms", numbers->pending.oldest_leave_ms);
}

static bool is_due(uint64_t *next_ms, uint64_t now_ms, uint64_t period_ms)
{
    if (now_ms < *next_ms) {
        return false;
    }
    *next_ms = now_ms + period_ms;
    return true;
}

/* Without an answer the page keeps what it has: an old copy is sent again. */
static void refresh_overview(live_t *self, uint64_t now_ms)
{
    if (is_due(&self->next_overview_ms, now_ms, LIVE_STATE_MS / 2)) {
        status_t ignored = router_calls_do(self->numbers->from.calls, call_overview, self->overview,
                                           NUMBERS_WAIT_MS);
        (void)ignored;
    }
}

static void write_state(live_t *self, uint64_t now_ms, buffer_t *out)
{
    json_t json = json_of(out);
    const char *problem;
    numbers_refresh(self->numbers, now_ms, LIVE_STATE_MS / 2);
    refresh_overview(self, now_ms);
    problem = numbers_problem(self->numbers, now_ms);
    json_object(&json);
    json_put_number(&json, "time_ms", wall_clock_ms());
    json_put_number(&json, "started_ms", self->started_ms);
    json_put_text(&json, "version", CONCLAVE_VERSION);
    json_put_text(&json, "problem", problem ? problem : "");
    write_totals(&json, self->numbers);
    write_users(&json, self->overview);
    write_groups(&json, &self->overview->loads);
    json_end(&json);
}

/* --- sealed ----------------------------------------------------------------------------------- */

typedef struct {
    const trace_record_t *record;
    buffer_t payload;
} sealed_call_t;

static status_t call_sealed(void *context, rules_t *rules, store_t *store)
{
    sealed_call_t *self = context;
    (void)store;
    return rules_read_sealed(rules, &self->record->group, self->record->sequence, &self->payload);
}

static void write_sealed(const trace_record_t *record, bytes_t payload, buffer_t *out)
{
    json_t json = json_of(out);
    message_header_t header = {0};
    bytes_t head = {0}, rest;
    json_object(&json);
    json_put_text(&json, "group", record->group.text);
    json_put_text(&json, "sender", record->user.text);
    json_put_number(&json, "sequence", record->sequence);
    json_put_number(&json, "bytes", payload.size);
    if (message_header_parse(&header, payload, &head, &rest) == STATUS_OK) {
        json_put_number(&json, "header_bytes", head.size);
        json_put_number(&json, "epoch", header.epoch);
        json_put_number(&json, "leaf", header.leaf);
        json_put_number(&json, "generation", header.generation);
    }
    payload.size = payload.size < LIVE_SEALED_BYTES ? payload.size : LIVE_SEALED_BYTES;
    json_put_hex(&json, "hex", payload);
    json_end(&json);
}

static void put_sealed(live_t *self)
{
    trace_record_t newest;
    if (activity_last_message(self->activity, &newest)) {
        self->due = newest;
        self->is_sealed_due = true;
    }
    if (!self->is_sealed_due) {
        return;
    }
    sealed_call_t call = {.record = &self->due};
    status_t status =
        router_calls_do(self->numbers->from.calls, call_sealed, &call, NUMBERS_WAIT_MS);
    self->is_sealed_due = status == STATUS_TIMED_OUT;
    if (status == STATUS_OK) {
        buffer_clear(&self->last_sealed);
        write_sealed(&self->due, buffer_view(&call.payload), &self->last_sealed);
        feed_put(&self->feed, "sealed", buffer_view(&self->last_sealed));
    }
    buffer_free(&call.payload);
}

/* --- Ticks ------------------------------------------------------------------------------------ */

static void take_records(live_t *self)
{
    trace_record_t records[TAKEN_AT_ONCE];
    uint64_t lost;
    size_t count;
    do {
        count = trace_listener_take(self->listener, records, TAKEN_AT_ONCE, &lost);
        activity_take(self->activity, records, count, lost);
    } while (count == TAKEN_AT_ONCE);
}

static histogram_counts_t since_last(const histogram_t *histogram, histogram_counts_t *last)
{
    histogram_counts_t now;
    histogram_read(histogram, &now);
    const histogram_counts_t since = histogram_since(&now, last);
    *last = now;
    return since;
}

static void put_tick(live_t *self)
{
    const router_times_t *times = self->numbers->from.times;
    const activity_times_t measured = {.requests = since_last(&times->requests, &self->requests),
                                       .writes = since_last(&times->writes, &self->writes)};
    buffer_clear(&self->scratch);
    activity_write(self->activity, wall_clock_ms(), &measured, &self->scratch);
    feed_put(&self->feed, "tick", buffer_view(&self->scratch));
}

static void put_state(live_t *self, uint64_t now_ms)
{
    buffer_clear(&self->scratch);
    write_state(self, now_ms, &self->scratch);
    feed_put(&self->feed, "state", buffer_view(&self->scratch));
}

bool live_tick(live_t *self, uint64_t now_ms)
{
    const uint64_t before = self->feed.next;
    if (!self->listener || !is_due(&self->next_take_ms, now_ms, LIVE_TAKE_MS)) {
        return false;
    }
    take_records(self);
    if (is_due(&self->next_tick_ms, now_ms, LIVE_TICK_MS)) {
        put_tick(self);
    }
    if (is_due(&self->next_sealed_ms, now_ms, LIVE_SEALED_MS)) {
        put_sealed(self);
    }
    if (is_due(&self->next_state_ms, now_ms, LIVE_STATE_MS)) {
        put_state(self, now_ms);
    }
    return self->feed.next != before;
}

uint64_t live_next(const live_t *self)
{
    return self->listener ? self->next_take_ms : UINT64_MAX;
}

/* --- Readers ---------------------------------------------------------------------------------- */

static bool begin_listening(live_t *self, uint64_t now_ms)
{
    static const trace_filter_t everything;
    if (!self->listener && self->numbers->from.trace) {
        self->listener = trace_listen(self->numbers->from.trace, &everything, false, "live page");
        histogram_read(&self->numbers->from.times->requests, &self->requests);
        histogram_read(&self->numbers->from.times->writes, &self->writes);
        self->next_take_ms = now_ms;
        self->next_tick_ms = now_ms + LIVE_TICK_MS;
        self->next_sealed_ms = now_ms;
        self->next_state_ms = now_ms + LIVE_STATE_MS;
    }
    return self->listener != NULL;
}

bool live_open(live_t *self, feed_reader_t *reader, uint64_t now_ms)
{
    static const char retry[] = "retry: 2000\n\n";
    buffer_t first = {0};
    if (self->has_ended || !begin_listening(self, now_ms)) {
        return false;
    }
    self->readers++;
    buffer_append(&first, retry, sizeof retry - 1);
    buffer_clear(&self->scratch);
    write_state(self, now_ms, &self->scratch);
    feed_format(&first, "state", buffer_view(&self->scratch));
    if (self->last_sealed.size > 0) {
        feed_format(&first, "sealed", buffer_view(&self->last_sealed));
    }
    feed_reader_begin(reader, &self->feed, first);
    return true;
}

void live_close(live_t *self, feed_reader_t *reader)
{
    feed_reader_end(reader);
    if (--self->readers == 0) {
        trace_unlisten(&self->listener);
    }
}

bool live_read(const live_t *self, feed_reader_t *reader, char *out, size_t size, size_t *got)
{
    *got = 0;
    return !self->has_ended && feed_read(&self->feed, reader, out, size, got);
}

void live_end(live_t *self)
{
    self->has_ended = true;
    trace_unlisten(&self->listener);
}

bool live_has_ended(const live_t *self)
{
    return self->has_ended;
}
