/* SPDX-License-Identifier: MPL-2.0 */
/* Filters, names, and the hub: from the router's thread to listeners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>
#include <poll.h>
#include <sodium.h>
#include <stdatomic.h>

#include "broker/trace/hub.h"
#include "broker/trace/names.h"

enum { PATIENCE_MS = 20000 };

static name_t name_of(const char *text)
{
    name_t name;
    assert_int_equal(name_parse(&name, text), STATUS_OK);
    return name;
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    return poll(&item, 1, timeout_ms) == 1;
}

/* --- The filter ------------------------------------------------------------------------------ */

static bool passes(trace_filter_t filter, trace_record_t record)
{
    return trace_filter_passes(&filter, &record);
}

static void a_filter_passes_what_it_names(void **state)
{
    (void)state;
    const trace_record_t send = {.step = TRACE_ACCEPTED,
                                 .verb = VERB_send,
                                 .user = name_of("alice"),
                                 .group = name_of("tea")};
    const trace_record_t refused = {
        .step = TRACE_REFUSED, .verb = VERB_send, .status = STATUS_NOT_MEMBER};
    assert_true(passes((trace_filter_t){0}, send));
    assert_true(passes((trace_filter_t){.user = name_of("alice")}, send));
    assert_false(passes((trace_filter_t){.user = name_of("bob")}, send));
    assert_true(passes((trace_filter_t){.group = name_of("tea")}, send));
    assert_false(passes((trace_filter_t){.group = name_of("te")}, send));
    assert_true(passes((trace_filter_t){.verb = VERB_send}, send));
    assert_false(passes((trace_filter_t){.verb = VERB_join}, send));
    assert_true(passes((trace_filter_t){.steps = 1u << TRACE_ACCEPTED}, send));
    assert_false(passes((trace_filter_t){.steps = 1u << TRACE_REFUSED}, send));
    assert_false(passes((trace_filter_t){.refused_only = true}, send));
    assert_true(passes((trace_filter_t){.refused_only = true}, refused));
    assert_true(passes((trace_filter_t){.status = STATUS_NOT_MEMBER}, refused));
    assert_false(passes((trace_filter_t){.status = STATUS_NOT_ADMIN}, refused));
    for (trace_step_t step = 0; step < TRACE_STEP_COUNT; step++) {
        bool is_bad = step == TRACE_REFUSED || step == TRACE_STORE_FAILED ||
                      step == TRACE_PUSH_DROPPED || step == TRACE_HANDSHAKE_FAILED;
        assert_int_equal(
            passes((trace_filter_t){.refused_only = true}, (trace_record_t){.step = step}), is_bad);
    }
}

static void the_write_of_a_turn_passes_with_what_it_stored(void **state)
{
    (void)state;
    trace_filter_t filter = {.group = name_of("tea")};
    const trace_record_t in_tea = {.step = TRACE_APPENDED, .group = name_of("tea"), .turn = 4};
    const trace_record_t write_4 = {.step = TRACE_STORED, .turn = 4};
    const trace_record_t write_5 = {.step = TRACE_STORED, .turn = 5};
    assert_false(trace_filter_passes(&filter, &write_4));
    assert_true(trace_filter_passes(&filter, &in_tea));
    assert_true(trace_filter_passes(&filter, &write_4));
    assert_false(trace_filter_passes(&filter, &write_5));
    trace_filter_t any = {0};
    assert_true(trace_filter_passes(&any, &write_5));
}

static void a_share_takes_whole_turns(void **state)
{
    (void)state;
    trace_filter_t filter = {.share = 250};
    size_t taken = 0;
    for (uint64_t turn = 1; turn <= 4000; turn++) {
        const trace_record_t first = {.step = TRACE_RECEIVED, .turn = turn};
        const trace_record_t second = {.step = TRACE_PUSHED, .turn = turn};
        bool is_taken = trace_filter_passes(&filter, &first);
        assert_int_equal(is_taken, trace_filter_passes(&filter, &second));
        taken += is_taken;
    }
    assert_in_range(taken, 900, 1100);
}

