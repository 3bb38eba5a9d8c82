/* SPDX-License-Identifier: MPL-2.0 */
/* A turn from its beginning to its end. */
#include "broker/rules/rules.h"

#include "broker/rules/cache.h"
#include "broker/rules/fanout.h"
#include "broker/rules/handlers.h"
#include "broker/rules/output.h"
#include "broker/rules/sessions.h"
#include "broker/rules/storage.h"
#include "broker/rules/sweep.h"
#include "broker/rules/trace_emit.h"
#include "proto/memory.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#ifndef CONCLAVE_VERSION
#define CONCLAVE_VERSION "0"
#endif

enum { SECOND_MS = 1000, DAY_MS = 24 * 60 * 60 * 1000 };

const char *const registration_names[] = {"open", "invite", "closed", NULL};

rules_config_t rules_config_default(const uint8_t broker_key[static KEY_BYTES])
{
    rules_config_t config = {
        .software = "conclaved " CONCLAVE_VERSION,
        .idle_ms = 10 * 60 * 1000,
        .probe_ms = POLL_PERIOD_DEFAULT_MS * 3 / 2, /* not for who polls */
        .absolute_ms = DAY_MS,
        .retention_ms = 30 * (uint64_t)DAY_MS,
        .sweep_period_ms = 60 * 1000,
        .cursor_flush_period_ms = 5000,
        .full_probe_ms = 1000,
        .peers_max = 100000,
        .output_max_bytes = 1024 * 1024,
        .cached_groups_max = 65536,
        .cached_members_max = 16384,
        .pending_joins_max = PENDING_JOINS_MAX,
        .groups_per_user_max = GROUPS_PER_USER_MAX,
        .register_all = {.burst = 5000, .per_minute = 30000},
        .challenge_connection = {.burst = 20, .per_minute = 60},
        .membership_user = {.burst = 128, .per_minute = 60},
    };
    memcpy(config.broker_key, broker_key, KEY_BYTES);
    return config;
}

rules_t *rules_new(store_t *store, const rules_config_t *config)
{
    rules_t *self = mem_zalloc(1, sizeof *self);
    self->config = *config;
    self->store = store;
    self->overlay = overlay_new(store);
    store_unit_init(&self->unit);
    self->peers = table_new();
    self->sessions = table_new();
    self->users = table_new();
    self->groups = table_new();
    self->members = table_new();
    self->rates = table_new();
    return self;
}

void rules_destroy(rules_t **self_pointer)
{
    rules_t *self = *self_pointer;
    if (!self)
        return;
    self->config.listen = NULL; /* this is no turn, and nobody's session ends but the broker's */
    output_begin(self);
    sessions_free_all(self);
    fanout_clear(self);
    cache_reset(self);
    while (table_count(self->rates) > 0)
        drop_oldest_rate(self);
    table_destroy(&self->peers);
    table_destroy(&self->sessions);
    table_destroy(&self->users);
    table_destroy(&self->groups);
    table_destroy(&self->members);
    table_destroy(&self->rates);
    pointers_free(&self->dirty_groups);
    pointers_free(&self->appended_groups);
    pointers_free(&self->dirty_cursors);
    pointers_free(&self->touched_peers);
    pointers_free(&self->gone_peers);
    pointers_free(&self->lent);
    free(self->tentative);
    free(self->nudges);
    buffer_free(&self->scratch);
    store_unit_wipe(&self->unit);
    overlay_destroy(&self->overlay);
    free(self);
    *self_pointer = NULL;
}

static status_t write_info(rules_t *self, const store_key_t *key)
{
    store_info_t info;
    buffer_t value = {0};
    status_t outcome;
    randombytes_buf(info.incarnation, sizeof info.incarnation);
    store_info_write(&info, &value);
    store_unit_clear(&self->unit);
    store_unit_expect(&self->unit, key->bytes, key->size, 0);
    store_unit_put(&self->unit, key->bytes, key->size, value.data, value.size);
    status_t status = store_write(self->store, &self->unit, 1, &outcome);
    store_unit_clear(&self->unit);
    buffer_free(&value);
    memcpy(self->incarnation, info.incarnation, INCARNATION_BYTES);
    return status == STATUS_OK ? outcome : status;
}

