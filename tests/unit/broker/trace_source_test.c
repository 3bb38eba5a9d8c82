/* SPDX-License-Identifier: MPL-2.0 */
/* What the router hands over: ids, what a request's first step learns from its answer, pushes that
 * were dropped after all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>
#include <sodium.h>

#include "broker/trace/source.h"

static name_t name_of(const char *text)
{
    name_t name;
    assert_int_equal(name_parse(&name, text), STATUS_OK);
    return name;
}

static void a_request_s_steps_share_ids_and_the_first_learns_from_the_answer(void **state)
{
    (void)state;
    static const uint8_t none[TRACE_ID_BYTES];
    trace_queue_t *queue = trace_queue_new(16);
    trace_source_t source;
    trace_source_init(&source, queue);
    trace_record_t record = {.step = TRACE_RECEIVED, .verb = VERB_send, .request = 7, .turn = 3};
    memset(record.trace_id, 0xaa, TRACE_ID_BYTES);
    memset(record.parent_id, 0xbb, SPAN_ID_BYTES);
    trace_source_listen(&source, &record);
    record = (trace_record_t){.step = TRACE_ACCEPTED,
                              .verb = VERB_send,
                              .request = 7,
                              .user = name_of("alice"),
                              .group = name_of("tea"),
                              .epoch = 5};
    trace_source_listen(&source, &record);
    record.step = TRACE_APPENDED;
    trace_source_listen(&source, &record);
    trace_source_wrote(&source, 1234);
    record = (trace_record_t){.step = TRACE_STORED, .turn = 3};
    trace_source_listen(&source, &record);
    record = (trace_record_t){.step = TRACE_RECEIVED, .verb = VERB_hello};
    trace_source_listen(&source, &record);
    record.step = TRACE_REFUSED;
    trace_source_listen(&source, &record);
    assert_int_equal(trace_queue_ready(queue), 0);
    trace_source_publish(&source);
    assert_int_equal(trace_queue_ready(queue), 6);
    const trace_record_t *received = trace_queue_at(queue, 0), *appended = trace_queue_at(queue, 2);
    assert_string_equal(received->user.text, "alice");
    assert_string_equal(received->group.text, "tea");
    assert_int_equal(received->epoch, 5);
    assert_true(received->time_us > 0 && received->time_us <= appended->time_us);
    for (size_t i = 0; i < 3; i++) {
        assert_memory_equal(trace_queue_at(queue, i)->span_id, received->span_id, SPAN_ID_BYTES);
        assert_int_equal(trace_queue_at(queue, i)->trace_id[0], 0xaa);
        assert_int_equal(trace_queue_at(queue, i)->parent_id[0], 0xbb);
    }
    assert_memory_not_equal(received->span_id, none, SPAN_ID_BYTES);
    const trace_record_t *stored = trace_queue_at(queue, 3);
    assert_int_equal(stored->duration_us, 1234);
    assert_memory_equal(stored->trace_id, none, TRACE_ID_BYTES);
    const trace_record_t *other = trace_queue_at(queue, 4);
    assert_memory_not_equal(other->span_id, received->span_id, SPAN_ID_BYTES);
    assert_memory_not_equal(other->trace_id, none, TRACE_ID_BYTES); /* it has one of its own */
    assert_memory_equal(other->parent_id, none, SPAN_ID_BYTES);
    trace_queue_destroy(&queue);
}

static void a_source_goes_on_when_the_queue_is_full(void **state)
{
    (void)state;
    trace_queue_t *queue = trace_queue_new(1);
    trace_source_t source;
    trace_source_init(&source, queue);
    trace_record_t record = {.step = TRACE_SESSION_OPENED};
    trace_source_listen(&source, &record);
    for (int i = 0; i < 3; i++) {
        record.step = TRACE_RECEIVED;
        trace_source_listen(&source, &record);
        record.step = TRACE_ACCEPTED;
        trace_source_listen(&source, &record);
    }
    trace_source_publish(&source);
    assert_int_equal(trace_queue_ready(queue), 1);
    assert_int_equal(trace_queue_dropped(queue), 6);
    trace_queue_destroy(&queue);
}

