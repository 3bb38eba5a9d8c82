/* SPDX-License-Identifier: MPL-2.0 */
/* What sequences of monitor events mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include <cmocka.h>

#include "client/actors/link_watch.h"

enum { NONE = -1 };

/* Feeds one event; the reported link event or NONE. */
static int feed(link_watch_t *watch, unsigned event, uint64_t now_ms)
{
    link_event_t out;
    return link_watch_event(watch, event, now_ms, &out) ? (int)out : NONE;
}

static void a_good_connection_is_told_up_and_down(void **state)
{
    (void)state;
    link_watch_t watch = {0};
    assert_int_equal(feed(&watch, ZMQ_EVENT_CONNECT_DELAYED, 1), NONE);
    assert_int_equal(feed(&watch, ZMQ_EVENT_CONNECTED, 2), NONE);
    assert_int_equal(feed(&watch, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 3), LINK_CONNECTED);
    assert_int_equal(feed(&watch, ZMQ_EVENT_DISCONNECTED, 9), LINK_DOWN);
    assert_int_equal(feed(&watch, ZMQ_EVENT_CONNECT_RETRIED, 9), NONE);
    assert_int_equal(feed(&watch, ZMQ_EVENT_CONNECTED, 10), NONE);
    assert_int_equal(feed(&watch, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 11), LINK_CONNECTED);
}

static void a_dead_broker_is_told_down_once(void **state)
{
    (void)state;
    link_watch_t watch = {0};
    assert_int_equal(feed(&watch, ZMQ_EVENT_CONNECT_DELAYED, 1), NONE);
    assert_int_equal(feed(&watch, ZMQ_EVENT_CLOSED, 2), LINK_DOWN);
    for (uint64_t i = 3; i < 10; i++) {
        assert_int_equal(feed(&watch, ZMQ_EVENT_CONNECT_RETRIED, i), NONE);
        assert_int_equal(feed(&watch, ZMQ_EVENT_CLOSED, i), NONE);
    }
    link_watch_reopen(&watch);
    assert_int_equal(feed(&watch, ZMQ_EVENT_CLOSED, 20), LINK_DOWN);
}

static void two_refusals_in_a_row_are_a_wrong_broker(void **state)
{
    (void)state;
    link_watch_t watch = {0};
    feed(&watch, ZMQ_EVENT_CONNECTED, 1);
    assert_int_equal(feed(&watch, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, 2), NONE);
    assert_int_equal(feed(&watch, ZMQ_EVENT_DISCONNECTED, 2), NONE);
    feed(&watch, ZMQ_EVENT_CONNECT_RETRIED, 2);
    feed(&watch, ZMQ_EVENT_CONNECTED, 100);
    assert_int_equal(feed(&watch, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, 101), LINK_WRONG_BROKER);
    link_watch_reopen(&watch); /* known already */
    feed(&watch, ZMQ_EVENT_CONNECTED, 200);
    assert_int_equal(feed(&watch, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, 201), LINK_WRONG_BROKER);
    feed(&watch, ZMQ_EVENT_CONNECTED, 300);
    assert_int_equal(feed(&watch, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 301), LINK_CONNECTED);
    assert_int_equal(watch.refusals, 0);
}

static void a_server_without_curve_is_a_wrong_broker_at_once(void **state)
{
    (void)state;
    link_watch_t watch = {0};
    feed(&watch, ZMQ_EVENT_CONNECTED, 1);
    assert_int_equal(feed(&watch, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, 2), LINK_WRONG_BROKER);
}

static void a_broker_that_dies_in_a_handshake_is_down(void **state)
{
    (void)state;
    link_watch_t watch = {0};
    feed(&watch, ZMQ_EVENT_CONNECTED, 1);
    assert_int_equal(feed(&watch, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, 2), NONE);
    assert_int_equal(feed(&watch, ZMQ_EVENT_DISCONNECTED, 2), NONE);
    assert_int_equal(feed(&watch, ZMQ_EVENT_CLOSED, 100), LINK_DOWN);
    feed(&watch, ZMQ_EVENT_CONNECTED, 200);
    assert_int_equal(feed(&watch, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, 201), NONE);
}

static void a_stalled_handshake_is_down_and_no_refusal(void **state)
{
    (void)state;
    link_watch_t watch = {0};
    for (uint64_t start = 1; start < 100000; start += 20000) {
        feed(&watch, ZMQ_EVENT_CONNECTED, start);
        int told = feed(&watch, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, start + LINK_HANDSHAKE_MS);
        assert_int_equal(told, start == 1 ? LINK_DOWN : NONE);
    }
}

static void a_name_that_does_not_resolve_is_down(void **state)
{
    (void)state;
    link_watch_t watch = {0};
    assert_int_equal(feed(&watch, ZMQ_EVENT_CONNECT_RETRIED, 1), NONE);
    assert_int_equal(feed(&watch, ZMQ_EVENT_CONNECT_RETRIED, 2), LINK_DOWN);
    assert_int_equal(feed(&watch, ZMQ_EVENT_CONNECT_RETRIED, 3), NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_connection_is_told_up_and_down),
        cmocka_unit_test(a_dead_broker_is_told_down_once),
        cmocka_unit_test(two_refusals_in_a_row_are_a_wrong_broker),
        cmocka_unit_test(a_server_without_curve_is_a_wrong_broker_at_once),
        cmocka_unit_test(a_broker_that_dies_in_a_handshake_is_down),
        cmocka_unit_test(a_stalled_handshake_is_down_and_no_refusal),
        cmocka_unit_test(a_name_that_does_not_resolve_is_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
