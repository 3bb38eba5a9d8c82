/* SPDX-License-Identifier: MPL-2.0 */
/* From the router's thread to listeners: queue, source, filter, hub. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>
#include <poll.h>
#include <stdatomic.h>
#include <pthread.h>
#include <sodium.h>

#include "broker/trace/hub.h"
#include "broker/trace/names.h"
#include "proto/memory.h"

enum { PATIENCE_MS = 20000 };

static name_t name_of(const char *text)
{
    name_t name;
    assert_int_equal(name_parse(&name, text), STATUS_OK);
    return name;
}

/* --- The queue ------------------------------------------------------------------------------- */

static void a_full_queue_drops_and_counts(void **state)
{
    (void)state;
    trace_queue_t *queue = trace_queue_new(4);
    for (uint64_t i = 0; i < 4; i++)
        trace_queue_slot(queue)->sequence = i;
    assert_null(trace_queue_slot(queue));
    assert_null(trace_queue_slot(queue));
    assert_int_equal(trace_queue_dropped(queue), 2);
    assert_int_equal(trace_queue_ready(queue), 0); /* nothing is published yet */
    trace_queue_publish(queue);
    assert_int_equal(trace_queue_ready(queue), 4);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(trace_queue_at(queue, i)->sequence, i);
    trace_queue_pop(queue, 3);
    for (uint64_t i = 4; i < 7; i++)
        trace_queue_slot(queue)->sequence = i;
    assert_null(trace_queue_slot(queue));
    trace_queue_publish(queue);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(trace_queue_at(queue, i)->sequence, i + 3);
    trace_queue_destroy(&queue);
    assert_null(queue);
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    return poll(&item, 1, timeout_ms) == 1;
}

static void only_a_sleeper_is_woken(void **state)
{
    (void)state;
    trace_queue_t *queue = trace_queue_new(4);
    trace_queue_slot(queue)->sequence = 1;
    trace_queue_publish(queue);
    assert_false(is_readable(trace_queue_fd(queue), 0));
    assert_false(trace_queue_sleeps(queue)); /* there is something already */
    trace_queue_pop(queue, 1);
    assert_true(trace_queue_sleeps(queue));
    trace_queue_slot(queue)->sequence = 2;
    trace_queue_publish(queue);
    assert_true(is_readable(trace_queue_fd(queue), 0));
    trace_queue_wakes(queue);
    assert_false(is_readable(trace_queue_fd(queue), 0));
    trace_queue_destroy(&queue);
}

/* One thread puts as fast as it can, another takes and sleeps in between: nothing is lost, doubled
 * or out of order but what was dropped, and no wake-up is missed. */
enum { RACED = 100000 };

static void *put_many(void *argument)
{
    trace_queue_t *queue = argument;
    for (uint64_t i = 1; i <= RACED; i++) {
        trace_record_t *slot = trace_queue_slot(queue);
        if (slot)
            slot->sequence = i;
        if (i % 3 == 0 || i == RACED)
            trace_queue_publish(queue);
    }
    return NULL;
}

static void two_threads_lose_nothing_unnoticed(void **state)
{
    (void)state;
    trace_queue_t *queue = trace_queue_new(64);
    pthread_t thread;
    uint64_t seen = 0, last = 0;
    assert_int_equal(pthread_create(&thread, NULL, put_many, queue), 0);
    while (seen + trace_queue_dropped(queue) < RACED) {
        if (trace_queue_sleeps(queue) && !is_readable(trace_queue_fd(queue), PATIENCE_MS))
            fail_msg("a wake-up was missed");
        trace_queue_wakes(queue);
        size_t count = trace_queue_ready(queue);
        for (size_t i = 0; i < count && seen + trace_queue_dropped(queue) < RACED; i++) {
            uint64_t sequence = trace_queue_at(queue, i)->sequence;
            assert_true(sequence > last);
            last = sequence;
            seen++;
        }
        trace_queue_pop(queue, count);
    }
    pthread_join(thread, NULL);
    assert_true(seen > 0);
    trace_queue_destroy(&queue);
}

/* --- The source ------------------------------------------------------------------------------ */

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

/* Tells of so many records behind `told`, no more at once than who takes them at once loses none of. */
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
        cmocka_unit_test(a_full_queue_drops_and_counts),
        cmocka_unit_test(only_a_sleeper_is_woken),
        cmocka_unit_test(two_threads_lose_nothing_unnoticed),
        cmocka_unit_test(a_request_s_steps_share_ids_and_the_first_learns_from_the_answer),
        cmocka_unit_test(a_source_goes_on_when_the_queue_is_full),
        cmocka_unit_test(ids_look_random),
        cmocka_unit_test(a_push_that_could_not_be_sent_is_told_as_dropped),
        cmocka_unit_test(a_dropped_push_without_its_fan_out_changes_no_other),
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
