/* SPDX-License-Identifier: MPL-2.0 */
/* What a tool gets that doesn't read, once it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "broker/operator/session.h"

enum { TRIES = 6000, TRY_MS = 10 };

static zsock_t *router;
static zsock_t *dealer; /* the tool */
static operator_session_t session;

static int setup(void **state)
{
    (void)state;
    static unsigned tests; /* libzmq frees an address some time later */
    char address[64];
    snprintf(address, sizeof address, "inproc://operator-session.%u", tests++);
    router = zsock_new(ZMQ_ROUTER);
    dealer = zsock_new(ZMQ_DEALER);
    zsock_set_router_mandatory(router, 1);
    zsock_set_sndhwm(router, 1);
    zsock_set_rcvhwm(dealer, 1);
    zsock_set_rcvtimeo(dealer, TRY_MS);
    assert_true(zsock_bind(router, "%s", address) >= 0);
    assert_int_equal(zsock_connect(dealer, "%s", address), 0);
    assert_int_equal(zsock_send(dealer, "s", "hello"), 0);
    zframe_t *id = NULL;
    char *hello = NULL;
    assert_int_equal(zsock_recv(router, "fs", &id, &hello), 0);
    session_start(&session, zsock_resolve(router), zframe_data(id), zframe_size(id));
    zframe_destroy(&id);
    free(hello);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    session_wipe(&session);
    zsock_destroy(&dealer);
    zsock_destroy(&router);
    return 0;
}

static session_health_t answer(uint64_t number)
{
    buffer_t frame = {0};
    buffer_u64(&frame, number);
    session_health_t health = session_send(&session, &frame, number);
    assert_null(frame.data); /* taken over */
    return health;
}

/* The number of the next answer, with as many tries as it takes. */
static uint64_t read_answer(void)
{
    zframe_t *frame = NULL;
    for (unsigned tries = 0; !frame && tries < TRIES; tries++) {
        assert_int_not_equal(session_go_on(&session, 0), SESSION_GONE);
        frame = zframe_recv(dealer);
    }
    assert_non_null(frame);
    assert_int_equal(zframe_size(frame), 8);
    uint64_t number = get_u64(zframe_data(frame));
    zframe_destroy(&frame);
    return number;
}

/* Until its way to the tool is full; how many have gone. */
static uint64_t fill(void)
{
    uint64_t sent = 0;
    while (answer(sent) == SESSION_FINE)
        assert_true(++sent < 10);
    assert_true(session_is_blocked(&session));
    return sent + 1; /* with the one that is kept */
}

static void answers_that_do_not_fit_come_later_and_in_order(void **state)
{
    (void)state;
    uint64_t asked = fill();
    for (size_t more = 1; more < SESSION_REPLIES_MAX; more++)
        assert_int_equal(answer(asked++), SESSION_BLOCKED);
    for (uint64_t number = 0; number < asked; number++)
        assert_int_equal(read_answer(), number);
    assert_false(session_is_blocked(&session));
    assert_int_not_equal(answer(asked), SESSION_GONE);
    assert_int_equal(read_answer(), asked);
}

static void who_asks_on_and_on_and_reads_nothing_is_let_go(void **state)
{
    (void)state;
    uint64_t asked = fill();
    for (size_t more = 1; more < SESSION_REPLIES_MAX; more++)
        assert_int_equal(answer(asked++), SESSION_BLOCKED);
    assert_int_equal(answer(asked), SESSION_GONE);
}

static void who_has_gone_is_found(void **state)
{
    (void)state;
    uint64_t asked = 1;
    assert_int_equal(answer(asked), SESSION_FINE);
    zsock_destroy(&dealer); /* which a thread of libzmq's does */
    session_health_t health = SESSION_FINE;
    for (unsigned tries = 0; health != SESSION_GONE && tries < TRIES; tries++) {
        zclock_sleep(TRY_MS);
        health = session_is_blocked(&session) ? session_go_on(&session, 0) : answer(++asked);
    }
    assert_int_equal(health, SESSION_GONE);
    assert_true(session.reply_count <= 1); /* it was not let go for asking too much */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_that_do_not_fit_come_later_and_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_asks_on_and_on_and_reads_nothing_is_let_go, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_has_gone_is_found, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