static void steps_have_names(void **state)
{
    (void)state;
    trace_step_t found;
    for (trace_step_t step = 0; step < TRACE_STEP_COUNT; step++) {
        assert_true(trace_step_find(trace_step_name(step), &found));
        assert_int_equal(found, step);
    }
    assert_true(trace_step_find("push-dropped", &found));
    assert_int_equal(found, TRACE_PUSH_DROPPED);
    assert_false(trace_step_find("push", &found));
    assert_false(trace_step_find("pushedx", &found));
    assert_false(trace_step_find("", &found));
    assert_string_equal(trace_step_name(TRACE_STEP_COUNT), "?");
    assert_string_equal(trace_reason_name(TRACE_REASON_COUNT), "?");
    assert_string_equal(trace_reason_name(TRACE_REASON_WINDOW_FULL), "window full");
}

/* --- The hub --------------------------------------------------------------------------------- */

static void tell(trace_hub_t *hub, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i <= last; i++) {
        const trace_record_t record = {.step = TRACE_APPENDED, .sequence = i, .turn = i};
        trace_source_listen(trace_hub_source(hub), &record);
    }
    trace_source_publish(trace_hub_source(hub));
}

/* Takes until `sequence` has come; returns how many came, each after the one before. */
static size_t take_until(trace_listener_t *listener, uint64_t sequence, uint64_t *dropped)
{
    trace_record_t records[100];
    uint64_t last = 0, lost;
    size_t taken = 0;
    *dropped = 0;
    while (last < sequence) {
        assert_true(is_readable(trace_listener_fd(listener), PATIENCE_MS));
        size_t count = trace_listener_take(listener, records, 100, &lost);
        for (size_t i = 0; i < count; i++) {
            assert_true(records[i].sequence > last);
            last = records[i].sequence;
        }
        taken += count;
        *dropped += lost;
    }
    return taken;
}

static void listeners_hear_what_comes_after_them(void **state)
{
    (void)state;
    uint64_t dropped;
    trace_hub_t *hub = trace_hub_new(0);
    assert_non_null(hub);
    assert_false(trace_hub_is_wanted(hub));
    const trace_filter_t all = {0};
    trace_listener_t *first = trace_listen(hub, &all, true, "test");
    assert_true(trace_hub_is_wanted(hub));
    tell(hub, 1, 1000);
    assert_int_equal(take_until(first, 1000, &dropped), 1000);
    trace_listener_t *second = trace_listen(hub, &all, true, "test");
    tell(hub, 1001, 1001);
    assert_int_equal(take_until(second, 1001, &dropped), 1);
    assert_int_equal(take_until(first, 1001, &dropped), 1);
    assert_false(is_readable(trace_listener_fd(first), 0));
    trace_unlisten(&first);
    assert_null(first);
    assert_true(trace_hub_is_wanted(hub));
    trace_unlisten(&second);
    assert_false(trace_hub_is_wanted(hub));
    assert_int_equal(trace_hub_dropped(hub), 0);
    trace_hub_destroy(&hub);
}

/* What was told of listeners' losses. */
typedef struct {
    atomic_uint begun; /* in the hub's thread */
    atomic_uint of_others;
    unsigned left;
    uint64_t lost;
} losses_t;

static void note_loss(void *context, const char *who, uint64_t lost, bool has_left)
{
    losses_t *self = context;
    if (strcmp(who, "lazy") != 0) {
        atomic_fetch_add(&self->of_others, 1);
    } else if (!has_left) {
        atomic_fetch_add(&self->begun, 1);
    } else {
        self->left++;
        self->lost = lost;
    }
}

/* Tells of so many records behind `told`, no more at once than who takes them at once loses none
 * of. */
