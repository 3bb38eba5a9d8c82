/* SPDX-License-Identifier: MPL-2.0 */
/* The loop around a core, with a core that does as the test says: order of effects, failures,
 * deadlines, links, checkpoints, threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "client/home/clock.h"
#include "tests/unit/client/actor_stage.h"
#include "tests/unit/client/fake_broker.h"

static uint8_t secret[KEY_BYTES];

static void every_input_reaches_the_core(void **state)
{
    (void)state;
    stage_t stage;
    stage_open(&stage, NULL);
    assert_true(wait_for_trace(&stage.trace,
                               ".")); /* started before the constructor returned, or soon after */
    instruct(&stage, "wsm");
    assert_mail(stage.screens, PARCEL_SCREEN, "screen");
    assert_mail(stage.peer, PARCEL_CORE, "mail");
    assert_string_equal(trace_text(&stage.trace), ".rW");
    parcel_t *parcel = parcel_new(PARCEL_CORE, NULL);
    assert_int_equal(mailbox_send(stage.peer, &parcel), STATUS_OK);
    assert_true(wait_for_trace(&stage.trace, ".rWM"));
    parcel = parcel_new(PARCEL_SCREEN_GONE, NULL);
    assert_int_equal(mailbox_send(stage.screens, &parcel), STATUS_OK);
    assert_true(wait_for_trace(&stage.trace, ".rWMG"));
    actor_destroy(&stage.actor);
    assert_string_equal(trace_text(&stage.trace), ".rWMGZV");
    stage_close(&stage);
}

static void a_failing_write_stops_everything(void **state)
{
    (void)state;
    fake_broker_t broker;
    fake_broker_open(&broker, 0, secret);
    stage_t stage;
    stage_open(&stage, &broker.endpoint);
    instruct(&stage, "o");
    buffer_t frame = {0};
    assert_true(fake_broker_receive(&broker, &frame)); /* "connected" */
    atomic_store(&stage.trace.write_fails, true);
    instruct(&stage, "wsmf");
    parcel_t *parcel = take(stage.screens);
    assert_non_null(parcel);
    assert_int_equal(parcel->kind, PARCEL_FAILED); /* and not the screen's frame */
    assert_int_equal(parcel->status, STATUS_IO_ERROR);
    assert_true(parcel->bytes.size > 10);
    parcel_destroy(&parcel);
    atomic_store(&stage.trace.write_fails, false);
    instruct(&stage, "wsmf"); /* no further step either */
    clock_sleep_ms(200);
    assert_null(mailbox_receive(stage.screens));
    assert_null(mailbox_receive(stage.peer));
    zsock_set_rcvtimeo(broker.router, 100);
    assert_false(fake_broker_receive(&broker, &frame));
    assert_string_equal(trace_text(&stage.trace), ".rUCrW");
    buffer_free(&frame);
    stage_close(&stage);
    fake_broker_close(&broker);
}

static void a_core_that_gives_up_is_carried_out_and_told(void **state)
{
    (void)state;
    stage_t stage;
    stage_open(&stage, NULL);
    instruct(&stage, "wsx");
    assert_mail(stage.screens, PARCEL_SCREEN, "screen");
    parcel_t *parcel = take(stage.screens);
    assert_non_null(parcel);
    assert_int_equal(parcel->status, STATUS_DAMAGED_FILE);
    assert_int_equal(parcel->bytes.size, 6);
    assert_memory_equal(parcel->bytes.data, "broken", 6);
    parcel_destroy(&parcel);
    stage_close(&stage);
}

static void a_peer_that_gave_up_takes_the_other_along(void **state)
{
    (void)state;
    stage_t stage;
    stage_open(&stage, NULL);
    parcel_t *parcel = parcel_new(PARCEL_FAILED, NULL);
    parcel->status = STATUS_NEWER_FORMAT;
    buffer_append(&parcel->bytes, "why", 3);
    assert_int_equal(mailbox_send(stage.peer, &parcel), STATUS_OK);
    parcel = take(stage.screens);
    assert_non_null(parcel);
    assert_int_equal(parcel->kind, PARCEL_FAILED);
    assert_int_equal(parcel->status, STATUS_NEWER_FORMAT);
    assert_memory_equal(parcel->bytes.data, "why", 3);
    parcel_destroy(&parcel);
    stage_close(&stage);
}

