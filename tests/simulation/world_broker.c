/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's side of the world: turns, and its own crashes. */
#include <stdio.h>
#include <string.h>

#include "broker/rules/restores.h"
#include "broker/rules/users.h"
#include "broker/store/store_memory.h"
#include "client/core/admin.h"
#include "client/core/member.h"
#include "proto/message.h"
#include "proto/statement.h"
#include "tests/simulation/world.h"

#define FULL_MS      5000 /* the disk is full at most so long, times the pace */
#define WALL_STEP_MS 86400000

static node_t *node_named(world_t *self, const name_t *name)
{
    for (size_t i = 0; i < self->options.clients; i++)
        if (name_equal(&self->nodes[i].name, name))
            return &self->nodes[i];
    return NULL;
}

/* Whose account is disabled gets nothing that needs one. */
static void check_disabled(world_t *self, const trace_record_t *record)
{
    const node_t *node = node_named(self, &record->user);
    bool gets = (record->step == TRACE_ACCEPTED && record->verb != VERB_register &&
                 record->verb != VERB_register_invited) ||
                record->step == TRACE_PUSHED || record->step == TRACE_FETCHED;
    if (node && node->disabled_until_ms && gets)
        world_fail(self, "%s is disabled, and its %s was answered", node->name.text,
                   verb_name(record->verb) ? verb_name(record->verb) : "session");
}

static uint64_t listen(void *context, const trace_record_t *record)
{
    world_t *self = context;
    bool registers = record->verb == VERB_register || record->verb == VERB_register_invited;
    if (registers && record->step == TRACE_ACCEPTED)
        self->register_status = STATUS_OK;
    else if (registers && record->step == TRACE_REFUSED)
        self->register_status = status_from_code(record->status);
    if (record->verb == VERB_unregister && record->step == TRACE_ACCEPTED)
        for (size_t i = 0; i < self->options.clients; i++)
            if (!strcmp(self->nodes[i].name.text, record->user.text))
                self->nodes[i].is_closing = true;
    check_disabled(self, record);
    world_trace_broker(self, record);
    return 0;
}

void world_broker_end(world_t *self)
{
    if (!self->rules)
        return;
    const rules_counters_t *counters = rules_counters(self->rules);
    for (size_t verb = 0; verb < COUNTED_VERBS; verb++)
        for (size_t status = 0; status < COUNTED_STATUSES; status++)
            self->tally.answered[verb][status] += counters->answered[verb][status];
    rules_destroy(&self->rules);
}

void world_broker_start(world_t *self)
{
    world_broker_end(self);
    rules_config_t config = rules_config_default(self->broker_key);
    config.register_all = config.challenge_connection = config.membership_user = (rules_rate_t){0};
    if (self->options.is_invite_only)
        config.registration = REGISTRATION_INVITE;
    config.idle_ms = self->options.idle_ms ? self->options.idle_ms : config.idle_ms;
    config.absolute_ms = self->options.absolute_ms ? self->options.absolute_ms : config.absolute_ms;
    config.listen = listen;
    config.listen_context = self;
    self->rules = rules_new(self->store, &config);
    status_t status = rules_open(self->rules);
    if (status)
        world_fail(self, "the broker can't open its store: %s", status_name(status));
}

/* Nothing that wasn't synced survives, and no connection does. */
static void crash(world_t *self)
{
    world_broker_start(self);
    for (size_t client = 0; client < self->options.clients; client++)
        for (unsigned side = 0; side < SIDES; side++) {
            connection_t *link = &self->nodes[client].links[side];
            if (!link->is_open)
                continue;
            link->is_open = false;
            happening_t event = {.at_ms =
                                     self->now_ms + chance_below(&self->nodes[client].chance, 300),
                                 .kind = EVENT_LINK,
                                 .client = client,
                                 .side = side,
                                 .life = self->nodes[client].life,
                                 .connection = link->number,
                                 .link = LINK_DOWN};
            world_event_add(self, &event);
        }
}

void world_broker_remember(world_t *self)
{
    store_destroy(&self->remembered);
    self->remembered = store_memory_copy(self->store);
}

