/* SPDX-License-Identifier: MPL-2.0 */
/* Each clock against the system's, in its unit. */
#include "broker/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static uint64_t seconds(clockid_t clock)
{
    struct timespec now;
    assert_int_equal(clock_gettime(clock, &now), 0);
    return (uint64_t)now.tv_sec;
}

/* Between two readings of the system's, however much later the second one is. */
#define ASSERT_IS_NOW(read_seconds, clock)                                                         \
    do {                                                                                           \
        const uint64_t before = seconds(clock);                                                    \
        const uint64_t found = (uint64_t)(read_seconds);                                           \
        assert_in_range(found, before, seconds(clock));                                            \
    } while (0)

static void test_units(void **state)
{
    (void)state;
    ASSERT_IS_NOW(wall_clock_us() / 1000000, CLOCK_REALTIME);
    ASSERT_IS_NOW(wall_clock_ms() / 1000, CLOCK_REALTIME);
    ASSERT_IS_NOW(monotonic_clock_us() / 1000000, CLOCK_MONOTONIC);
    ASSERT_IS_NOW(monotonic_clock_ms() / 1000, CLOCK_MONOTONIC);
    ASSERT_IS_NOW(boot_clock_ms() / 1000, CLOCK_BOOTTIME);
}

/* Less than a second is told too. */
static void test_goes_on_within_a_second(void **state)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    const uint64_t before = seconds(CLOCK_MONOTONIC);
    const uint64_t from_us = monotonic_clock_us();
    const int64_t from_ms = monotonic_clock_ms();
    (void)state;
    nanosleep(&pause, NULL);
    const int64_t passed_ms = monotonic_clock_ms() - from_ms;
    const uint64_t passed_us = monotonic_clock_us() - from_us;
    const uint64_t most_seconds = seconds(CLOCK_MONOTONIC) - before + 1;
    assert_in_range(passed_us, 20000, most_seconds * 1000000);
    assert_in_range(passed_ms, 19, most_seconds * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_goes_on_within_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
