/* SPDX-License-Identifier: MPL-2.0 */
/* For tests of the cores: one core under test, the test being its broker, its other core and its
 * screen. */
#ifndef CONCLAVE_TESTS_UNIT_CLIENT_CORE_PEER_H
#define CONCLAVE_TESTS_UNIT_CLIENT_CORE_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/core.h"
#include "client/core/vault_memory.h"
#include "client/core/vault_rows.h"
#include "client/keys/identity.h"
#include "client/local/local.h"
#include "proto/memory.h"
#include "proto/message.h"

typedef struct {
    core_t *core;
    vault_t *vault;
    identity_t *identity;
    moment_t now;
    link_action_t link; /* the last one asked for */
    frames_t frames, mail, screens;
    status_t fatal;
    trace_context_t trace; /* of what its screen asks for */
    uint8_t incarnation[INCARNATION_BYTES]; /* of the broker, as hello says it */
    status_t (*make)(core_t **, const core_config_t *, const struct identity *, vault_t *);
} peer_t;

static inline identity_t *peer_identity(const char *name)
{
    name_t parsed;
    assert_int_equal(name_parse(&parsed, name), STATUS_OK);
    return identity_new(&parsed);
}

static inline void peer_move(frames_t *to, frames_t *from)
{
    for (size_t i = 0; i < from->count; i++)
        frames_add(to, from->items[i].screen, &from->items[i].bytes);
}

static inline void peer_take(peer_t *self, effects_t *effects)
{
    assert_int_equal(vault_apply(self->vault, &effects->writes), STATUS_OK);
    if (effects->link != LINK_KEEP) {
        self->link = effects->link;
        frames_wipe(&self->frames);
    }
    if (effects->fatal)
        self->fatal = effects->fatal;
    peer_move(&self->frames, &effects->frames);
    peer_move(&self->mail, &effects->mail);
    peer_move(&self->screens, &effects->screens);
    effects_wipe(effects);
}

static inline void peer_start(peer_t *self)
{
    core_config_t config = {.poll_period_ms = 1000, .call_deadline_ms = 5000};
    assert_int_equal(self->make(&self->core, &config, self->identity, self->vault), STATUS_OK);
    effects_t effects = {0};
    self->core->ops->start(self->core, self->now, &effects);
    peer_take(self, &effects);
}

static inline void peer_link(peer_t *self, link_event_t event)
{
    static const uint8_t key[KEY_BYTES] = {7};
    effects_t effects = {0};
    self->core->ops->link(self->core, self->now, event, key, &effects);
    peer_take(self, &effects);
}

static inline void peer_time(peer_t *self, uint64_t ms)
{
    self->now.boot_ms += ms;
    self->now.wall_ms += ms;
    effects_t effects = {0};
    self->core->ops->time(self->core, self->now, &effects);
    peer_take(self, &effects);
}

static inline void peer_frame(peer_t *self, const buffer_t *frame)
{
    effects_t effects = {0};
    self->core->ops->frame(self->core, self->now, buffer_view(frame), &effects);
    peer_take(self, &effects);
}

static inline void frames_remove(frames_t *self, size_t at)
{
    buffer_wipe(&self->items[at].bytes);
    self->count--;
    memmove(&self->items[at], &self->items[at + 1], (self->count - at) * sizeof *self->items);
}

/* The oldest unanswered request of that verb, taken out: its id; 0 if there is none. out (views
 * into *frame) may be NULL; wipe and free both. */
static inline uint64_t peer_asked(peer_t *self, verb_t verb, message_t *out, buffer_t *frame)
{
    for (size_t i = 0; i < self->frames.count; i++) {
        message_t message = {0};
        bytes_t bytes = buffer_view(&self->frames.items[i].bytes);
        assert_int_equal(message_read(&message, &bytes, 1u << MESSAGE_REQUEST), STATUS_OK);
        uint64_t id = message.id;
        if (message.verb != verb) {
            message_wipe(&message);
            continue;
        }
        if (out) {
            *out = message;
            *frame = self->frames.items[i].bytes;
            self->frames.items[i].bytes = (buffer_t){0};
        } else {
            message_wipe(&message);
        }
        frames_remove(&self->frames, i);
        return id;
    }
    return 0;
}

