/* SPDX-License-Identifier: MPL-2.0 */
/* From one thread to another without a lock: what is full, who is woken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "broker/trace/queue.h"

enum { PATIENCE_MS = 20000 };

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_drops_and_counts),
        cmocka_unit_test(only_a_sleeper_is_woken),
        cmocka_unit_test(two_threads_lose_nothing_unnoticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