void world_broker_roll_back(world_t *self, bool is_told)
{
    if (!self->remembered)
        return;
    world_trace(self, "broker", "is set back");
    world_broker_end(self);
    store_destroy(&self->store);
    self->store = self->remembered;
    self->remembered = NULL;
    self->full_until_ms = 0;
    self->was_set_back = true;
    self->was_restored = is_told;
    if (is_told && restore_stamp(self->store, 1700000000000 + self->now_ms))
        world_fail(self, "the restored store can't be stamped");
    for (size_t i = 0; i < self->options.clients; i++) { /* the operator's word outlives it */
        const node_t *node = &self->nodes[i];
        status_t status = users_enable(self->store, &node->name, !node->disabled_until_ms);
        if (status && status != STATUS_UNKNOWN_USER)
            world_fail(self, "an account can't be set after a restore: %s", status_name(status));
    }
    crash(self);
}

static status_t write_faulty(world_t *self, const store_unit_t *units, size_t count)
{
    bool is_full = self->full_until_ms != 0; /* such a write is refused before it can fail */
    bool is_lost = !is_full && world_fault(self, FAULT_store_lost);
    bool fails = is_lost || (!is_full && world_fault(self, FAULT_store_applied));
    if (fails)
        store_memory_fail_next_write(self->store, !is_lost);
    status_t outcome = STATUS_OK;
    status_t status = store_write(self->store, units, count, &outcome);
    if (fails && store_reopen(self->store))
        world_fail(self, "the store can't be reopened");
    return status ? status : outcome;
}

static status_t write_units(world_t *self, bool *crashes)
{
    const store_unit_t *units = NULL;
    size_t count = rules_prepare(self->rules, &units);
    self->tally.broker_writes += count != 0;
    *crashes = world_fault(self, count ? FAULT_broker_crash_before : FAULT_broker_crash_idle);
    if (*crashes || !count)
        return *crashes ? STATUS_STORE_FAILED : STATUS_OK;
    status_t status = write_faulty(self, units, count);
    *crashes = world_fault(self, FAULT_broker_crash_after);
    return status;
}

static void empty_disk(world_t *self)
{
    store_memory_set_full(self->store, false);
    self->full_until_ms = 0;
}

void world_broker_disable(world_t *self, size_t client, uint64_t for_ms)
{
    node_t *node = &self->nodes[client];
    if (users_enable(self->store, &node->name, false))
        return; /* there is no such account yet, or any more; or no room */
    world_trace(self, "operator", "disables %s", node->name.text);
    node->disabled_until_ms = self->now_ms + 1 + for_ms;
    rules_end_sessions(self->rules, &node->name);
}

static void enable(world_t *self, size_t client)
{
    node_t *node = &self->nodes[client];
    status_t status = users_enable(self->store, &node->name, true);
    if (status && status != STATUS_UNKNOWN_USER)
        return; /* no room: later */
    world_trace(self, "operator", "enables %s", node->name.text);
    node->disabled_until_ms = 0;
}

static bool was_refused(const session_t *session)
{
    return session->state == SESSION_STOPPED && session->stopped == STATUS_DISABLED;
}

/* Those whose time has come. Whom the broker refused has stopped trying, and is started anew by its
 * person; the refusal may come after the end of its time. */
static void enable_some(world_t *self, uint64_t until_ms)
{
    for (size_t i = 0; i < self->options.clients; i++) {
        const node_t *node = &self->nodes[i];
        if (node->disabled_until_ms && node->disabled_until_ms <= until_ms)
            enable(self, i);
        const member_core_t *member = (const member_core_t *)node->cores[SIDE_MEMBER];
        const admin_core_t *admin = (const admin_core_t *)node->cores[SIDE_ADMIN];
        if (!node->disabled_until_ms && member && admin &&
            (was_refused(&member->session) || was_refused(&admin->session)))
            world_stop(self, i, 0);
    }
}

void world_broker_calm(world_t *self)
{
    empty_disk(self);
    enable_some(self, UINT64_MAX);
}

/* What changes around the broker between its turns. */
static void change(world_t *self)
{
    if (self->full_until_ms && self->full_until_ms <= self->now_ms)
        empty_disk(self);
    enable_some(self, self->now_ms);
    if (world_fault(self, FAULT_store_full)) {
        store_memory_set_full(self->store, true);
        self->full_until_ms =
            self->now_ms + 1 +
            world_fault_below(self, FAULT_store_full, FULL_MS * self->options.pace);
    }
    if (world_fault(self, FAULT_broker_clock))
        self->broker_step_ms =
            (int64_t)world_fault_below(self, FAULT_broker_clock, 2 * WALL_STEP_MS) - WALL_STEP_MS;
}

