/* SPDX-License-Identifier: MPL-2.0 */
/* The loop around a core, with a core that does as the test says: order of effects, failures,
 * deadlines, links, checkpoints, threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/actors/actor.h"
#include "client/home/clock.h"
#include "proto/memory.h"
#include "tests/unit/client/fake_broker.h"

static uint8_t secret[KEY_BYTES];

/* What core and vault saw, in order: one letter each. Read by the test, written by the actor. */
typedef struct {
    _Atomic size_t count;
    _Atomic char letters[4096];
    atomic_bool write_fails;
    atomic_int checkpoints;
} trace_t;

static void note(trace_t *trace, char letter)
{
    size_t at = atomic_load(&trace->count);
    if (at < sizeof trace->letters - 1) {
        atomic_store(&trace->letters[at], letter);
        atomic_store(&trace->count, at + 1);
    }
}

static char *trace_text(trace_t *trace)
{
    static char text[4096];
    size_t count = atomic_load(&trace->count);
    for (size_t i = 0; i < count; i++)
        text[i] = atomic_load(&trace->letters[i]);
    text[count] = '\0';
    return text;
}

static bool wait_for_trace(trace_t *trace, const char *wanted)
{
    for (int i = 0; i < 500; i++) {
        if (strcmp(trace_text(trace), wanted) == 0)
            return true;
        clock_sleep_ms(10);
    }
    print_message("trace is %s, not %s\n", trace_text(trace), wanted);
    return false;
}

/* A vault that only notes what is done with it. */
typedef struct {
    vault_t base;
    trace_t *trace;
} noting_vault_t;

static status_t vault_apply_noted(vault_t *base, const writes_t *writes)
{
    trace_t *trace = ((noting_vault_t *)(void *)base)->trace;
    (void)writes;
    note(trace, 'W');
    return atomic_load(&trace->write_fails) ? STATUS_IO_ERROR : STATUS_OK;
}

static status_t vault_checkpoint_noted(vault_t *base)
{
    atomic_fetch_add(&((noting_vault_t *)(void *)base)->trace->checkpoints, 1);
    return STATUS_OK;
}

static void vault_destroy_noted(vault_t *base)
{
    note(((noting_vault_t *)(void *)base)->trace, 'V');
    free(base);
}

static const vault_ops_t noting_vault_ops = {.apply = vault_apply_noted,
                                             .checkpoint = vault_checkpoint_noted,
                                             .destroy = vault_destroy_noted};

static vault_t *noting_vault(trace_t *trace)
{
    noting_vault_t *self = mem_zalloc(1, sizeof *self);
    self->base.ops = &noting_vault_ops;
    self->trace = trace;
    return &self->base;
}

/* A core that is driven by screen requests: each byte of one is an instruction. */
typedef struct {
    core_t base;
    trace_t *trace;
    uint64_t deadline_ms;
    uint64_t period_ms;
} script_core_t;

static script_core_t *of(core_t *base)
{
    return (script_core_t *)(void *)base;
}

static void add_frame(frames_t *frames, uint64_t screen, const char *string)
{
    frames->items = mem_realloc(frames->items, frames->count + 1, sizeof *frames->items);
    frames->items[frames->count].screen = screen;
    frames->items[frames->count].bytes = (buffer_t){0};
    buffer_append(&frames->items[frames->count].bytes, string, strlen(string));
    frames->count++;
}

static void add_write(effects_t *effects, bool erases)
{
    bytes_t key = {(const uint8_t *)"k", 1};
    writes_put(&effects->writes, key, key);
    effects->writes.erases_keys |= erases;
}

static void script_request(core_t *base, moment_t now, uint64_t screen, bytes_t frame,
                           effects_t *effects)
{
    script_core_t *self = of(base);
    for (size_t i = 0; i < frame.size; i++) {
        switch (frame.data[i]) {
        case 'w':
            add_write(effects, false);
            break;
        case 'e':
            add_write(effects, true);
            break;
        case 's':
            add_frame(&effects->screens, screen, "screen");
            break;
        case 'm':
            add_frame(&effects->mail, 0, "mail");
            break;
        case 'f':
            add_frame(&effects->frames, 0, "frame");
            break;
        case 'o':
            effects->link = LINK_OPEN;
            break;
        case 'c':
            effects->link = LINK_CLOSE;
            break;
        case 't':
            self->deadline_ms = now.boot_ms + self->period_ms;
            break;
        case 'x':
            effects->fatal = STATUS_DAMAGED_FILE;
            snprintf(effects->fatal_reason, sizeof effects->fatal_reason, "broken");
            break;
        default:
            break;
        }
    }
    note(self->trace, 'r');
}

static void script_start(core_t *base, moment_t now, effects_t *effects)
{
    (void)now;
    (void)effects;
    note(of(base)->trace, '.');
}

