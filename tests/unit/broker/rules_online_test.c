/* SPDX-License-Identifier: MPL-2.0 */
/* Who is told to be online, and in which groups. */
#include "broker/rules/inspect.h"
#include "tests/unit/broker/rules_setting.h"

static void those_who_came_last_come_first(void **state)
{
    setting_t *self = *state;
    rules_online_t online[4];
    person_login_both(&self->carol);
    person_login_both(&self->alice);
    assert_int_equal(rules_online(self->world->rules, online, 4), 3);
    assert_string_equal(online[0].name.text, "alice");
    assert_int_equal(online[0].group_count, 1);
    assert_string_equal(online[0].groups[0].text, "room");
    assert_string_equal(online[1].name.text, "carol");
    assert_int_equal(online[1].group_count, 0);
    assert_string_equal(online[2].name.text, "bob");
    assert_string_equal(online[2].groups[0].text, "room");
    /* Only as many as there is room for. */
    memset(online, 0, sizeof online);
    assert_int_equal(rules_online(self->world->rules, online, 1), 1);
    assert_string_equal(online[0].name.text, "alice");
    assert_string_equal(online[1].name.text, "");
    assert_int_equal(rules_online(self->world->rules, online, 0), 0);
}

static void who_left_a_group_is_not_in_it(void **state)
{
    setting_t *self = *state;
    rules_online_t online[4];
    assert_int_equal(room_leave(&self->room, &self->bob, NULL), STATUS_OK);
    size_t count = rules_online(self->world->rules, online, 4);
    for (size_t i = 0; i < count; i++)
        if (strcmp(online[i].name.text, "bob") == 0) {
            assert_int_equal(online[i].group_count, 0);
            return;
        }
    fail();
}

static void nobody_is_online_after_a_restart(void **state)
{
    setting_t *self = *state;
    rules_online_t online[4];
    world_restart(self->world);
    assert_int_equal(rules_online(self->world->rules, online, 4), 0);
}

/* The frames that a turn with nothing to do sends to this link. */
static size_t told_in_a_quiet_turn(world_t *world, link_t *link)
{
    world_tick(world);
    link_collect(&link, 1);
    return link->frames;
}

static void who_is_silent_for_long_is_sent_a_sign_of_life(void **state)
{
    setting_t *self = *state;
    world_t *world = self->world;
    const uint64_t silent_ms = world->config.probe_ms;
    person_login_both(&self->alice);
    assert_int_equal(told_in_a_quiet_turn(world, &self->alice.events), 0);
    world_pass(world, silent_ms - 1);
    assert_int_equal(told_in_a_quiet_turn(world, &self->alice.events), 0);
    world_pass(world, 1000);
    /* For both purposes, a push that asks for nothing. */
    link_t *both[] = {&self->alice.events, &self->alice.duties};
    world_tick(world);
    link_collect(both, 2);
    for (size_t i = 0; i < 2; i++) {
        message_t push = {0};
        assert_int_equal(both[i]->frames, 1);
        assert_true(link_push(both[i], VERB_events, 0, &push));
        assert_int_equal(push.id, 1); /* the push's number */
        assert_int_equal(push.body.events_push.events.count, 0);
        message_wipe(&push);
    }
    /* Not again before as much time has passed, and never to who asks for something. */
    world_pass(world, silent_ms - 1);
    assert_int_equal(told_in_a_quiet_turn(world, &self->alice.events), 0);
    groups_request_t groups = {0};
    assert_int_equal(link_ask(&self->alice.duties, VERB_groups, &groups), STATUS_OK);
    world_pass(world, 1000);
    world_tick(world);
    link_collect(both, 2);
    assert_int_equal(both[0]->frames, 1);
    assert_int_equal(both[1]->frames, 0);
}

static void who_cannot_be_reached_is_online_no_more(void **state)
{
    setting_t *self = *state;
    world_t *world = self->world;
    const rules_counters_t *counters = rules_counters(world->rules);
    rules_output_t output;
    size_t gone = 0;
    person_login_both(&self->carol);
    world_tick(world);
    const uint64_t online = counters->users_online;
    world_pass(world, world->config.probe_ms);
    world_tick(world);
    /* Both of carol's connections are found closed, as a router would by sending. */
    while (rules_next_output(world->rules, &output))
        if (strcmp(output.user->text, "carol") == 0) {
            assert_int_equal(output.pushes, 0); /* nothing that she would miss */
            rules_peer_gone(world->rules, output.peer->id, output.peer->id_size);
            gone++;
        }
    assert_int_equal(gone, 2);
    world_tick(world);
    assert_int_equal(counters->users_online, online - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_with_bob, tear_down)
        TEST(those_who_came_last_come_first),
        TEST(who_left_a_group_is_not_in_it),
        TEST(nobody_is_online_after_a_restart),
        TEST(who_is_silent_for_long_is_sent_a_sign_of_life),
        TEST(who_cannot_be_reached_is_online_no_more),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
