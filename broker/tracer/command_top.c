/* SPDX-License-Identifier: MPL-2.0 */
/* Rates, waits, and who is slow: a screen that is drawn anew each second. */
#include "broker/clock.h"
#include "broker/json.h"
#include "broker/tracer/rates.h"
#include "broker/tracer/step_text.h"
#include "broker/tracer/tracer.h"
#include "proto/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STRETCH_MS = 1000, SHOWN = 8, LISTED = LOADS_MAX };

typedef struct {
    const tracer_options_t *options;
    connection_t *connection;
    step_source_t source;
    rates_t rates;
    uint64_t lost;
    bool is_screen;
} top_t;

static status_t gather(top_t *self)
{
    const trace_record_t *steps;
    size_t count;
    uint64_t dropped;
    const int64_t until_ms = monotonic_clock_ms() + STRETCH_MS;
    int64_t left_ms = STRETCH_MS;
    do {
        status_t status = step_source_next(&self->source, (int)left_ms, &steps, &count, &dropped);
        if (status == STATUS_TIMED_OUT)
            return STATUS_OK;
        if (status != STATUS_OK)
            return status;
        self->lost += dropped;
        for (size_t i = 0; i < count; i++)
            rates_add(&self->rates, &steps[i]);
        left_ms = until_ms - monotonic_clock_ms();
    } while (left_ms > 0);
    return STATUS_OK;
}

static void print_title(const top_t *self, const char *text)
{
    const style_t *style = &self->options->style;
    printf("%s%s%s\n", style_ink(style, INK_BOLD), text, style_ink(style, INK_PLAIN));
}

static void print_durations(const top_t *self, const char *name, const durations_t *durations)
{
    const style_t *style = &self->options->style;
    if (durations->total == 0)
        return;
    printf("%s: half within %s, 90 %% %s, 99 %% %s, all %s\n", name,
           text_of_us(style, durations_at(durations, 0.5)),
           text_of_us(style, durations_at(durations, 0.9)),
           text_of_us(style, durations_at(durations, 0.99)),
           text_of_us(style, durations_at(durations, 1)));
}

static void print_since(uint64_t since_ms)
{
    uint64_t now_ms = wall_clock_ms();
    uint64_t seconds = now_ms > since_ms ? (now_ms - since_ms) / 1000 : 0;
    if (since_ms == 0)
        return;
    if (seconds < 120)
        printf(", the oldest for %" PRIu64 " s", seconds);
    else if (seconds < 7200)
        printf(", the oldest for %" PRIu64 " min", seconds / 60);
    else
        printf(", the oldest for %" PRIu64 " h", seconds / 3600);
}

static bool is_waiting(const group_load_record_t *group)
{
    return group->pending_joins != 0 || group->leaves_due != 0;
}

static void print_waits(const overview_reply_t *overview)
{
    printf("waiting: %" PRIu64 " to be let in", overview->pending_joins);
    print_since(overview->oldest_join_ms);
    printf("; %" PRIu64 " to be rekeyed out", overview->pending_leaves);
    print_since(overview->oldest_leave_ms);
    putchar('\n');
    for (size_t i = 0; i < overview->loads.count && i < SHOWN; i++) {
        const group_load_record_t *group = &overview->loads.items[i];
        if (!is_waiting(group))
            break;
        printf("  %-14s %" PRIu64 " in", group->name.text, group->pending_joins);
        print_since(group->oldest_join_ms);
        printf(", %" PRIu64 " out", group->leaves_due);
        print_since(group->oldest_leave_ms);
        printf("; %" PRIu64 " of %" PRIu64 " members online\n", group->online, group->members);
    }
}

static void print_groups(const top_t *self)
{
    const rates_t *rates = &self->rates;
    if (rates->group_count == 0)
        return;
    print_title(self, "busiest groups       messages/s  deliveries/s");
    for (size_t i = 0; i < rates->group_count && i < SHOWN; i++)
        printf("  %-18s %10" PRIu64 " %13" PRIu64 "\n", rates->groups[i].name.text,
               rates->groups[i].messages, rates->groups[i].deliveries);
}

static void print_slow(const top_t *self, const overview_reply_t *overview)
{
    size_t shown = 0;
    for (size_t i = 0; i < overview->slow.count && shown < SHOWN; i++) {
        const user_load_record_t *user = &overview->slow.items[i];
        if (user->behind == 0)
            break;
        if (shown++ == 0)
            print_title(self, "slow clients         messages not acknowledged");
        printf("  %-18s %10" PRIu64 "\n", user->name.text, user->behind);
    }
}

static void print_top(top_t *self, const overview_reply_t *overview)
{
    const rates_t *rates = &self->rates;
    if (self->is_screen)
        fputs("\033[H\033[J", stdout);
    print_title(self, "per second");
    printf("requests %" PRIu64 " (%" PRIu64 " refused), messages %" PRIu64 ", pushed %" PRIu64
           ", fetched %" PRIu64 ", pushes dropped %" PRIu64 "\n",
           rates->requests, rates->refused, rates->messages, rates->pushed, rates->fetched,
           rates->dropped);
    print_durations(self, "answered", &rates->answers);
    print_durations(self, "written ", &rates->syncs);
    print_title(self, "now");
    printf("up for %" PRIu64 " s; connections %" PRIu64 ", sessions %" PRIu64
           ", users online %" PRIu64 ", groups in memory %" PRIu64 "\n",
           overview->uptime_ms / 1000, overview->connections, overview->sessions,
           overview->users_online, overview->groups);
    print_waits(overview);
    print_groups(self);
    print_slow(self, overview);
    if (self->lost > 0)
        printf("steps lost so far, and not counted above: %" PRIu64 "\n", self->lost);
    if (!self->is_screen)
        putchar('\n');
}