static void script_link(core_t *base, moment_t now, link_event_t event, const uint8_t *key,
                        effects_t *effects)
{
    (void)now;
    static const char letters[] = {
        [LINK_UP] = 'U', [LINK_CONNECTED] = 'C', [LINK_DOWN] = 'D', [LINK_WRONG_BROKER] = 'X'};
    assert_true((event == LINK_UP) == (key != NULL));
    note(of(base)->trace, letters[event]);
    if (event == LINK_CONNECTED)
        add_frame(&effects->frames, 0, "connected");
}

static void script_frame(core_t *base, moment_t now, bytes_t frame, effects_t *effects)
{
    (void)now;
    (void)frame;
    (void)effects;
    note(of(base)->trace, 'F');
}

static void script_mail(core_t *base, moment_t now, bytes_t parcel, effects_t *effects)
{
    (void)now;
    (void)parcel;
    (void)effects;
    note(of(base)->trace, 'M');
}

static void script_gone(core_t *base, moment_t now, uint64_t screen, effects_t *effects)
{
    (void)now;
    (void)screen;
    (void)effects;
    note(of(base)->trace, 'G');
}

static void script_time(core_t *base, moment_t now, effects_t *effects)
{
    (void)effects;
    script_core_t *self = of(base);
    assert_true(now.boot_ms >= self->deadline_ms);
    assert_true(now.wall_ms > 1500000000000);
    self->deadline_ms = UINT64_MAX;
    note(self->trace, 'T');
}

static uint64_t script_deadline(const core_t *base)
{
    return ((const script_core_t *)(const void *)base)->deadline_ms;
}

static void script_destroy(core_t *base)
{
    note(of(base)->trace, 'Z');
    free(base);
}

static const core_ops_t script_ops = {
    .start = script_start,
    .link = script_link,
    .frame = script_frame,
    .mail = script_mail,
    .request = script_request,
    .screen_gone = script_gone,
    .time = script_time,
    .deadline = script_deadline,
    .destroy = script_destroy,
};

typedef struct {
    trace_t trace;
    mailbox_t *peer, *peer_end;
    mailbox_t *screens, *screens_end;
    actor_t *actor;
} stage_t;

static void stage_open(stage_t *self, const endpoint_t *broker)
{
    memset(self, 0, sizeof *self);
    mailbox_pair_new(&self->peer, &self->peer_end);
    mailbox_pair_new(&self->screens, &self->screens_end);
    script_core_t *core = mem_zalloc(1, sizeof *core);
    core->base.ops = &script_ops;
    core->trace = &self->trace;
    core->deadline_ms = UINT64_MAX;
    core->period_ms = 100;
    actor_config_t config = {.core = &core->base,
                             .vault = noting_vault(&self->trace),
                             .checkpoint_period_ms = 100,
                             .peer = self->peer_end,
                             .screens = self->screens_end};
    if (broker)
        config.broker = *broker;
    else
        config.broker = (endpoint_t){.host = "127.0.0.1", .port = 1, .has_key = true, .key = {1}};
    assert_int_equal(actor_new(&self->actor, &config), STATUS_OK);
}

static void stage_close(stage_t *self)
{
    actor_destroy(&self->actor);
    mailbox_destroy(&self->peer);
    mailbox_destroy(&self->peer_end);
    mailbox_destroy(&self->screens);
    mailbox_destroy(&self->screens_end);
}

static void instruct(stage_t *self, const char *script)
{
    buffer_t bytes = {0};
    buffer_append(&bytes, script, strlen(script));
    parcel_t *parcel = parcel_new(PARCEL_SCREEN, &bytes);
    parcel->screen = 5;
    assert_int_equal(mailbox_send(self->screens, &parcel), STATUS_OK);
}

/* The next mail within 5 s, or NULL. */
static parcel_t *take(mailbox_t *box)
{
    for (int i = 0; i < 500; i++) {
        parcel_t *parcel = mailbox_receive(box);
        if (parcel)
            return parcel;
        clock_sleep_ms(10);
    }
    return NULL;
}

static void assert_mail(mailbox_t *box, parcel_kind_t kind, const char *content)
{
    parcel_t *parcel = take(box);
    assert_non_null(parcel);
    assert_int_equal(parcel->kind, kind);
    assert_int_equal(parcel->bytes.size, strlen(content));
    assert_memory_equal(parcel->bytes.data, content, parcel->bytes.size);
    if (kind == PARCEL_SCREEN)
        assert_int_equal(parcel->screen, 5);
    parcel_destroy(&parcel);
}

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
    assert_true(took >= 100 && took < 1000);
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
    for (int i = 0; i < 10; i++)
        instruct(&stage, "e");
    clock_sleep_ms(400);
    assert_int_equal(atomic_load(&stage.trace.checkpoints), 1);
    actor_destroy(&stage.actor);
    assert_int_equal(atomic_load(&stage.trace.checkpoints), 2); /* and one at the end */
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
    for (int turn = 0; turn < 2000 && (got_screens < 5000 || got_mail < 5000); turn++) {
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
