/* SPDX-License-Identifier: MPL-2.0 */
/* An actor on a stage: a core that does as the test says, a vault that notes what is done with it,
 * and the other ends of the actor's mailboxes. */
#ifndef CONCLAVE_TESTS_UNIT_CLIENT_ACTOR_STAGE_H
#define CONCLAVE_TESTS_UNIT_CLIENT_ACTOR_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/actors/actor.h"
#include "client/home/clock.h"
#include "proto/memory.h"

/* What core and vault saw, in order: one letter each. Read by the test, written by the actor. */
typedef struct {
    _Atomic size_t count;
    _Atomic char letters[4096];
    atomic_bool write_fails;
    atomic_int checkpoints;
} trace_t;

static inline void note(trace_t *trace, char letter)
{
    size_t at = atomic_load(&trace->count);
    if (at < sizeof trace->letters - 1) {
        atomic_store(&trace->letters[at], letter);
        atomic_store(&trace->count, at + 1);
    }
}

static inline char *trace_text(trace_t *trace)
{
    static char text[4096];
    size_t count = atomic_load(&trace->count);
    for (size_t i = 0; i < count; i++)
        text[i] = atomic_load(&trace->letters[i]);
    text[count] = '\0';
    return text;
}

/* Of 10 ms each: as long as a slow machine may take under valgrind. */
enum { PATIENCE_TURNS = 2000 };

static inline bool wait_for_trace(trace_t *trace, const char *wanted)
{
    for (int i = 0; i < PATIENCE_TURNS; i++) {
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

static inline status_t vault_apply_noted(vault_t *base, const writes_t *writes)
{
    trace_t *trace = ((noting_vault_t *)(void *)base)->trace;
    (void)writes;
    note(trace, 'W');
    return atomic_load(&trace->write_fails) ? STATUS_IO_ERROR : STATUS_OK;
}

static inline status_t vault_checkpoint_noted(vault_t *base)
{
    atomic_fetch_add(&((noting_vault_t *)(void *)base)->trace->checkpoints, 1);
    return STATUS_OK;
}

static inline void vault_destroy_noted(vault_t *base)
{
    note(((noting_vault_t *)(void *)base)->trace, 'V');
    free(base);
}

static const vault_ops_t noting_vault_ops = {.apply = vault_apply_noted,
                                             .checkpoint = vault_checkpoint_noted,
                                             .destroy = vault_destroy_noted};

static inline vault_t *noting_vault(trace_t *trace)
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

static inline script_core_t *of(core_t *base)
{
    return (script_core_t *)(void *)base;
}

static inline void add_frame(frames_t *frames, uint64_t screen, const char *string)
{
    frames->items = mem_realloc(frames->items, frames->count + 1, sizeof *frames->items);
    frames->items[frames->count].screen = screen;
    frames->items[frames->count].bytes = (buffer_t){0};
    buffer_append(&frames->items[frames->count].bytes, string, strlen(string));
    frames->count++;
}

static inline void add_write(effects_t *effects, bool erases)
{
    bytes_t key = {(const uint8_t *)"k", 1};
    writes_put(&effects->writes, key, key);
    effects->writes.erases_keys |= erases;
}

static inline void script_request(core_t *base, moment_t now, uint64_t screen, bytes_t frame,
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

static inline void script_start(core_t *base, moment_t now, effects_t *effects)
{
    (void)now;
    (void)effects;
    note(of(base)->trace, '.');
}

static inline void script_link(core_t *base, moment_t now, link_event_t event, const uint8_t *key,
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

static inline void script_frame(core_t *base, moment_t now, bytes_t frame, effects_t *effects)
{
    (void)now;
    (void)frame;
    (void)effects;
    note(of(base)->trace, 'F');
}

static inline void script_mail(core_t *base, moment_t now, bytes_t parcel, effects_t *effects)
{
    (void)now;
    (void)parcel;
    (void)effects;
    note(of(base)->trace, 'M');
}

static inline void script_gone(core_t *base, moment_t now, uint64_t screen, effects_t *effects)
{
    (void)now;
    (void)screen;
    (void)effects;
    note(of(base)->trace, 'G');
}

static inline void script_time(core_t *base, moment_t now, effects_t *effects)
{
    (void)effects;
    script_core_t *self = of(base);
    assert_true(now.boot_ms >= self->deadline_ms);
    assert_true(now.wall_ms > 1500000000000);
    self->deadline_ms = UINT64_MAX;
    note(self->trace, 'T');
}

static inline uint64_t script_deadline(const core_t *base)
{
    return ((const script_core_t *)(const void *)base)->deadline_ms;
}

static inline void script_destroy(core_t *base)
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

static inline void stage_open(stage_t *self, const endpoint_t *broker)
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

static inline void stage_close(stage_t *self)
{
    actor_destroy(&self->actor);
    mailbox_destroy(&self->peer);
    mailbox_destroy(&self->peer_end);
    mailbox_destroy(&self->screens);
    mailbox_destroy(&self->screens_end);
}

static inline void instruct(stage_t *self, const char *script)
{
    buffer_t bytes = {0};
    buffer_append(&bytes, script, strlen(script));
    parcel_t *parcel = parcel_new(PARCEL_SCREEN, &bytes);
    parcel->screen = 5;
    assert_int_equal(mailbox_send(self->screens, &parcel), STATUS_OK);
}

/* The next mail, or NULL if it takes too long. */
static inline parcel_t *take(mailbox_t *box)
{
    for (int i = 0; i < PATIENCE_TURNS; i++) {
        parcel_t *parcel = mailbox_receive(box);
        if (parcel)
            return parcel;
        clock_sleep_ms(10);
    }
    return NULL;
}

static inline void assert_mail(mailbox_t *box, parcel_kind_t kind, const char *content)
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

#endif
