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

void world_fail(world_t *self, const char *format, ...)
{
    if (self->failure[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->failure, sizeof self->failure, format, arguments);
    self->failure_kind = format;
    va_end(arguments);
}

void world_observe(world_t *self, size_t client_or_broker)
{
    if (self->observe && !self->failure[0])
        self->observe(self->observe_context, self, client_or_broker);
}

bool world_fault(world_t *self, fault_t fault)
{
    if (!faults_hits(&self->options.faults, fault))
        return false;
    self->tally.injected[fault]++;
    world_trace(self, "fault", "%s: %s", fault_name(fault), fault_text(fault));
    return true;
}

uint64_t world_fault_below(world_t *self, fault_t fault, uint64_t bound)
{
    return chance_below(&self->options.faults.chances[fault], bound);
}

static void make_node(world_t *self, size_t client)
{
    node_t *node = &self->nodes[client];
    snprintf(node->name.text, sizeof node->name.text, "c%zu", client);
    secret_t seed, vault_key;
    secret_random(&seed);
    secret_random(&vault_key);
    node->identity = identity_from_seed(&node->name, &seed, &vault_key);
    node->vaults[SIDE_MEMBER] = vault_memory_new();
    node->vaults[SIDE_ADMIN] = vault_memory_new();
    node->restart_at = UINT64_MAX;
    node->chance.state = self->options.seed ^ (uint64_t)(client + 1) << 40;
    node->is_gone = self->options.absent >> client & 1;
}

static bool is_newcomer(const world_options_t *options, size_t client)
{
    return client >= options->clients - options->newcomers || (options->absent >> client & 1);
}

world_t *world_new(const world_options_t *options, world_screen_fn *screen, void *context)
{
    world_t *self = mem_zalloc(1, sizeof *self);
    self->options = *options;
    chance_seed_sodium(options->seed);
    self->screen = screen;
    self->screen_context = context;
    randombytes_buf(self->broker_key, sizeof self->broker_key);
    self->store = store_memory_new();
    self->nodes = mem_zalloc(options->clients, sizeof *self->nodes);
    world_broker_start(self);
    faults_t faults = self->options.faults;
    world_calm(self);
    self->tally.clients = options->clients;
    for (size_t i = 0; i < options->clients; i++)
        make_node(self, i);
    for (size_t i = 0; i < options->clients; i++)
        if (!is_newcomer(options, i))
            world_start(self, i);
    self->options.faults = faults;
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
        world_watch_end(self, i);
    }
    for (size_t i = 0; i < self->event_count; i++)
        buffer_wipe(&self->events[i].bytes);
    free(self->events);
    free(self->nodes);
    world_record_free(self);
    rules_destroy(&self->rules);
    store_destroy(&self->store);
    store_destroy(&self->remembered);
    free(self);
    *pointer = NULL;
}

void world_calm(world_t *self)
{
    faults_end(&self->options.faults);
    world_broker_calm(self);
    for (size_t i = 0; i < self->options.clients; i++) {
        node_t *node = &self->nodes[i];
        if (node->restart_at != UINT64_MAX && node->restart_at > self->now_ms)
            node->restart_at = self->now_ms;
    }
}

/* A socket that was destroyed takes what it had not delivered with it. */
static void deliver(world_t *self, happening_t *event)
{
    if (event->kind != EVENT_TO_BROKER)
        world_deliver(self, event);
    else if (self->nodes[event->client].links[event->side].number == event->connection)
        (void)world_broker_turn(self, &event->peer, buffer_view(&event->bytes));
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
        happening_t event;
        if (world_event_take(self, self->now_ms, &event)) {
            deliver(self, &event);
            buffer_wipe(&event.bytes);
            continue;
        }
        for (size_t i = 0; i < self->options.clients && !self->failure[0]; i++)
            world_wake(self, i);
        if (rules_next_tick(self->rules) <= self->now_ms)
            (void)world_broker_turn(self, NULL, (bytes_t){0});
    }
    self->now_ms = until_ms > self->now_ms ? until_ms : self->now_ms;
}