enum { IDS = 4096 };

static uint64_t ids_told(trace_queue_t *queue, size_t index, uint64_t *trace_high, uint64_t *span)
{
    const trace_record_t *record = trace_queue_at(queue, index);
    *trace_high = get_u64(record->trace_id);
    *span = get_u64(record->span_id);
    return get_u64(record->trace_id + 8);
}

static bool is_even(size_t count, size_t of)
{
    return count * 16 > of * 7 && count * 16 < of * 9; /* 8 standard deviations of 4,096 */
}

/* Who samples by an id's last 56 bits, as OpenTelemetry's ratio samplers do, gets the share that
 * was asked for and no long runs; a span's id says nothing of its trace's. */
static void ids_look_random(void **state)
{
    (void)state;
    trace_queue_t *queue = trace_queue_new(IDS);
    trace_source_t source;
    trace_source_init(&source, queue);
    const trace_record_t record = {.step = TRACE_RECEIVED, .verb = VERB_hello};
    for (size_t i = 0; i < IDS; i++)
        assert_int_equal(trace_source_listen(&source, &record), i + 1);
    trace_source_publish(&source);
    uint64_t high, low, span, high_before = 0, low_before = 0, span_before = 0;
    size_t same_as_before = 0, run = 0, longest_run = 0, ones[64] = {0}, flips[64] = {0},
           differs[64] = {0};
    bool was_sampled = false;
    for (size_t i = 0; i < IDS; i++) {
        low = ids_told(queue, i, &high, &span);
        assert_true(span != 0 && low != 0 && span != low && span != high && high != low);
        for (unsigned bit = 0; bit < 64; bit++) {
            ones[bit] += low >> bit & 1;
            flips[bit] += (low ^ low_before) >> bit & 1;
            differs[bit] += (low ^ span) >> bit & 1;
        }
        bool is_sampled = (low & (UINT64_MAX >> 8)) < UINT64_C(1) << 55; /* half of all */
        same_as_before += is_sampled == was_sampled;
        run = is_sampled == was_sampled ? run + 1 : 1;
        longest_run = run > longest_run ? run : longest_run;
        was_sampled = is_sampled;
        assert_true(high != high_before && low != low_before && span != span_before);
        high_before = high;
        low_before = low;
        span_before = span;
    }
    for (unsigned bit = 0; bit < 64; bit++)
        assert_true(is_even(ones[bit], IDS) && is_even(flips[bit], IDS) &&
                    is_even(differs[bit], IDS));
    assert_true(is_even(same_as_before, IDS));
    assert_in_range(longest_run, 2, 40);
    trace_queue_destroy(&queue);
}

static trace_record_t push_to(const char *user, const char *group, uint64_t first, uint64_t last)
{
    return (trace_record_t){.step = TRACE_PUSHED,
                            .user = name_of(user),
                            .group = name_of(group),
                            .sequence = first,
                            .last_sequence = last,
                            .count = last - first + 1};
}

static uint64_t told(trace_source_t *source, trace_record_t record)
{
    return trace_source_listen(source, &record);
}

static trace_record_t fan_out(const char *group, uint64_t members)
{
    return (trace_record_t){.step = TRACE_FANNED_OUT, .group = name_of(group), .count = members};
}