static void put_waiting(const overview_reply_t *overview, json_t *json)
{
    json_key(json, "waiting");
    json_array(json);
    for (size_t i = 0; i < overview->loads.count && is_waiting(&overview->loads.items[i]); i++) {
        const group_load_record_t *group = &overview->loads.items[i];
        json_object(json);
        json_put_text(json, "group", group->name.text);
        json_put_number(json, "pending_joins", group->pending_joins);
        json_put_nonzero(json, "oldest_join_ms", group->oldest_join_ms);
        json_put_number(json, "pending_leaves", group->leaves_due);
        json_put_nonzero(json, "oldest_leave_ms", group->oldest_leave_ms);
        json_put_number(json, "members", group->members);
        json_put_number(json, "online", group->online);
        json_end(json);
    }
    json_end(json);
}

static void put_busiest(const rates_t *rates, json_t *json)
{
    json_key(json, "busiest");
    json_array(json);
    for (size_t i = 0; i < rates->group_count && i < LISTED; i++) {
        const group_rate_t *group = &rates->groups[i];
        json_object(json);
        json_put_text(json, "group", group->name.text);
        json_put_number(json, "messages", group->messages);
        json_put_number(json, "deliveries", group->deliveries);
        json_end(json);
    }
    json_end(json);
}

static void put_slow(const overview_reply_t *overview, json_t *json)
{
    json_key(json, "slow");
    json_array(json);
    for (size_t i = 0; i < overview->slow.count && overview->slow.items[i].behind > 0; i++) {
        json_object(json);
        json_put_text(json, "user", overview->slow.items[i].name.text);
        json_put_number(json, "behind", overview->slow.items[i].behind);
        json_end(json);
    }
    json_end(json);
}

static void print_json(const top_t *self, const overview_reply_t *overview)
{
    const rates_t *rates = &self->rates;
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {
        {"time_ms", wall_clock_ms()},
        {"requests", rates->requests},
        {"refused", rates->refused},
        {"messages", rates->messages},
        {"pushed", rates->pushed},
        {"fetched", rates->fetched},
        {"dropped", rates->dropped},
        {"answers", rates->answers.total},
        {"answer_p50_us", durations_at(&rates->answers, 0.5)},
        {"answer_p90_us", durations_at(&rates->answers, 0.9)},
        {"answer_p99_us", durations_at(&rates->answers, 0.99)},
        {"answer_max_us", durations_at(&rates->answers, 1)},
        {"syncs", rates->syncs.total},
        {"sync_p50_us", durations_at(&rates->syncs, 0.5)},
        {"sync_p90_us", durations_at(&rates->syncs, 0.9)},
        {"sync_p99_us", durations_at(&rates->syncs, 0.99)},
        {"sync_max_us", durations_at(&rates->syncs, 1)},
        {"connections", overview->connections},
        {"sessions", overview->sessions},
        {"users_online", overview->users_online},
        {"pending_joins", overview->pending_joins},
        {"oldest_join_ms", overview->oldest_join_ms},
        {"pending_leaves", overview->pending_leaves},
        {"oldest_leave_ms", overview->oldest_leave_ms},
        {"lost", self->lost},
    };
    buffer_t text = {0};
    json_t json = json_of(&text);
    json_object(&json);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        json_put_number(&json, numbers[i].key, numbers[i].value);
    put_waiting(overview, &json);
    put_busiest(rates, &json);
    put_slow(overview, &json);
    json_end(&json);
    tracer_put_line(&text);
}

static status_t show(top_t *self)
{
    const message_t *reply;
    status_t status = connection_ask(self->connection, VERB_overview, NULL, &reply);
    if (status != STATUS_OK)
        return status;
    rates_sort_groups(&self->rates);
    if (self->options->is_json)
        print_json(self, &reply->body.overview_reply);
    else
        print_top(self, &reply->body.overview_reply);
    rates_restart(&self->rates);
    return tracer_flush() ? STATUS_OK : STATUS_IO_ERROR;
}

int command_top(const tracer_options_t *options)
{
    if (options->from) {
        tracer_complain("top shows a running broker; --from has none");
        return TRACER_USAGE;
    }
    top_t *self = mem_zalloc(1, sizeof *self);
    self->options = options;
    self->is_screen = isatty(STDOUT_FILENO) && !options->is_json;
    int code = tracer_open_steps(options, &self->source, &self->connection);
    if (code == TRACER_DONE) {
        const int64_t until_ms = monotonic_clock_ms() + (int64_t)options->limit_seconds * 1000;
        status_t status = STATUS_OK;
        do { /* once, however late it is by now */
            status = gather(self);
            if (status == STATUS_OK)
                status = show(self);
        } while (status == STATUS_OK &&
                 (options->limit_seconds == 0 || monotonic_clock_ms() < until_ms));
        if (status == STATUS_DRAINING)
            tracer_complain("the broker has gone: it is about to end");
        if (status == STATUS_UNREACHABLE || status == STATUS_TIMED_OUT)
            tracer_complain("the broker has gone: %s", tracer_cause(self->connection, status));
        code = tracer_exit_for(status);
        step_source_close(&self->source);
    }
    connection_close(&self->connection);
    free(self);
    return code;
}