status_t rules_open(rules_t *self)
{
    store_key_t key = key_of_kind(KEY_STORE);
    uint8_t *value;
    size_t size;
    store_info_t info;
    status_t status = store_get(self->store, key.bytes, key.size, &value, &size, NULL);
    if (status == STATUS_NOT_FOUND)
        return write_info(self, &key);
    if (status != STATUS_OK)
        return status;
    if (!store_info_read(&info, (bytes_t){value, size}))
        status = size > 0 && value[0] > RECORD_FORMAT ? STATUS_NEWER_FORMAT : STATUS_STORE_FAILED;
    else
        memcpy(self->incarnation, info.incarnation, INCARNATION_BYTES);
    free(value);
    return status;
}

void rules_set_registration(rules_t *self, registration_mode_t mode)
{
    self->config.registration = mode;
}

void rules_end_sessions(rules_t *self, const name_t *user)
{
    sessions_end_user(self, user, STATUS_NOT_LOGGED_IN);
}

const uint8_t *rules_incarnation(const rules_t *self)
{
    return self->incarnation;
}

void rules_return_lent(rules_t *self)
{
    for (size_t i = 0; i < self->lent.count; i++)
        free(self->lent.items[i]);
    self->lent.count = 0;
}

void rules_begin(rules_t *self, uint64_t now_ms, uint64_t mono_ms)
{
    output_begin(self);
    sessions_begin(self);
    cache_trim(self);
    self->now_ms = now_ms;
    self->mono_ms = mono_ms;
    self->turn++;
    self->counters.turns++;
}

void rules_receive(rules_t *self, const rules_peer_t *address, bytes_t frame)
{
    message_t message = {0};
    peer_t *peer = session_peer(self, address);
    if (!peer) {
        self->counters.answered[0][STATUS_TOO_MANY]++;
        return;
    }
    if (frame.size == 0 || frame.size > FRAME_MAX_BYTES) {
        dispatch(self, peer, &message, frame.size,
                 frame.size == 0 ? STATUS_MALFORMED : STATUS_TOO_LARGE);
        return;
    }
    for (unsigned i = 0; frame.size > 0; i++) {
        if (i == FRAME_MAX_MESSAGES) {
            message = (message_t){0};
            dispatch(self, peer, &message, frame.size, STATUS_TOO_MANY);
            return;
        }
        size_t before = frame.size;
        status_t status = message_read(&message, &frame, 1u << MESSAGE_REQUEST);
        if (status == STATUS_NOT_FOUND)
            return;
        dispatch(self, peer, &message, before - frame.size, status);
        message_wipe(&message);
        if (status != STATUS_OK)
            return;
    }
}

void rules_tick(rules_t *self)
{
    self->is_upkeep = !rules_turn_writes(self);
    if (self->mono_ms >= self->next_second_ms) {
        self->next_second_ms = self->mono_ms + SECOND_MS;
        sessions_expire(self);
        sweep_hold_times(self);
        self->probes_due = true;
    }
    /* On a full disk too: what was read by all, and is known to be, makes room. */
    if (self->mono_ms >= self->next_flush_ms) {
        self->next_flush_ms = self->mono_ms + self->config.cursor_flush_period_ms;
        sweep_flush_cursors(self);
    }
    if (self->mono_ms >= self->next_sweep_ms) {
        sweep_step(self);
        if (!self->sweep_begun)
            self->next_sweep_ms = self->mono_ms + self->config.sweep_period_ms;
    }
    rules_return_lent(self);
}

uint64_t rules_next_tick(const rules_t *self)
{
    uint64_t next = self->next_second_ms;
    if (self->next_flush_ms < next)
        next = self->next_flush_ms;
    return next;
}

size_t rules_write_bytes(const rules_t *self)
{
    return overlay_size_bytes(self->overlay);
}

void rules_set_lifetimes(rules_t *self, uint64_t idle_ms, uint64_t retention_ms)
{
    self->config.idle_ms = idle_ms;
    self->config.retention_ms = retention_ms;
}

void rules_drain(rules_t *self)
{
    self->draining = true;
    self->next_flush_ms = 0;
}

