/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Stand-ins for the real cores. The member's answers each request whose verb is whoami with its own
 * text, counts them in its vault, asks the admin's first when the verb is pending, and gives up
 * when it is unregister.
 */
#ifndef CONCLAVE_TESTS_UNIT_CLIENT_ECHO_CORE_H
#define CONCLAVE_TESTS_UNIT_CLIENT_ECHO_CORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/core/core.h"
#include "client/local/local.h"
#include "proto/memory.h"

typedef struct {
    core_t base;
    vault_t *vault;
    uint64_t asked_by;
    char home[64];
} echo_core_t;

static inline echo_core_t *of(core_t *base)
{
    return (echo_core_t *)(void *)base;
}

static inline void add(frames_t *frames, uint64_t screen, buffer_t *bytes)
{
    frames->items = mem_realloc(frames->items, frames->count + 1, sizeof *frames->items);
    frames->items[frames->count].screen = screen;
    frames->items[frames->count++].bytes = *bytes;
    *bytes = (buffer_t){0};
}

static inline void reply(frames_t *frames, uint64_t screen, local_verb_t verb, uint64_t id,
                         const void *body)
{
    buffer_t bytes = {0};
    local_write_reply(&bytes, verb, id, STATUS_OK, body);
    add(frames, screen, &bytes);
}

static inline uint64_t count_one(echo_core_t *self, effects_t *effects)
{
    static const uint8_t name[] = "count";
    bytes_t key = {name, sizeof name};
    buffer_t old = {0};
    uint64_t count = 0;
    if (vault_get(self->vault, key, &old) == STATUS_OK)
        count = get_u64(old.data);
    buffer_free(&old);
    uint8_t value[8];
    put_u64(value, ++count);
    writes_put(&effects->writes, key, (bytes_t){value, sizeof value});
    return count;
}

static inline void echo_request(core_t *base, moment_t now, uint64_t screen, bytes_t frame,
                                effects_t *effects)
{
    (void)now;
    echo_core_t *self = of(base);
    local_message_t message;
    if (local_message_read(&message, frame, 1u << MESSAGE_REQUEST) != STATUS_OK)
        return;
    if (message.verb == LOCAL_VERB_whoami) {
        local_whoami_reply_t body = {.words = {self->home, strlen(self->home)}};
        count_one(self, effects);
        reply(&effects->screens, screen, LOCAL_VERB_whoami, message.id, &body);
    } else if (message.verb == LOCAL_VERB_status) {
        local_status_reply_t body = {.outbox = count_one(self, effects)};
        reply(&effects->screens, screen, LOCAL_VERB_status, message.id, &body);
    } else if (message.verb == LOCAL_VERB_pending) {
        self->asked_by = screen;
        buffer_t mail = {0};
        buffer_u64(&mail, message.id);
        add(&effects->mail, 0, &mail);
    } else if (message.verb == LOCAL_VERB_unregister) {
        effects->fatal = STATUS_DAMAGED_FILE;
        snprintf(effects->fatal_reason, sizeof effects->fatal_reason, "told to");
    }
    local_message_wipe(&message);
}

static inline void member_mail(core_t *base, moment_t now, bytes_t mail, effects_t *effects)
{
    (void)now;
    reply(&effects->screens, of(base)->asked_by, LOCAL_VERB_pending, get_u64(mail.data), NULL);
}

static inline void admin_mail(core_t *base, moment_t now, bytes_t mail, effects_t *effects)
{
    (void)base;
    (void)now;
    buffer_t back = {0};
    buffer_append(&back, mail.data, mail.size);
    add(&effects->mail, 0, &back);
}

static inline void echo_start(core_t *base, moment_t now, effects_t *effects)
{
    (void)base;
    (void)now;
    effects->link = LINK_OPEN;
}

static inline void echo_link(core_t *base, moment_t now, link_event_t event, const uint8_t *key,
                             effects_t *effects)
{
    (void)base;
    (void)now;
    (void)event;
    (void)key;
    (void)effects;
}

static inline void echo_frame(core_t *base, moment_t now, bytes_t frame, effects_t *effects)
{
    (void)base;
    (void)now;
    (void)frame;
    (void)effects;
}

static inline void echo_gone(core_t *base, moment_t now, uint64_t screen, effects_t *effects)
{
    (void)base;
    (void)now;
    (void)screen;
    (void)effects;
}

static inline void echo_time(core_t *base, moment_t now, effects_t *effects)
{
    (void)base;
    (void)now;
    (void)effects;
}

static inline uint64_t echo_deadline(const core_t *base)
{
    (void)base;
    return UINT64_MAX;
}

static inline void echo_destroy(core_t *base)
{
    free(base);
}

static const core_ops_t member_ops = {echo_start,  echo_link,     echo_frame,
                                      member_mail, echo_request,  echo_gone,
                                      echo_time,   echo_deadline, echo_destroy};
static const core_ops_t admin_ops = {echo_start, echo_link, echo_frame,    admin_mail,  NULL,
                                     echo_gone,  echo_time, echo_deadline, echo_destroy};

static inline status_t echo_new(core_t **out, const core_ops_t *ops, const core_config_t *config,
                                vault_t *vault)
{
    assert_true(config->poll_period_ms >= POLL_PERIOD_MIN_MS);
    assert_int_equal(config->pid, getpid());
    echo_core_t *self = mem_zalloc(1, sizeof *self);
    self->base.ops = ops;
    self->vault = vault;
    snprintf(self->home, sizeof self->home, "%s", config->holder);
    *out = &self->base;
    return STATUS_OK;
}

status_t member_core_new(core_t **out, const core_config_t *config, const struct identity *identity,
                         vault_t *vault)
{
    assert_non_null(identity);
    return echo_new(out, &member_ops, config, vault);
}

status_t admin_core_new(core_t **out, const core_config_t *config, const struct identity *identity,
                        vault_t *vault)
{
    assert_non_null(identity);
    return echo_new(out, &admin_ops, config, vault);
}

#endif
