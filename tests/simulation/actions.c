/* SPDX-License-Identifier: MPL-2.0 */
/* What each action does, from actions.def. */
#include "tests/simulation/actions.h"

#include "proto/limits.h"
#include "tests/simulation/play.h"

#define AWAY_MS       300000 /* at most, times the pace */
#define LAST_WORDS_MS 400
#define ECHO_MS       8000  /* of a leave; as AWAY_MS */
#define DISABLED_MS   60000 /* as AWAY_MS */

static void ask(play_t *play, const deed_t *deed, local_verb_t verb, const void *body)
{
    (void)world_request(play->world, deed->client, verb, body);
}

static void action_send(play_t *play, const deed_t *deed)
{
    play_send(play, deed->client, deed->group, false);
}

static void action_join(play_t *play, const deed_t *deed)
{
    local_join_request_t request = {.name = play_group_name(deed->group)};
    ask(play, deed, LOCAL_VERB_join, &request);
}

static void action_leave(play_t *play, const deed_t *deed)
{
    local_leave_request_t request = {.name = play_group_name(deed->group)};
    play_take_loot(play, deed->client, &request.name);
    world_echo(play->world, deed->client,
               deed->argument % 2 ? 0 : deed->argument / 2 % (ECHO_MS * play->world->options.pace));
    ask(play, deed, LOCAL_VERB_leave, &request);
    world_echo(play->world, deed->client, 0);
}

/* A text that is overtaken by its sender's leave, or just isn't. */
static void action_last_words(play_t *play, const deed_t *deed)
{
    world_dawdle(play->world, deed->client, deed->argument % LAST_WORDS_MS);
    play_send(play, deed->client, deed->group, false);
    world_dawdle(play->world, deed->client, 0);
    action_leave(play, deed);
}

static void action_create(play_t *play, const deed_t *deed)
{
    static const uint64_t holds[] = {HOLD_NEVER, HOLD_DEFAULT_MS, HOLD_FOREVER};
    local_create_request_t request = {.name = play_group_name(deed->group),
                                      .hold_ms = holds[deed->argument % 3]};
    ask(play, deed, LOCAL_VERB_create, &request);
}

static void action_pass(play_t *play, const deed_t *deed)
{
    ask(play, deed, LOCAL_VERB_pass, NULL);
}

static void action_members(play_t *play, const deed_t *deed)
{
    local_members_request_t request = {.name = play_group_name(deed->group)};
    ask(play, deed, LOCAL_VERB_members, &request);
}

static void action_pending(play_t *play, const deed_t *deed)
{
    local_pending_request_t request = {.name = play_group_name(deed->group)};
    ask(play, deed, LOCAL_VERB_pending, &request);
}

static void action_history(play_t *play, const deed_t *deed)
{
    local_history_request_t request = {.name = play_group_name(deed->group),
                                       .last = deed->argument % 20};
    ask(play, deed, LOCAL_VERB_history, &request);
}

static void action_outbox(play_t *play, const deed_t *deed)
{
    local_outbox_request_t request = {.name = play_group_name(deed->group),
                                      .drop = deed->argument % 2};
    ask(play, deed, LOCAL_VERB_outbox, &request);
}

static void action_groups(play_t *play, const deed_t *deed)
{
    ask(play, deed, LOCAL_VERB_groups, NULL);
}

static void action_whoami(play_t *play, const deed_t *deed)
{
    ask(play, deed, LOCAL_VERB_whoami, NULL);
}

static void action_status(play_t *play, const deed_t *deed)
{
    ask(play, deed, LOCAL_VERB_status, NULL);
}

static void action_ignore(play_t *play, const deed_t *deed)
{
    size_t whom = (size_t)(deed->argument / 2) % play->world->options.clients;
    local_ignore_request_t request = {.name = play->world->nodes[whom].name,
                                      .on = deed->argument % 2};
    ask(play, deed, LOCAL_VERB_ignore, &request);
}

static void action_reopen(play_t *play, const deed_t *deed)
{
    world_reopen(play->world, deed->client);
}

/* Newcomers are the last ones: any deed of it brings one in, as long as there are any. */
static void action_enrol(play_t *play, const deed_t *deed)
{
    size_t clients = play->world->options.clients, newcomers = play->world->options.newcomers;
    if (newcomers)
        world_enrol(play->world, clients - 1 - (size_t)(deed->argument % newcomers));
}

static void action_unregister(play_t *play, const deed_t *deed)
{
    for (size_t group = 0; group < PLAY_GROUPS; group++) {
        name_t name = play_group_name(group);
        play_take_loot(play, deed->client, &name);
    }
    ask(play, deed, LOCAL_VERB_unregister, NULL);
}

static void action_disable(play_t *play, const deed_t *deed)
{
    world_broker_disable(play->world, deed->client,
                         deed->argument % (DISABLED_MS * play->world->options.pace));
}

static void action_crash(play_t *play, const deed_t *deed)
{
    if (play->world->nodes[deed->client].cores[SIDE_MEMBER])
        world_crash(play->world, deed->client);
}

static void action_away(play_t *play, const deed_t *deed)
{
    world_stop(play->world, deed->client, deed->argument % (AWAY_MS * play->world->options.pace));
}

static const struct {
    const char *name;
    unsigned weight;
    void (*carry_out)(play_t *play, const deed_t *deed);
} rows[ACTION_COUNT] = {
#define ACTION(name, weight, function) {#name, weight, function},
#include "tests/simulation/actions.def"
#undef ACTION
};

const char *action_name(action_t action)
{
    return rows[action].name;
}

unsigned action_weight(action_t action)
{
    return rows[action].weight;
}

void action_carry_out(play_t *play, const deed_t *deed)
{
    world_t *world = play->world;
    bool is_up = world->nodes[deed->client].cores[SIDE_MEMBER] || deed->action == ACTION_enrol;
    world->tally.deeds[deed->action] += is_up;
    world_trace(world, "deed", "%zu: c%zu %s g%zu%s", deed->number, deed->client,
                action_name(deed->action), deed->group, is_up ? "" : " (it is down)");
    rows[deed->action].carry_out(play, deed);
}
