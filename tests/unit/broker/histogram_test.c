/* SPDX-License-Identifier: MPL-2.0 */
/* Durations in buckets, and what they say of the whole. */
#include "broker/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_bounds_are_inclusive(void **state)
{
    histogram_t histogram = {0};
    histogram_counts_t counts;
    (void)state;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        assert_true(i == 0 || histogram_bounds_us[i] > histogram_bounds_us[i - 1]);
        histogram_observe(&histogram, histogram_bounds_us[i], 1);
        histogram_observe(&histogram, histogram_bounds_us[i] + 1, 10);
    }
    histogram_read(&histogram, &counts);
    assert_int_equal(counts.counts[0], 1);
    for (size_t i = 1; i < HISTOGRAM_BUCKETS; i++) {
        assert_int_equal(counts.counts[i], 11);
    }
    assert_int_equal(counts.counts[HISTOGRAM_BUCKETS], 10);
    assert_int_equal(counts.total, 11 * HISTOGRAM_BUCKETS);
}

static void test_readings_are_subtracted(void **state)
{
    histogram_t histogram = {0};
    histogram_counts_t before, now;
    (void)state;
    histogram_observe(&histogram, 30, 2);
    histogram_read(&histogram, &before);
    histogram_observe(&histogram, 30, 5);
    histogram_observe(&histogram, 700, 1);
    histogram_read(&histogram, &now);
    assert_int_equal(now.sum_us, 7 * 30 + 700);
    histogram_counts_t since = histogram_since(&now, &before);
    assert_int_equal(since.total, 6);
    assert_int_equal(since.sum_us, 5 * 30 + 700);
    assert_int_equal(since.counts[1], 5);
    since = histogram_since(&now, &now);
    assert_int_equal(since.total, 0);
    assert_int_equal(histogram_quantile_us(&since, 500), 0);
}

static void test_quantiles(void **state)
{
    histogram_t histogram = {0};
    histogram_counts_t counts;
    (void)state;
    histogram_observe(&histogram, 60, 90);  /* in 50..100 */
    histogram_observe(&histogram, 3000, 9); /* in 2500..5000 */
    histogram_observe(&histogram, 60000000, 1);
    histogram_read(&histogram, &counts);
    assert_int_equal(histogram_quantile_us(&counts, 1), 50);
    assert_int_equal(histogram_quantile_us(&counts, 450), 75);
    assert_int_equal(histogram_quantile_us(&counts, 900), 100);
    assert_int_equal(histogram_quantile_us(&counts, 990), 5000);
    assert_int_equal(histogram_quantile_us(&counts, 1000),
                     histogram_bounds_us[HISTOGRAM_BUCKETS - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_are_inclusive),
        cmocka_unit_test(test_readings_are_subtracted),
        cmocka_unit_test(test_quantiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
