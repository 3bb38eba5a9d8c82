/* SPDX-License-Identifier: MPL-2.0 */
/* What top counts: durations in buckets, requests until they are on disk, the busiest groups. */
#include "broker/tracer/rates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static rates_t rates;

static int setup(void **state)
{
    (void)state;
    rates = (rates_t){0};
    return 0;
}

static trace_record_t step_of(trace_step_t step, uint64_t turn, uint64_t time_us)
{
    return (trace_record_t){
        .step = step, .turn = turn, .time_us = time_us, .sequence = 1, .count = 1};
}

static void add(trace_step_t step, uint64_t turn, uint64_t time_us)
{
    const trace_record_t record = step_of(step, turn, time_us);
    rates_add(&rates, &record);
}

static void add_in(trace_step_t step, const char *group)
{
    trace_record_t record = step_of(step, 1, 1);
    assert_int_equal(name_parse(&record.group, group), STATUS_OK);
    rates_add(&rates, &record);
}

static void what_is_told_of_a_duration_is_at_most_a_quarter_too_high(void **state)
{
    (void)state;
    for (uint64_t us = 0; us < UINT64_C(1) << 32; us = us < 100 ? us + 1 : us + us / 7) {
        durations_t one = {0};
        durations_add(&one, us);
        uint64_t told = durations_at(&one, 1);
        assert_true(told >= us && told <= us + us / 4);
        assert_int_equal(durations_at(&one, 0.01), told);
    }
    durations_t longest = {0};
    durations_add(&longest, UINT64_MAX);
    assert_true(durations_at(&longest, 0.5) > UINT64_C(1) << 32);
}

static void a_share_lies_where_so_many_are_below(void **state)
{
    (void)state;
    durations_t all = {0};
    assert_int_equal(durations_at(&all, 0.5), 0); /* nothing */
    for (unsigned i = 0; i < 90; i++)
        durations_add(&all, 2);
    for (unsigned i = 0; i < 10; i++)
        durations_add(&all, 1000);
    assert_int_equal(durations_at(&all, 0.5), 2);
    assert_int_equal(durations_at(&all, 0.9), 2);
    assert_true(durations_at(&all, 0.91) >= 1000);
}

static void a_stored_request_is_answered_when_its_batch_is_on_disk(void **state)
{
    (void)state;
    add(TRACE_RECEIVED, 5, 100);
    add(TRACE_ACCEPTED, 5, 110);
    add(TRACE_RECEIVED, 6, 200);
    add(TRACE_ACCEPTED, 6, 210);
    assert_int_equal(rates.answers.total, 0);
    add(TRACE_STORED, 5, 103);
    assert_int_equal(rates.answers.total, 1);
    assert_int_equal(durations_at(&rates.answers, 1), 3);
    assert_int_equal(rates.open_count,
                     1); /* that of the next batch waits on, also into the next stretch */
    rates_restart(&rates);
    assert_int_equal(rates.answers.total, 0);
    add(TRACE_STORED, 6, 202);
    assert_int_equal(rates.answers.total, 1);
    assert_int_equal(durations_at(&rates.answers, 1), 2);
    assert_int_equal(rates.open_count, 0);
}

static void who_waits_for_a_batch_that_was_never_told_of_is_forgotten(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RATES_REQUESTS + 10; i++) {
        add(TRACE_RECEIVED, 5, 100);
        add(TRACE_ACCEPTED, 5, 110);
    }
    assert_int_equal(rates.open_count, RATES_REQUESTS);
    assert_int_equal(rates.requests, RATES_REQUESTS + 10);
    add(TRACE_STORED, 6, 200);
    assert_int_equal(rates.open_count, 0);
    assert_int_equal(rates.answers.total, 0);
}

static void groups_come_busiest_first(void **state)
{
    (void)state;
    static const char *const wanted[] = {"most", "many-read", "many-unread", "few"};
    add_in(TRACE_APPENDED, "few");
    for (unsigned i = 0; i < 2; i++) {
        add_in(TRACE_APPENDED, "many-unread");
        add_in(TRACE_APPENDED, "many-read");
        add_in(TRACE_APPENDED, "most");
    }
    add_in(TRACE_APPENDED, "most");
    add_in(TRACE_PUSHED, "many-read");
    add_in(TRACE_FETCHED, "many-read");
    add_in(TRACE_FETCHED, "many-unread");
    rates_sort_groups(&rates);
    assert_int_equal(rates.group_count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_string_equal(rates.groups[i].name.text, wanted[i]);
    assert_int_equal(rates.groups[1].deliveries, 2);
}

static void more_groups_than_there_is_room_for_count_in_the_sums_only(void **state)
{
    (void)state;
    char name[16];
    for (unsigned i = 0; i < RATES_GROUPS + 5; i++) {
        snprintf(name, sizeof name, "g%u", i);
        add_in(TRACE_APPENDED, name);
    }
    add_in(TRACE_APPENDED, "g0");
    assert_int_equal(rates.group_count, RATES_GROUPS);
    assert_int_equal(rates.messages, RATES_GROUPS + 6);
    assert_int_equal(rates.groups[0].messages, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_told_of_a_duration_is_at_most_a_quarter_too_high, setup),
        cmocka_unit_test_setup(a_share_lies_where_so_many_are_below, setup),
        cmocka_unit_test_setup(a_stored_request_is_answered_when_its_batch_is_on_disk, setup),
        cmocka_unit_test_setup(who_waits_for_a_batch_that_was_never_told_of_is_forgotten, setup),
        cmocka_unit_test_setup(groups_come_busiest_first, setup),
        cmocka_unit_test_setup(more_groups_than_there_is_room_for_count_in_the_sums_only, setup),
    };
    return cmocka_run_group_tests_name("rates", tests, NULL, NULL);
}
