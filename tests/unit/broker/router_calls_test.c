/* SPDX-License-Identifier: MPL-2.0 */
/* What other threads have done in the router's thread, by a thread that plays the router. */
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

#include "broker/router/router_calls.h"

enum { LONG_MS = 60000, CALLERS = 8, CALLS = 500 };

typedef struct {
    router_calls_t *calls;
    atomic_bool is_over;
    pthread_t thread;
} stage_t;

static void *play_router(void *argument)
{
    stage_t *self = argument;
    while (!self->is_over) {
        struct pollfd item = {.fd = router_calls_fd(self->calls), .events = POLLIN};
        if (poll(&item, 1, 20) == 1)
            router_calls_serve(self->calls, NULL, NULL);
    }
    router_calls_close(self->calls);
    return NULL;
}

static status_t add_one(void *context, rules_t *rules, store_t *store)
{
    int *count = context; /* of one thread only: the router's */
    assert_null(rules);
    assert_null(store);
    return ++*count % 2 == 0 ? STATUS_OK : STATUS_NOT_FOUND;
}

static void *call_often(void *argument)
{
    static int shared;
    stage_t *self = argument;
    uintptr_t answered = 0;
    for (int i = 0; i < CALLS; i++) {
        status_t status = router_calls_do(self->calls, add_one, &shared, LONG_MS);
        answered += status == STATUS_OK || status == STATUS_NOT_FOUND;
    }
    return (void *)answered;
}

static void each_call_is_carried_out_once_in_one_thread(void **state)
{
    (void)state;
    stage_t stage = {.calls = router_calls_new()};
    pthread_t callers[CALLERS];
    void *answered;
    assert_int_equal(pthread_create(&stage.thread, NULL, play_router, &stage), 0);
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, call_often, &stage), 0);
    for (size_t i = 0; i < CALLERS; i++) {
        pthread_join(callers[i], &answered);
        assert_int_equal((uintptr_t)answered, CALLS);
    }
    int count = 0;
    assert_int_equal(router_calls_do(stage.calls, add_one, &count, LONG_MS), STATUS_NOT_FOUND);
    assert_int_equal(count, 1);
    stage.is_over = true;
    pthread_join(stage.thread, NULL);
    assert_int_equal(router_calls_do(stage.calls, add_one, &count, LONG_MS), STATUS_DRAINING);
    assert_int_equal(count, 1);
    router_calls_destroy(&stage.calls);
}

static void a_call_that_nobody_comes_to_is_taken_back(void **state)
{
    (void)state;
    int count = 0;
    router_calls_t *calls = router_calls_new();
    assert_int_equal(router_calls_do(calls, add_one, &count, 10), STATUS_TIMED_OUT);
    router_calls_serve(calls, NULL, NULL);
    assert_int_equal(count, 0);
    router_calls_destroy(&calls);
}

typedef struct {
    router_calls_t *calls;
    int count;
    status_t status;
} caller_t;

static void *call_once(void *argument)
{
    caller_t *self = argument;
    self->status = router_calls_do(self->calls, add_one, &self->count, LONG_MS);
    return NULL;
}

static void the_end_answers_those_who_wait(void **state)
{
    (void)state;
    caller_t caller = {.calls = router_calls_new()};
    pthread_t thread;
    struct pollfd item = {.fd = router_calls_fd(caller.calls), .events = POLLIN};
    assert_int_equal(pthread_create(&thread, NULL, call_once, &caller), 0);
    assert_int_equal(poll(&item, 1, LONG_MS), 1);
    router_calls_close(caller.calls);
    pthread_join(thread, NULL);
    assert_int_equal(caller.status, STATUS_DRAINING);
    assert_int_equal(caller.count, 0);
    router_calls_destroy(&caller.calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_is_carried_out_once_in_one_thread),
        cmocka_unit_test(a_call_that_nobody_comes_to_is_taken_back),
        cmocka_unit_test(the_end_answers_those_who_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
