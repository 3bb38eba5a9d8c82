/* SPDX-License-Identifier: MPL-2.0 */
/* The lives of the world's clients: steps, crashes, absences, new starts. */
#include <stdio.h>
#include <string.h>

#include "client/core/member.h"
#include "tests/simulation/world.h"

#define SCREEN         1
#define RESTART_MS     8000   /* after a crash, at most */
#define AWAY_MS        400000 /* at most, times the pace: hours if that is slow */
#define WALL_STEP_MS   86400000
#define ENROL_AGAIN_MS 1000

static moment_t moment(const world_t *self, size_t client)
{
    int64_t wall_ms = 1700000000000 + (int64_t)self->now_ms + self->nodes[client].wall_step_ms;
    return (moment_t){(uint64_t)wall_ms, self->now_ms};
}

void world_stop(world_t *self, size_t client, uint64_t away_ms)
{
    node_t *node = &self->nodes[client];
    if (!node->cores[SIDE_MEMBER])
        return;
    world_trace(self, node->name.text, "is down for %llu ms", (unsigned long long)away_ms);
    for (unsigned side = 0; side < SIDES; side++) {
        core_destroy(&node->cores[side]);
        world_link_close(self, client, side);
    }
    node->life++;
    node->restart_at = self->now_ms + away_ms;
}

void world_crash(world_t *self, size_t client)
{
    self->tally.crashes++;
    self->nodes[client].crashes++;
    world_stop(self, client, chance_below(&self->nodes[client].chance, RESTART_MS));
}

void world_bury(world_t *self, size_t client)
{
    world_stop(self, client, 0);
    self->nodes[client].is_gone = true;
    self->nodes[client].restart_at = UINT64_MAX;
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
        happening_t event = {.at_ms = self->now_ms,
                             .kind = EVENT_MAIL,
                             .client = client,
                             .side = 1 - side,
                             .life = self->nodes[client].life,
                             .bytes = effects->mail.items[i].bytes};
        effects->mail.items[i].bytes = (buffer_t){0}; /* transferred */
        world_event_add(self, &event);
    }
}

/* False if the disk was full: the client ends, and nothing of the step leaves. */
static bool apply(world_t *self, size_t client, unsigned side, effects_t *effects)
{
    vault_t *vault = self->nodes[client].vaults[side];
    bool is_full = effects->writes.count && world_fault(self, FAULT_vault_failure);
    if (is_full)
        vault_memory_fail_apply(vault, 0);
    if (!vault_apply(vault, &effects->writes))
        return true;
    if (!is_full)
        world_fail(self, "the vault of c%zu failed", client);
    return false;
}

/* As core.h asks: the transaction first, then link and frames, then mail. False if the client ended
 * on the way. */