static void tell_many(trace_hub_t *hub, uint64_t told, uint64_t many, trace_listener_t *eager)
{
    uint64_t dropped;
    for (uint64_t i = told; i < told + many; i += 1024) {
        tell(hub, i + 1, i + 1024);
        assert_int_equal(take_until(eager, i + 1024, &dropped), 1024);
        assert_int_equal(dropped, 0);
    }
}

static void who_doesn_t_take_loses_what_is_too_much_and_is_told(void **state)
{
    (void)state;
    uint64_t dropped_first;
    losses_t losses = {0};
    trace_hub_t *hub = trace_hub_new(0);
    trace_hub_on_loss(hub, note_loss, &losses);
    const trace_filter_t all = {0};
    trace_listener_t *lazy = trace_listen(hub, &all, false, "lazy");
    trace_listener_t *eager = trace_listen(hub, &all, false, "eager");
    assert_int_equal(trace_hub_listeners(hub), 2);
    const uint64_t many = TRACE_LISTENER_RECORDS * 2;
    tell_many(hub, 0, many, eager);
    assert_int_equal(take_until(lazy, TRACE_LISTENER_RECORDS, &dropped_first),
                     TRACE_LISTENER_RECORDS);
    assert_int_equal(dropped_first, many - TRACE_LISTENER_RECORDS);
    tell_many(hub, many, 1024, eager);
    assert_int_equal(take_until(lazy, many + 1024, &dropped_first), 1024);
    assert_int_equal(dropped_first, 0);
    assert_int_equal(trace_hub_lost(hub), many - TRACE_LISTENER_RECORDS);
    /* It is told of once, however often that happens, and at the end with the sum. */
    tell_many(hub, many + 1024, many, eager);
    const uint64_t lost = 2 * (many - TRACE_LISTENER_RECORDS);
    assert_int_equal(trace_hub_lost(hub), lost);
    trace_unlisten(&lazy);
    trace_unlisten(&eager);
    assert_int_equal(losses.left, 1);
    assert_int_equal(losses.lost, lost);
    assert_int_equal(trace_hub_lost(hub), lost);
    assert_int_equal(trace_hub_listeners(hub), 0);
    trace_hub_destroy(&hub);
    assert_int_equal(losses.begun, 1);
    assert_int_equal(losses.of_others, 0);
}

static void the_past_is_the_newest_and_is_filtered(void **state)
{
    (void)state;
    uint64_t dropped;
    const trace_filter_t all = {0};
    const trace_filter_t other = {.steps = 1u << TRACE_PUSHED};
    trace_hub_t *hub = trace_hub_new(100);
    assert_true(trace_hub_is_wanted(hub));
    trace_listener_t *live = trace_listen(hub, &all, false, "test");
    tell(hub, 1, 250);
    assert_int_equal(take_until(live, 250, &dropped), 250);
    assert_int_equal(trace_hub_remembered(hub), 100);
    trace_listener_t *late = trace_listen(hub, &all, true, "test");
    assert_int_equal(take_until(late, 250, &dropped), 100);
    trace_listener_t *deaf = trace_listen(hub, &other, true, "test");
    trace_record_t none;
    assert_int_equal(trace_listener_take(deaf, &none, 1, &dropped), 0);
    assert_false(is_readable(trace_listener_fd(deaf), 0));
    trace_unlisten(&live);
    trace_unlisten(&late);
    trace_unlisten(&deaf);
    assert_true(trace_hub_is_wanted(hub));
    trace_hub_destroy(&hub);
}

