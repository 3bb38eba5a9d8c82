/* SPDX-License-Identifier: MPL-2.0 */
/* A drain ends by being done, at its limit, or by another signal. */
#include "broker/process/drain_guard.h"
#include "broker/process/signals.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_MS 600000

static int signal_fd;

typedef struct {
    atomic_int calls;
    drain_end_t end;
    int told[2]; /* a pipe: a byte when `over` is called */
} seen_t;

static void note_over(void *context, drain_end_t end)
{
    seen_t *self = context;
    self->end = end;
    atomic_fetch_add(&self->calls, 1);
    assert_int_equal(write(self->told[1], "", 1), 1);
}

static void seen_open(seen_t *self)
{
    *self = (seen_t){0};
    assert_int_equal(pipe(self->told), 0);
}

static void seen_wait(seen_t *self)
{
    char byte;
    assert_int_equal(read(self->told[0], &byte, 1), 1);
}

static void seen_close(seen_t *self)
{
    close(self->told[0]);
    close(self->told[1]);
}

static void done_in_time(void **state)
{
    seen_t seen;
    (void)state;
    seen_open(&seen);
    drain_guard_t *guard = drain_guard_new(signal_fd, LONG_MS, note_over, &seen);
    assert_non_null(guard);
    drain_guard_destroy(&guard);
    assert_null(guard);
    assert_int_equal(atomic_load(&seen.calls), 0);
    drain_guard_destroy(&guard);
    seen_close(&seen);
}

static void the_limit_ends_it(void **state)
{
    seen_t seen;
    (void)state;
    seen_open(&seen);
    drain_guard_t *guard = drain_guard_new(signal_fd, 1, note_over, &seen);
    seen_wait(&seen);
    assert_int_equal(seen.end, DRAIN_LIMIT);
    drain_guard_destroy(&guard);
    assert_int_equal(atomic_load(&seen.calls), 1);
    seen_close(&seen);
}

static void another_signal_ends_it(void **state)
{
    const int kinds[] = {SIGTERM, SIGINT};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        seen_t seen;
        seen_open(&seen);
        drain_guard_t *guard = drain_guard_new(signal_fd, LONG_MS, note_over, &seen);
        /* Signals that mean something else do not. */
        assert_int_equal(kill(getpid(), SIGHUP), 0);
        assert_int_equal(kill(getpid(), SIGUSR1), 0);
        assert_int_equal(kill(getpid(), kinds[i]), 0);
        seen_wait(&seen);
        assert_int_equal(seen.end, DRAIN_SIGNAL);
        drain_guard_destroy(&guard);
        assert_int_equal(atomic_load(&seen.calls), 1);
        seen_close(&seen);
        while (signals_read(signal_fd) != SIGNAL_NONE) {
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(done_in_time),
        cmocka_unit_test(the_limit_ends_it),
        cmocka_unit_test(another_signal_ends_it),
    };
    if (signals_open(&signal_fd) != STATUS_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