/* Heads are written once a turn, each expecting the version it was read with. */
static void put_heads(rules_t *self)
{
    for (size_t i = 0; i < self->dirty_groups.count; i++) {
        group_t *group = self->dirty_groups.items[i];
        store_key_t key = key_of_group(KEY_HEAD, group->id);
        head_write(&group->head, &self->scratch);
        if (overlay_expect(self->overlay, key.bytes, key.size, group->version) != STATUS_OK)
            self->turn_failed = true;
        put_scratch(self, &key);
        group->version++;
        group->dirty = false;
    }
    self->dirty_groups.count = 0;
}

size_t rules_prepare(rules_t *self, const store_unit_t **units)
{
    put_heads(self);
    self->wrote = !overlay_is_empty(self->overlay) && !self->turn_failed;
    self->counters.reads_failed += self->turn_failed;
    store_unit_clear(&self->unit);
    if (self->wrote)
        overlay_take_unit(self->overlay, &self->unit);
    self->unit.is_upkeep = self->is_upkeep;
    *units = &self->unit;
    return self->wrote ? 1 : 0;
}

void rules_reset_caches(rules_t *self)
{
    overlay_clear(self->overlay);
    fanout_clear(self);
    cache_reset(self);
}

static void finish_failed(rules_t *self, status_t outcome)
{
    if (outcome == STATUS_STORE_FULL) {
        sessions_end_opened(self, true);
        output_refuse_tentative(self, outcome);
        self->full_until_ms = self->mono_ms + self->config.full_probe_ms;
    } else {
        sessions_end_opened(self, false);
        output_drop_all(self);
    }
    rules_reset_caches(self);
}

static void count_living(rules_t *self)
{
    self->counters.peers = table_count(self->peers);
    self->counters.users_online = table_count(self->users);
    self->counters.groups_cached = table_count(self->groups);
    self->counters.members_cached = table_count(self->members);
}

void rules_finish(rules_t *self, status_t outcome)
{
    if (self->turn_failed)
        outcome = STATUS_CONFLICT;
    if (self->wrote || outcome != STATUS_OK)
        trace_stored(self, outcome, overlay_size_bytes(self->overlay));
    if (outcome == STATUS_OK) {
        bool there_is_room = self->wrote && store_unit_needs_room(&self->unit);
        self->full_until_ms = there_is_room ? 0 : self->full_until_ms;
        fanout_push_all(self);
        fanout_clear(self);
        overlay_clear(self->overlay);
        if (self->probes_due)
            sessions_probe(self);
        self->probes_due = false;
    } else {
        finish_failed(self, outcome);
    }
    self->wrote = self->is_upkeep = false;
    self->turn_failed = false;
    count_living(self);
}

static const name_t *peer_user(const peer_t *peer)
{
    static const name_t nobody;
    const session_t *session = peer->session;
    return session && session->user ? &session->user->name : &nobody;
}

bool rules_next_output(rules_t *self, rules_output_t *out)
{
    for (; self->output_peer < self->touched_peers.count; self->output_peer++) {
        const peer_t *peer = self->touched_peers.items[self->output_peer];
        const output_t *output = &peer->output;
        while (!peer->gone && self->output_cut < output->cut_count) {
            const frame_cut_t *cut = &output->cuts[self->output_cut++];
            size_t start = self->output_cut > 1 ? cut[-1].end : 0;
            size_t told = self->output_cut > 1 ? cut[-1].told_end : 0;
            if (cut->end == start)
                continue;
            *out = (rules_output_t){.peer = &peer->address,
                                    .frame = {output->bytes.data + start, cut->end - start},
                                    .user = peer_user(peer),
                                    .replies = cut->replies,
                                    .pushes = cut->pushes,
                                    .told = output->told ? output->told + told : NULL,
                                    .told_count = cut->told_end - told};
            return true;
        }
        self->output_cut = 0;
    }
    return false;
}

void rules_peer_gone(rules_t *self, const uint8_t *id, size_t id_size)
{
    peer_t *peer = id_size <= ROUTING_ID_MAX_BYTES ? table_find(self->peers, id, id_size) : NULL;
    if (peer)
        session_peer_gone(self, peer);
}

void rules_listen(rules_t *self, trace_listen_t *listen, void *context)
{
    self->config.listen = listen;
    self->config.listen_context = context;
}

const rules_counters_t *rules_counters(const rules_t *self)
{
    return &self->counters;
}