static bool carry_out(world_t *self, size_t client, unsigned side, effects_t *effects)
{
    bool writes = effects->writes.count != 0;
    self->tally.writes += writes;
    if (world_fault(self, writes ? FAULT_crash_before : FAULT_crash_idle))
        return false;
    if (effects->fatal)
        world_fail(self, "c%zu side %u can't go on: %s %s", client, side,
                   status_name(effects->fatal), effects->fatal_reason);
    if (!apply(self, client, side, effects) || (writes && world_fault(self, FAULT_crash_after)))
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

static void maybe_step_clock(world_t *self, size_t client)
{
    if (world_fault(self, FAULT_clock))
        self->nodes[client].wall_step_ms =
            (int64_t)world_fault_below(self, FAULT_clock, 2 * WALL_STEP_MS) - WALL_STEP_MS;
}

static void step(world_t *self, size_t client, unsigned side, effects_t *effects)
{
    self->tally.steps++;
    world_trace_step(self, client, side, effects);
    bool is_up = carry_out(self, client, side, effects);
    if (!is_up)
        world_crash(self, client);
    world_watch(self, client);
    world_observe(self, client);
    if (is_up) {
        show(self, client, &effects->screens);
        maybe_step_clock(self, client);
        if (world_fault(self, FAULT_away))
            world_stop(self, client,
                       world_fault_below(self, FAULT_away, AWAY_MS * self->options.pace));
    }
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
    if (side == SIDE_MEMBER)
        world_watch_start(self, client);
    effects_t effects = {0};
    world_trace_cause(self, "starts");
    node->cores[side]->ops->start(node->cores[side], moment(self, client), &effects);
    step(self, client, side, &effects);
}

static void subscribe(world_t *self, size_t client)
{
    local_subscribe_request_t request = {.unshown = 1};
    (void)world_request(self, client, LOCAL_VERB_subscribe, &request);
}

void world_start(world_t *self, size_t client)
{
    node_t *node = &self->nodes[client];
    node->is_registered = node->is_registered || world_broker_register(self, node->identity);
    if (!node->is_registered) {
        node->restart_at = self->now_ms + ENROL_AGAIN_MS;
        return;
    }
    self->tally.restarts++;
    uint64_t life = ++node->life;
    for (unsigned side = 0; side < SIDES && node->life == life && !self->failure[0]; side++)
        start_core(self, client, side);
    if (node->life == life && !self->failure[0])
        subscribe(self, client);
}

void world_enrol(world_t *self, size_t client)
{
    node_t *node = &self->nodes[client];
    if (!node->cores[SIDE_MEMBER] && !node->is_registered && !node->is_gone)
        node->restart_at = self->now_ms;
}

trace_context_t world_trace_of(uint64_t request)
{
    trace_context_t trace = {.flags = TRACE_CONTEXT_SAMPLED};
    if (request % 3)
        return (trace_context_t){0};
    put_u64(trace.trace_id, request);
    put_u64(trace.span_id, request);
    return trace;
}

uint64_t world_request(world_t *self, size_t client, local_verb_t verb, const void *body)
{
    core_t *core = self->nodes[client].cores[SIDE_MEMBER];
    if (!core)
        return 0;
    uint64_t id = ++self->last_request;
    buffer_t frame = {0};
    trace_context_t trace = world_trace_of(id);
    local_write_request(&frame, verb, id, &trace, body);
    effects_t effects = {0};
    world_trace_cause(self, "is asked to %s (%llu)", local_verb_name(verb), (unsigned long long)id);
    core->ops->request(core, moment(self, client), SCREEN, buffer_view(&frame), &effects);
    step(self, client, SIDE_MEMBER, &effects);
    buffer_free(&frame);
    return id;
}

void world_reopen(world_t *self, size_t client)
{
    core_t *core = self->nodes[client].cores[SIDE_MEMBER];
    if (!core)
        return;
    effects_t effects = {0};
    world_trace_cause(self, "loses its screen");
    core->ops->screen_gone(core, moment(self, client), SCREEN, &effects);
    step(self, client, SIDE_MEMBER, &effects);
    subscribe(self, client);
}

void world_deliver(world_t *self, happening_t *event)
{
    node_t *node = &self->nodes[event->client];
    core_t *core = node->cores[event->side];
    if (!core || event->life != node->life)
        return;
    static const char *const links[] = {"up", "connected", "down", "wrong broker"};
    const connection_t *link = &node->links[event->side];
    bool is_linked = link->number == event->connection;
    moment_t now = moment(self, event->client);
    effects_t effects = {0};
    if (event->kind == EVENT_MAIL) {
        world_trace_cause(self, "gets mail of its other side");
        core->ops->mail(core, now, buffer_view(&event->bytes), &effects);
    } else if (is_linked && event->kind == EVENT_LINK) {
        world_trace_cause(self, "has its link %s", links[event->link]);
        core->ops->link(core, now, event->link, link->curve_key, &effects);
    } else if (is_linked && link->is_open && event->kind == EVENT_TO_CLIENT) {
        world_trace_frame(self, buffer_view(&event->bytes));
        core->ops->frame(core, now, buffer_view(&event->bytes), &effects);
    } else {
        return;
    }
    step(self, event->client, event->side, &effects);
}

void world_wake(world_t *self, size_t client)
{
    node_t *node = &self->nodes[client];
    if (!node->cores[SIDE_MEMBER]) {
        if (node->restart_at <= self->now_ms)
            world_start(self, client);
        return;
    }
    uint64_t life = node->life;
    for (unsigned side = 0; side < SIDES && node->life == life; side++) {
        core_t *core = node->cores[side];
        if (core->ops->deadline(core) > self->now_ms)
            continue;
        effects_t effects = {0};
        world_trace_cause(self, "has a deadline");
        core->ops->time(core, moment(self, client), &effects);
        step(self, client, side, &effects);
    }
}