static void links_open_carry_frames_and_close(void **state)
{
    (void)state;
    fake_broker_t broker;
    fake_broker_open(&broker, 0, secret);
    stage_t stage;
    stage_open(&stage, &broker.endpoint);
    instruct(&stage, "of"); /* a frame of the same step goes to the new socket */
    buffer_t frame = {0};
    assert_true(fake_broker_receive(&broker, &frame));
    assert_memory_equal(frame.data, "frame", 5);
    assert_true(fake_broker_receive(&broker, &frame));
    assert_memory_equal(frame.data, "connected", 9);
    fake_broker_send(&broker, "hello", 5);
    assert_true(wait_for_trace(&stage.trace, ".rUCF"));
    instruct(&stage, "o");
    assert_true(fake_broker_receive(&broker, &frame));
    assert_true(wait_for_trace(&stage.trace, ".rUCFrUC"));
    instruct(&stage, "cf"); /* frames for a closed link are lost, as on a broken one */
    assert_true(wait_for_trace(&stage.trace, ".rUCFrUCr"));
    fake_broker_close(&broker);
    clock_sleep_ms(200);
    assert_string_equal(trace_text(&stage.trace), ".rUCFrUCr");
    instruct(&stage, "o");
    assert_true(wait_for_trace(&stage.trace, ".rUCFrUCrrUD"));
    buffer_free(&frame);
    stage_close(&stage);
}

static void a_broker_that_does_not_read_is_down(void **state)
{
    (void)state;
    stage_t stage;
    stage_open(&stage, NULL);
    char script[320] = "o";
    memset(script + 1, 'f', sizeof script - 2);
    instruct(&stage, script);
    assert_true(wait_for_trace(&stage.trace, ".rD"));
    stage_close(&stage);
}

static void deadlines_are_kept(void **state)
{
    (void)state;
    stage_t stage;
    stage_open(&stage, NULL);
    uint64_t start = clock_boot_ms();
    instruct(&stage, "t");
    assert_true(wait_for_trace(&stage.trace, ".rT"));
    uint64_t took = clock_boot_ms() - start;
    assert_true(took >= 100);
    stage_close(&stage);
}

static void erased_keys_lead_to_one_checkpoint_a_period(void **state)
{
    (void)state;
    stage_t stage;
    stage_open(&stage, NULL);
    instruct(&stage, "w");
    clock_sleep_ms(250);
    assert_int_equal(atomic_load(&stage.trace.checkpoints), 0);
    uint64_t start = clock_boot_ms();
    for (int i = 0; i < 10; i++)
        instruct(&stage, "e");
    assert_true(wait_for_trace(&stage.trace, ".rWrWrWrWrWrWrWrWrWrWrW"));
    uint64_t periods = (clock_boot_ms() - start) / 100; /* 0, unless something stood still */
    for (int i = 0; i < PATIENCE_TURNS && !atomic_load(&stage.trace.checkpoints); i++)
        clock_sleep_ms(10);
    clock_sleep_ms(300);
    int count = atomic_load(&stage.trace.checkpoints);
    assert_in_range(count, 1, 1 + periods);
    actor_destroy(&stage.actor);
    assert_int_equal(atomic_load(&stage.trace.checkpoints), count + 1); /* and one at the end */
    stage_close(&stage);
}

static void much_mail_both_ways_arrives(void **state)
{
    (void)state;
    stage_t stage;
    stage_open(&stage, NULL);
    int got_screens = 0, got_mail = 0;
    for (int i = 0; i < 5000; i++)
        instruct(&stage, "sm");
    for (int turn = 0; turn < 12000 && (got_screens < 5000 || got_mail < 5000); turn++) {
        parcel_t *parcel;
        mailbox_flush(stage.screens);
        while ((parcel = mailbox_receive(stage.screens)) != NULL) {
            got_screens++;
            parcel_destroy(&parcel);
        }
        while ((parcel = mailbox_receive(stage.peer)) != NULL) {
            got_mail++;
            parcel_destroy(&parcel);
        }
        clock_sleep_ms(5);
    }
    assert_int_equal(got_screens, 5000);
    assert_int_equal(got_mail, 5000);
    stage_close(&stage);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    zsys_handler_set(NULL);
    randombytes_buf(secret, sizeof secret);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_input_reaches_the_core),
        cmocka_unit_test(a_failing_write_stops_everything),
        cmocka_unit_test(a_core_that_gives_up_is_carried_out_and_told),
        cmocka_unit_test(a_peer_that_gave_up_takes_the_other_along),
        cmocka_unit_test(links_open_carry_frames_and_close),
        cmocka_unit_test(a_broker_that_does_not_read_is_down),
        cmocka_unit_test(deadlines_are_kept),
        cmocka_unit_test(erased_keys_lead_to_one_checkpoint_a_period),
        cmocka_unit_test(much_mail_both_ways_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
