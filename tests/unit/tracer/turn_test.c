/* SPDX-License-Identifier: MPL-2.0 */
/* Which steps belong together, also when some are missing. */
#include "broker/tracer/turn.h"

#include "broker/rules/trace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* request: what its span id is made of; 0: the step is of none. */
static trace_record_t step_of(trace_step_t step, uint64_t turn, uint8_t request)
{
    return (trace_record_t){.step = step, .turn = turn, .span_id = {[SPAN_ID_BYTES - 1] = request}};
}

static bool take(turn_t *self, trace_step_t step, uint8_t request)
{
    const trace_record_t record = step_of(step, 1, request);
    return turn_take(self, &record);
}

static void test_a_request_with_its_steps(void **state)
{
    turn_t turn = {0};
    (void)state;
    assert_false(turn_is_waiting(&turn));
    assert_true(take(&turn, TRACE_RECEIVED, 1));
    assert_true(turn_is_waiting(&turn));
    assert_true(take(&turn, TRACE_FETCHED, 1));
    assert_true(take(&turn, TRACE_ACCEPTED, 1));
    assert_false(turn_is_waiting(&turn));
    assert_true(take(&turn, TRACE_APPENDED, 1)); /* comes behind the answer */
    assert_false(take(&turn, TRACE_STORED, 0));
    assert_false(take(&turn, TRACE_PUSHED, 0));
}

static void test_one_request_after_the_other(void **state)
{
    turn_t turn = {0};
    (void)state;
    assert_true(take(&turn, TRACE_RECEIVED, 1));
    assert_true(take(&turn, TRACE_REFUSED, 1));
    assert_true(take(&turn, TRACE_RECEIVED, 2));
    assert_true(turn_is_waiting(&turn));
    assert_false(take(&turn, TRACE_ACCEPTED, 1));
    assert_true(turn_is_waiting(&turn));
    assert_true(take(&turn, TRACE_ACCEPTED, 2));
    assert_false(take(&turn, TRACE_ACCEPTED, 2)); /* a second answer */
    assert_false(take(&turn, TRACE_REFUSED, 2));
}

static void test_a_lost_beginning(void **state)
{
    turn_t turn = {0};
    (void)state;
    assert_false(take(&turn, TRACE_ACCEPTED, 1));
    assert_false(take(&turn, TRACE_APPENDED, 1));
    assert_true(take(&turn, TRACE_RECEIVED, 2));
    assert_false(take(&turn, TRACE_ACCEPTED, 3));
    assert_false(take(&turn, TRACE_APPENDED, 3));
    assert_true(turn_is_waiting(&turn));
}

static void test_a_lost_answer(void **state)
{
    turn_t turn = {0};
    (void)state;
    assert_true(take(&turn, TRACE_RECEIVED, 1));
    assert_true(take(&turn, TRACE_RECEIVED, 2));
    assert_true(take(&turn, TRACE_ACCEPTED, 2));
    assert_false(turn_is_waiting(&turn));
}

/* What is of no request belongs to none, whatever was received. */
static void test_no_id_is_no_request(void **state)
{
    turn_t turn = {0};
    (void)state;
    assert_true(take(&turn, TRACE_RECEIVED, 0));
    assert_false(take(&turn, TRACE_PUSHED, 0));
    assert_false(take(&turn, TRACE_ACCEPTED, 0));
}

static void test_turns(void **state)
{
    turn_t turn = {0};
    const trace_record_t first = step_of(TRACE_RECEIVED, 7, 1),
                         answer = step_of(TRACE_ACCEPTED, 7, 1),
                         outside = step_of(TRACE_HANDSHAKE_FAILED, 0, 0),
                         other = step_of(TRACE_SESSION_ENDED, 9, 0);
    (void)state;
    assert_true(turn_is_next(&turn, &first));
    assert_true(turn_take(&turn, &first));
    assert_false(turn_is_next(&turn, &answer));
    assert_false(turn_is_next(&turn, &outside));
    assert_false(turn_take(&turn, &outside)); /* and leaves the turn as it is */
    assert_false(turn_is_next(&turn, &answer));
    assert_true(turn_is_next(&turn, &other));
    turn_end(&turn);
    assert_false(turn_is_waiting(&turn));
    assert_false(turn_take(&turn, &answer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_with_its_steps),
        cmocka_unit_test(test_one_request_after_the_other),
        cmocka_unit_test(test_a_lost_beginning),
        cmocka_unit_test(test_a_lost_answer),
        cmocka_unit_test(test_no_id_is_no_request),
        cmocka_unit_test(test_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