static void receive(world_t *self, const connection_t *from, bytes_t frame)
{
    rules_peer_t peer = {.id_size = 8};
    put_u64(peer.id, from->number);
    memcpy(peer.curve_key, from->curve_key, KEY_BYTES);
    buffer_t heard = {0};
    bool differs = self->hear && self->hear(self->lie_context, world_client_of(self, from->number),
                                            frame, &heard);
    rules_receive(self->rules, &peer, differs ? buffer_view(&heard) : frame);
    buffer_free(&heard);
}

static void send(world_t *self, const rules_output_t *output)
{
    const size_t client = world_client_of(self, get_u64(output->peer->id));
    world_record(self, client, output->frame);
    buffer_t lie = {0};
    bool lies = self->lie && self->lie(self->lie_context, client, output->frame, &lie);
    world_send_to_client(self, output->peer, lies ? buffer_view(&lie) : output->frame,
                         output->pushes && !output->replies);
    buffer_free(&lie);
}

bool world_broker_turn(world_t *self, const connection_t *from, bytes_t frame)
{
    self->tally.turns++;
    change(self);
    int64_t wall_ms = 1700000000000 + (int64_t)self->now_ms + self->broker_step_ms;
    rules_begin(self->rules, (uint64_t)wall_ms, self->now_ms);
    if (frame.size)
        receive(self, from, frame);
    rules_tick(self->rules);
    bool crashes;
    status_t status = write_units(self, &crashes);
    if (crashes) {
        crash(self);
        world_observe(self, WORLD_BROKER);
        return false;
    }
    rules_finish(self->rules, status);
    rules_output_t output;
    while (rules_next_output(self->rules, &output))
        send(self, &output);
    world_observe(self, WORLD_BROKER);
    return !status;
}

/* invite: NULL for a plain registration. False if it is not sure what became of it. */
static bool ask_to_register(world_t *self, const identity_t *identity, const uint8_t *invite)
{
    connection_t link = {.number = ++self->last_connection};
    buffer_t frame = {0};
    hello_request_t hello = {.version_min = 1, .version_max = 1, .software = {"w", 1}};
    message_write_request(&frame, VERB_hello, 1, (bytes_t){0}, (text_t){0}, &hello);
    register_request_t request = {.name = *identity_name(identity)};
    memcpy(request.identity_key, identity_key(identity), KEY_BYTES);
    identity_sign_register(identity, self->broker_key, request.signature);
    register_invited_request_t invited = {.name = request.name};
    memcpy(invited.identity_key, request.identity_key, KEY_BYTES);
    memcpy(invited.signature, request.signature, SIGNATURE_BYTES);
    if (invite)
        memcpy(invited.invite, invite, INVITE_BYTES);
    message_write_request(&frame, invite ? VERB_register_invited : VERB_register, 2, (bytes_t){0},
                          (text_t){0}, invite ? (void *)&invited : (void *)&request);
    self->register_status = STATUS_NOT_FOUND;
    bool is_sure = world_broker_turn(self, &link, buffer_view(&frame));
    buffer_free(&frame);
    return is_sure;
}

/* Nobody comes in without an invite, nor by one that isn't its own. */
static bool register_invited(world_t *self, const identity_t *identity)
{
    static const uint8_t no_invite[INVITE_BYTES];
    uint8_t invite[INVITE_BYTES];
    node_t *node = node_named(self, identity_name(identity));
    for (unsigned i = 0; i < 2; i++) {
        bool is_sure = ask_to_register(self, identity, i ? no_invite : NULL);
        if (!is_sure || self->register_status != STATUS_OK)
            continue;
        if (!node->is_invited)
            world_fail(self, "%s registered without an invite", node->name.text);
        return true; /* it was in already: its answer had been lost */
    }
    status_t status = users_invite(self->store, identity_name(identity),
                                   1700000000000 + self->now_ms, UINT64_MAX, invite);
    node->is_invited = node->is_invited || !status;
    return !status && ask_to_register(self, identity, invite) && self->register_status == STATUS_OK;
}

bool world_broker_register(world_t *self, const identity_t *identity)
{
    if (self->options.is_invite_only)
        return register_invited(self, identity);
    return ask_to_register(self, identity, NULL) &&
           (self->register_status == STATUS_OK || self->register_status == STATUS_NAME_TAKEN);
}