/* A copy of the past for each listener would be 32 times 240 MB at the option's maximum. */
static void the_past_is_read_where_it_lies(void **state)
{
    (void)state;
    uint64_t dropped;
    trace_record_t first[10];
    const trace_filter_t all = {0};
    const uint64_t remembered = 3 * TRACE_LISTENER_RECORDS;
    trace_hub_t *hub = trace_hub_new(remembered);
    trace_listener_t *live = trace_listen(hub, &all, false, "test");
    uint64_t told = 0;
    for (; told < remembered; told += 1024) {
        tell(hub, told + 1, told + 1024);
        take_until(live, told + 1024, &dropped);
    }
    trace_listener_t *slow = trace_listen(hub, &all, true, "test");
    assert_int_equal(trace_listener_take(slow, first, 10, &dropped), 10);
    assert_int_equal(first[0].sequence, 1);
    assert_int_equal(dropped, 0);
    for (uint64_t until = told + 2 * TRACE_LISTENER_RECORDS; told < until; told += 1024) {
        tell(hub, told + 1, told + 1024);
        take_until(live, told + 1024, &dropped);
    }
    /* What it had not taken yet of what was overwritten is lost, and nothing else. */
    assert_int_equal(take_until(slow, told, &dropped), remembered + TRACE_LISTENER_RECORDS);
    assert_int_equal(dropped, TRACE_LISTENER_RECORDS - 10);
    assert_int_equal(trace_hub_lost(hub), dropped);
    assert_false(is_readable(trace_listener_fd(slow), 0));
    tell(hub, told + 1, told + 1);
    assert_int_equal(take_until(slow, told + 1, &dropped), 1);
    assert_int_equal(dropped, 0);
    trace_unlisten(&live);
    trace_unlisten(&slow);
    trace_hub_destroy(&hub);
}

static void there_is_a_limit_on_listeners(void **state)
{
    (void)state;
    const trace_filter_t all = {0};
    trace_hub_t *hub = trace_hub_new(0);
    trace_listener_t *listeners[TRACE_LISTENERS_MAX];
    for (size_t i = 0; i < TRACE_LISTENERS_MAX; i++)
        assert_non_null(listeners[i] = trace_listen(hub, &all, false, "test"));
    assert_null(trace_listen(hub, &all, false, "test"));
    trace_unlisten(&listeners[3]);
    assert_non_null(listeners[3] = trace_listen(hub, &all, false, "test"));
    for (size_t i = 0; i < TRACE_LISTENERS_MAX; i++)
        trace_unlisten(&listeners[i]);
    trace_hub_destroy(&hub);
}

static void a_failed_handshake_is_told(void **state)
{
    (void)state;
    trace_record_t record;
    uint64_t dropped;
    const trace_filter_t all = {0};
    trace_hub_t *hub = trace_hub_new(0);
    trace_hub_handshake_failed(hub, TRACE_REASON_PROTOCOL); /* nobody listens */
    trace_listener_t *listener = trace_listen(hub, &all, false, "test");
    trace_hub_handshake_failed(hub, TRACE_REASON_NO_DETAIL);
    assert_true(is_readable(trace_listener_fd(listener), PATIENCE_MS));
    assert_int_equal(trace_listener_take(listener, &record, 1, &dropped), 1);
    assert_int_equal(record.step, TRACE_HANDSHAKE_FAILED);
    assert_int_equal(record.reason, TRACE_REASON_NO_DETAIL);
    assert_true(record.time_us > 0);
    assert_false(is_readable(trace_listener_fd(listener), 0));
    trace_unlisten(&listener);
    trace_hub_destroy(&hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_passes_what_it_names),
        cmocka_unit_test(the_write_of_a_turn_passes_with_what_it_stored),
        cmocka_unit_test(a_share_takes_whole_turns),
        cmocka_unit_test(steps_have_names),
        cmocka_unit_test(listeners_hear_what_comes_after_them),
        cmocka_unit_test(who_doesn_t_take_loses_what_is_too_much_and_is_told),
        cmocka_unit_test(the_past_is_the_newest_and_is_filtered),
        cmocka_unit_test(the_past_is_read_where_it_lies),
        cmocka_unit_test(there_is_a_limit_on_listeners),
        cmocka_unit_test(a_failed_handshake_is_told),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
