/* SPDX-License-Identifier: MPL-2.0 */
/* The world's clients and its clock. */
#include "tests/simulation/world.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/store/store_memory.h"
#include "proto/memory.h"

#define SCREEN 1

void world_fail(world_t *self, const char *format, ...)
{
    if (self->failure[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->failure, sizeof self->failure, format, arguments);
    va_end(arguments);
}

void world_observe(world_t *self, size_t client_or_broker)
{
    if (self->observe && !self->failure[0])
        self->observe(self->observe_context, self, client_or_broker);
}

static moment_t moment(const world_t *self)
{
    return (moment_t){1700000000000u + self->now_ms, self->now_ms};
}

static void go_down(world_t *self, size_t client, uint64_t restart_after_ms)
{
    node_t *node = &self->nodes[client];
    for (unsigned side = 0; side < SIDES; side++) {
        core_destroy(&node->cores[side]);
        world_link_close(self, client, side);
    }
    node->life++;
    node->restart_at = self->now_ms + restart_after_ms;
}

void world_crash(world_t *self, size_t client)
{
    self->crashes++;
    self->nodes[client].crashes++;
    if (self->options.is_loud)
        printf("%8llu c%zu crashes\n", (unsigned long long)self->now_ms, client);
    go_down(self, client, chance_below(&self->chance, 8000));
}

static void show(world_t *self, size_t client, const frames_t *frames)
{
    for (size_t i = 0; i < frames->count; i++) {
        local_message_t message = {0};
        status_t status = local_message_read(&message, buffer_view(&frames->items[i].bytes),
                                             1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH);
        if (status)
            world_fail(self, "c%zu told its screen something unreadable: %s", client,
                       status_name(status));
        else
            self->screen(self->screen_context, self, client, &message);
        local_message_wipe(&message);
    }
}

/* Moves the effects' letters to the other side's next turn. */
static void post(world_t *self, size_t client, unsigned side, effects_t *effects)
{
    for (size_t i = 0; i < effects->mail.count; i++) {
        event_t event = {.at_ms = self->now_ms,
                         .kind = EVENT_MAIL,
                         .client = client,
                         .side = 1 - side,
                         .life = self->nodes[client].life,
                         .bytes = effects->mail.items[i].bytes};
        effects->mail.items[i].bytes = (buffer_t){0}; /* transferred */
        world_event_add(self, &event);
    }
}

/* As core.h asks: the transaction first, then link and frames, then mail, then screens. False if
 * the client crashed on the way. */
static bool carry_out(world_t *self, size_t client, unsigned side, effects_t *effects)
{
    node_t *node = &self->nodes[client];
    bool crashes = chance_hits(&self->chance, self->options.client_crash);
    bool is_late = chance_hits(&self->chance, 6000);
    if (crashes && !is_late)
        return false;
    if (effects->fatal)
        world_fail(self, "c%zu side %u can't go on: %s %s", client, side,
                   status_name(effects->fatal), effects->fatal_reason);
    if (vault_apply(node->vaults[side], &effects->writes))
        world_fail(self, "the vault of c%zu failed", client);
    if (crashes)
        return false;
    if (effects->link == LINK_OPEN)
        world_link_open(self, client, side);
    else if (effects->link == LINK_CLOSE)
        world_link_close(self, client, side);
    for (size_t i = 0; i < effects->frames.count; i++)
        world_send_to_broker(self, client, side, &effects->frames.items[i].bytes);
    post(self, client, side, effects);
    return true;
}

static void step(world_t *self, size_t client, unsigned side, effects_t *effects)
{
    self->steps++;
    bool is_up = carry_out(self, client, side, effects);
    if (!is_up)
        world_crash(self, client);
    world_observe(self, client);
    if (is_up)
        show(self, client, &effects->screens);
    effects_wipe(effects);
}

static void start_core(world_t *self, size_t client, unsigned side)
{
    node_t *node = &self->nodes[client];
    core_config_t config = {.poll_period_ms = self->options.poll_period_ms,
                            .call_deadline_ms = CALL_DEADLINE_MS};
    memcpy(config.broker_key, self->broker_key, KEY_BYTES);
    status_t status =
        side == SIDE_MEMBER
            ? member_core_new(&node->cores[side], &config, node->identity, node->vaults[side])
            : admin_core_new(&node->cores[side], &config, node->identity, node->vaults[side]);
    if (status) {
        world_fail(self, "c%zu side %u can't start: %s", client, side, status_name(status));
        return;
    }
    effects_t effects = {0};
    node->cores[side]->ops->start(node->cores[side], moment(self), &effects);
    step(self, client, side, &effects);
}

static void start_node(world_t *self, size_t client)
{
    node_t *node = &self->nodes[client];
    uint64_t life = ++node->life;
    for (unsigned side = 0; side < SIDES && node->life == life && !self->failure[0]; side++)
        start_core(self, client, side);
    local_subscribe_request_t subscribe = {.unshown = 1};
    if (node->life == life && !self->failure[0])
        (void)world_request(self, client, LOCAL_VERB_subscribe, &subscribe);
}

uint64_t world_request(world_t *self, size_t client, local_verb_t verb, const void *body)
{
    core_t *core = self->nodes[client].cores[SIDE_MEMBER];
    if (!core)
        return 0;
    uint64_t id = ++self->last_request;
    buffer_t frame = {0};
    local_write_request(&frame, verb, id, body);
    effects_t effects = {0};
    core->ops->request(core, moment(self), SCREEN, buffer_view(&frame), &effects);
    step(self, client, SIDE_MEMBER, &effects);
    buffer_free(&frame);
    return id;
}

world_t *world_new(const world_options_t *options, world_screen_fn *screen, void *context)
{
    world_t *self = mem_zalloc(1, sizeof *self);
    self->options = *options;
    self->chance.state = options->seed;
    chance_seed_sodium(options->seed);
    self->screen = screen;
    self->screen_context = context;
    randombytes_buf(self->broker_key, sizeof self->broker_key);
    self->store = store_memory_new();
    self->nodes = mem_zalloc(options->clients, sizeof *self->nodes);
    world_broker_start(self);
    world_options_t wanted = self->options;
    world_calm(self);
    for (size_t i = 0; i < options->clients; i++) {
        node_t *node = &self->nodes[i];
        snprintf(node->name.text, sizeof node->name.text, "c%zu", i);
        secret_t seed, vault_key;
        secret_random(&seed);
        secret_random(&vault_key);
        node->identity = identity_from_seed(&node->name, &seed, &vault_key);
        node->vaults[SIDE_MEMBER] = vault_memory_new();
        node->vaults[SIDE_ADMIN] = vault_memory_new();
        world_broker_register(self, node->identity);
    }
    self->options = wanted;
    for (size_t i = 0; i < options->clients; i++)
        start_node(self, i);
    return self;
}

void world_destroy(world_t **pointer)
{
    world_t *self = *pointer;
    for (size_t i = 0; i < self->options.clients; i++) {
        for (unsigned side = 0; side < SIDES; side++) {
            core_destroy(&self->nodes[i].cores[side]);
            vault_destroy(&self->nodes[i].vaults[side]);
        }
        identity_destroy(&self->nodes[i].identity);
    }
    for (size_t i = 0; i < self->event_count; i++)
        buffer_wipe(&self->events[i].bytes);
    free(self->events);
    free(self->nodes);
    world_record_free(self);
    rules_destroy(&self->rules);
    store_destroy(&self->store);
    free(self);
    *pointer = NULL;
}

void world_calm(world_t *self)
{
    world_options_t *options = &self->options;
    options->loss = options->push_loss = options->doubling = options->reorder = 0;
    options->cut = options->client_crash = options->broker_crash = options->store_failure = 0;
    for (size_t i = 0; i < options->clients; i++)
        if (self->nodes[i].restart_at > self->now_ms)
            self->nodes[i].restart_at = self->now_ms;
}

static void deliver(world_t *self, event_t *event)
{
    node_t *node = &self->nodes[event->client];
    if (event->kind == EVENT_TO_BROKER) {
        /* A socket that was destroyed takes what it had not delivered with it. */
        if (node->links[event->side].number == event->connection)
            world_broker_turn(self, &event->peer, buffer_view(&event->bytes));
        return;
    }
    core_t *core = node->cores[event->side];
    bool is_current = core && event->life == node->life;
    bool is_linked = node->links[event->side].number == event->connection;
    effects_t effects = {0};
    if (is_current && event->kind == EVENT_MAIL)
        core->ops->mail(core, moment(self), buffer_view(&event->bytes), &effects);
    else if (is_current && is_linked && event->kind == EVENT_LINK)
        core->ops->link(core, moment(self), event->link, node->links[event->side].curve_key,
                        &effects);
    else if (is_current && is_linked && node->links[event->side].is_open)
        core->ops->frame(core, moment(self), buffer_view(&event->bytes), &effects);
    else
        return;
    step(self, event->client, event->side, &effects);
}

static uint64_t next_time(const world_t *self)
{
    uint64_t next = world_event_next(self);
    uint64_t tick = rules_next_tick(self->rules);
    next = tick < next ? tick : next;
    for (size_t i = 0; i < self->options.clients; i++) {
        const node_t *node = &self->nodes[i];
        if (!node->cores[0]) {
            next = node->restart_at < next ? node->restart_at : next;
            continue;
        }
        for (unsigned side = 0; side < SIDES; side++) {
            uint64_t deadline = node->cores[side]->ops->deadline(node->cores[side]);
            next = deadline < next ? deadline : next;
        }
    }
    return next;
}

static void wake(world_t *self, size_t client)
{
    node_t *node = &self->nodes[client];
    if (!node->cores[0]) {
        if (node->restart_at <= self->now_ms)
            start_node(self, client);
        return;
    }
    uint64_t life = node->life;
    for (unsigned side = 0; side < SIDES && node->life == life; side++) {
        core_t *core = node->cores[side];
        if (core->ops->deadline(core) > self->now_ms)
            continue;
        effects_t effects = {0};
        core->ops->time(core, moment(self), &effects);
        step(self, client, side, &effects);
    }
}

static void explain_stillness(world_t *self)
{
    const char *who = "an event";
    if (rules_next_tick(self->rules) <= self->now_ms)
        who = "the broker";
    for (size_t i = 0; i < self->options.clients; i++)
        for (unsigned side = 0; side < SIDES && self->nodes[i].cores[side]; side++)
            if (self->nodes[i].cores[side]->ops->deadline(self->nodes[i].cores[side]) <=
                self->now_ms)
                who = self->nodes[i].name.text;
    world_fail(self, "time stands still at %llu: %s is never done",
               (unsigned long long)self->now_ms, who);
}

void world_run(world_t *self, uint64_t until_ms)
{
    unsigned still = 0;
    while (!self->failure[0]) {
        uint64_t next = next_time(self);
        if (next > until_ms)
            break;
        still = next > self->now_ms ? 0 : still + 1;
        if (still > 20000)
            explain_stillness(self);
        if (next > self->now_ms)
            self->now_ms = next;
        event_t event;
        if (world_event_take(self, self->now_ms, &event)) {
            deliver(self, &event);
            buffer_wipe(&event.bytes);
            continue;
        }
        for (size_t i = 0; i < self->options.clients && !self->failure[0]; i++)
            wake(self, i);
        if (rules_next_tick(self->rules) <= self->now_ms)
            world_broker_turn(self, NULL, (bytes_t){0});
    }
    self->now_ms = until_ms > self->now_ms ? until_ms : self->now_ms;
}