static inline void peer_reply(peer_t *self, verb_t verb, uint64_t id, status_t status,
                              const void *body)
{
    buffer_t frame = {0};
    message_write_reply(&frame, verb, id, status, body);
    peer_frame(self, &frame);
    buffer_free(&frame);
}

/* Answers the open request of that verb; fails the test if there is none. */
static inline void peer_answer(peer_t *self, verb_t verb, status_t status, const void *body)
{
    uint64_t id = peer_asked(self, verb, NULL, NULL);
    assert_int_not_equal(id, 0);
    peer_reply(self, verb, id, status, body);
}

static inline void peer_login(peer_t *self)
{
    hello_reply_t hello = {.version = 1, .frame_max_bytes = FRAME_MAX_BYTES};
    memcpy(hello.incarnation, self->incarnation, INCARNATION_BYTES);
    peer_link(self, LINK_UP);
    peer_link(self, LINK_CONNECTED);
    peer_answer(self, VERB_hello, STATUS_OK, &hello);
    peer_answer(self, VERB_challenge, STATUS_OK, &(challenge_reply_t){.challenge = {1}});
    peer_answer(self, VERB_login, STATUS_OK, &(login_reply_t){.token = {2}});
}

static inline void peer_request(peer_t *self, local_verb_t verb, uint64_t id, const void *body)
{
    buffer_t frame = {0};
    local_write_request(&frame, verb, id, &self->trace, body);
    effects_t effects = {0};
    self->core->ops->request(self->core, self->now, 1, buffer_view(&frame), &effects);
    peer_take(self, &effects);
    buffer_free(&frame);
}

/* The oldest frame to the screen of that kind and verb, taken out; false if there is none. Wipe the
 * message, free the frame. */
static inline bool peer_shown(peer_t *self, message_kind_t kind, local_verb_t verb,
                              local_message_t *out, buffer_t *frame)
{
    for (size_t i = 0; i < self->screens.count; i++) {
        bytes_t bytes = buffer_view(&self->screens.items[i].bytes);
        *out = (local_message_t){0};
        assert_int_equal(local_message_read(out, bytes, 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH),
                         STATUS_OK);
        if (out->kind == kind && out->verb == verb) {
            *frame = self->screens.items[i].bytes;
            self->screens.items[i].bytes = (buffer_t){0};
            frames_remove(&self->screens, i);
            return true;
        }
        local_message_wipe(out);
    }
    return false;
}

/* The status of a reply to the screen; INVALID if there is none. */
static inline status_t peer_told(peer_t *self, local_verb_t verb)
{
    local_message_t message;
    buffer_t frame;
    if (!peer_shown(self, MESSAGE_REPLY, verb, &message, &frame))
        return STATUS_INVALID;
    status_t status = message.status;
    local_message_wipe(&message);
    buffer_free(&frame);
    return status;
}

static inline bool peer_count_row(void *context, bytes_t key, bytes_t value)
{
    (void)key;
    (void)value;
    ++*(size_t *)context;
    return true;
}

/* How many rows of a kind the vault holds. */
static inline size_t peer_rows(peer_t *self, row_kind_t kind)
{
    row_key_t prefix = row_key(kind);
    size_t count = 0;
    assert_int_equal(vault_range(self->vault, row_key_view(&prefix), (bytes_t){0}, false,
                                 peer_count_row, &count),
                     STATUS_OK);
    return count;
}

static inline void peer_stop(peer_t *self)
{
    core_destroy(&self->core);
    frames_wipe(&self->frames);
    frames_wipe(&self->mail);
    frames_wipe(&self->screens);
}

static inline void peer_wipe(peer_t *self)
{
    peer_stop(self);
    vault_destroy(&self->vault);
    identity_destroy(&self->identity);
}

#endif
