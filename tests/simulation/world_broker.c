/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's side of the world: turns, and its own crashes. */
#include <stdio.h>
#include <string.h>

#include "broker/store/store_memory.h"
#include "proto/message.h"
#include "proto/statement.h"
#include "tests/simulation/world.h"

void world_broker_start(world_t *self)
{
    if (self->rules)
        rules_destroy(&self->rules);
    rules_config_t config = rules_config_default(self->broker_key);
    config.register_all = config.challenge_connection = config.membership_user = (rules_rate_t){0};
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
            event_t event = {.at_ms = self->now_ms + chance_below(&self->chance, 300),
                             .kind = EVENT_LINK,
                             .client = client,
                             .side = side,
                             .life = self->nodes[client].life,
                             .connection = link->number,
                             .link = LINK_DOWN};
            world_event_add(self, &event);
        }
}

static status_t write_units(world_t *self, bool *crashes)
{
    const store_unit_t *units = NULL;
    size_t count = rules_prepare(self->rules, &units);
    *crashes = chance_hits(&self->chance, self->options.broker_crash);
    if (!count)
        return STATUS_OK;
    if (*crashes && chance_hits(&self->chance, 5000))
        return STATUS_STORE_FAILED; /* before the write */
    bool fails = chance_hits(&self->chance, self->options.store_failure);
    if (fails)
        store_memory_fail_next_write(self->store, chance_hits(&self->chance, 5000));
    status_t outcome = STATUS_OK;
    status_t status = store_write(self->store, units, count, &outcome);
    if (fails && store_reopen(self->store))
        world_fail(self, "the store can't be reopened");
    return status ? status : outcome;
}

void world_broker_turn(world_t *self, const connection_t *from, bytes_t frame)
{
    self->turns++;
    rules_begin(self->rules, 1700000000000u + self->now_ms, self->now_ms);
    if (frame.size) {
        rules_peer_t peer = {.id_size = 8};
        put_u64(peer.id, from->number);
        memcpy(peer.curve_key, from->curve_key, KEY_BYTES);
        rules_receive(self->rules, &peer, frame);
    }
    rules_tick(self->rules);
    bool crashes;
    status_t status = write_units(self, &crashes);
    if (crashes) {
        crash(self);
        world_observe(self, WORLD_BROKER);
        return;
    }
    rules_finish(self->rules, status);
    rules_output_t output;
    while (rules_next_output(self->rules, &output)) {
        world_record(self, output.frame);
        buffer_t lie = {0};
        bool lies = self->lie && self->lie(self->lie_context, output.frame, &lie);
        world_send_to_client(self, output.peer, lies ? buffer_view(&lie) : output.frame,
                             output.pushes && !output.replies);
        buffer_free(&lie);
    }
    world_observe(self, WORLD_BROKER);
}

void world_broker_register(world_t *self, const identity_t *identity)
{
    connection_t link = {.number = ++self->last_connection};
    buffer_t frame = {0};
    hello_request_t hello = {.version_min = 1, .version_max = 1, .software = {"w", 1}};
    message_write_request(&frame, VERB_hello, 1, (bytes_t){0}, (text_t){0}, &hello);
    register_request_t request = {.name = *identity_name(identity)};
    memcpy(request.identity_key, identity_key(identity), KEY_BYTES);
    identity_sign_register(identity, self->broker_key, request.signature);
    message_write_request(&frame, VERB_register, 2, (bytes_t){0}, (text_t){0}, &request);
    world_broker_turn(self, &link, buffer_view(&frame));
    buffer_free(&frame);
}