static void a_push_that_could_not_be_sent_is_told_as_dropped(void **state)
{
    (void)state;
    trace_queue_t *queue = trace_queue_new(16);
    trace_source_t source;
    trace_source_init(&source, queue);
    const uint64_t early = told(&source, push_to("bob", "tea", 1, 1));
    trace_source_publish(&source);
    trace_queue_pop(queue, 1);
    told(&source, push_to("ann", "tea", 3, 4));
    const uint64_t first = told(&source, push_to("bob", "tea", 3, 4));
    const uint64_t second = told(&source, push_to("bob", "tea", 5, 5));
    const uint64_t partial = told(&source, push_to("cid", "tea", 3, 4));
    trace_record_t obstacle = push_to("cid", "tea", 5, 5);
    obstacle.step = TRACE_PUSH_DROPPED;
    obstacle.reason = TRACE_REASON_WINDOW_FULL;
    told(&source, obstacle);
    const uint64_t tea = told(&source, fan_out("tea", 2));
    told(&source, push_to("bob", "milk", 9, 9));
    const uint64_t milk = told(&source, fan_out("milk", 1));
    /* Who can't be sent one part of it is a member less, who can't be sent two parts too. */
    trace_source_push_dropped(&source, first, TRACE_REASON_GONE);
    trace_source_push_dropped(&source, second, TRACE_REASON_GONE);
    trace_source_push_dropped(&source, partial, TRACE_REASON_QUEUE_FULL);
    trace_source_push_dropped(&source, tea, TRACE_REASON_GONE);      /* no push */
    trace_source_push_dropped(&source, milk + 1, TRACE_REASON_GONE); /* nothing */
    trace_source_push_dropped(&source, early, TRACE_REASON_GONE);    /* gone out already */
    trace_source_push_dropped(&source, 0, TRACE_REASON_GONE);
    trace_source_publish(&source);
    const struct {
        trace_step_t step;
        trace_reason_t reason;
        uint64_t first;
        uint64_t count;
    } expected[] = {
        {TRACE_PUSHED, TRACE_REASON_NONE, 3, 2},
        {TRACE_PUSH_DROPPED, TRACE_REASON_GONE, 3, 2},
        {TRACE_PUSH_DROPPED, TRACE_REASON_GONE, 5, 1},
        {TRACE_PUSH_DROPPED, TRACE_REASON_QUEUE_FULL, 3, 2},
        {TRACE_PUSH_DROPPED, TRACE_REASON_WINDOW_FULL, 5, 1},
        {TRACE_FANNED_OUT, TRACE_REASON_NONE, 0, 1},
        {TRACE_PUSHED, TRACE_REASON_NONE, 9, 1},
        {TRACE_FANNED_OUT, TRACE_REASON_NONE, 0, 1},
    };
    const size_t count = sizeof expected / sizeof expected[0];
    assert_int_equal(trace_queue_ready(queue), count);
    for (size_t i = 0; i < count; i++) {
        const trace_record_t *record = trace_queue_at(queue, i);
        assert_int_equal(record->step, expected[i].step);
        assert_int_equal(record->reason, expected[i].reason);
        assert_int_equal(record->sequence, expected[i].first);
        assert_int_equal(record->count, expected[i].count);
    }
    trace_source_wipe(&source);
    trace_queue_destroy(&queue);
}

/* With a full queue records are missing: no other group's fan-out is taken for the right one. */
static void a_dropped_push_without_its_fan_out_changes_no_other(void **state)
{
    (void)state;
    trace_queue_t *queue = trace_queue_new(4);
    trace_source_t source;
    trace_source_init(&source, queue);
    const trace_record_t other = {.step = TRACE_SESSION_OPENED};
    told(&source, other);
    told(&source, other);
    const uint64_t push = told(&source, push_to("bob", "tea", 3, 3));
    told(&source, fan_out("milk", 7));
    assert_int_equal(told(&source, fan_out("tea", 1)), 0); /* no room */
    trace_source_push_dropped(&source, push, TRACE_REASON_GONE);
    trace_source_publish(&source);
    assert_int_equal(trace_queue_at(queue, 2)->step, TRACE_PUSH_DROPPED);
    assert_int_equal(trace_queue_at(queue, 3)->count, 7);
    trace_source_wipe(&source);
    trace_queue_destroy(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_s_steps_share_ids_and_the_first_learns_from_the_answer),
        cmocka_unit_test(a_source_goes_on_when_the_queue_is_full),
        cmocka_unit_test(ids_look_random),
        cmocka_unit_test(a_push_that_could_not_be_sent_is_told_as_dropped),
        cmocka_unit_test(a_dropped_push_without_its_fan_out_changes_no_other),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
