/* SPDX-License-Identifier: MPL-2.0 */
/* Leaving: at once, with a rekey due, and for good. */
#include "tests/unit/broker/rules_setting.h"

static void leaving_is_at_once(void **state)
{
    setting_t *self = *state;
    uint64_t sequence, again, head;
    room_let_in(&self->room, &self->alice, &self->bob);
    room_let_in(&self->room, &self->alice, &self->carol);
    assert_int_equal(room_leave(&self->room, &self->alice, NULL), STATUS_LAST_ADMIN);
    const roster_member_t *bob = room_find(&self->room, &self->bob);
    roster_member_t wrong = *bob;
    wrong.leaf = 0;
    buffer_t bytes = room_leave_statement(&self->room, &self->bob, &wrong);
    leave_request_t leave = {.statement = buffer_view(&bytes)};
    memcpy(leave.group, self->room.group, GROUP_ID_BYTES);
    refused(&self->bob.events, VERB_leave, &leave, STATUS_NOT_YOUR_LEAF);
    leave.statement.size--;
    refused(&self->bob.events, VERB_leave, &leave, STATUS_BAD_LEAVE);
    buffer_free(&bytes);
    bytes = room_leave_statement(&self->room, &self->carol, bob);
    leave.statement = buffer_view(&bytes);
    refused(&self->bob.events, VERB_leave, &leave, STATUS_BAD_SIGNATURE);
    buffer_free(&bytes);

    assert_int_equal(room_leave(&self->room, &self->bob, &sequence), STATUS_OK);
    assert_int_equal(room_leave(&self->room, &self->bob, &again), STATUS_OK);
    assert_int_equal(sequence, again);
    wrong = *bob;
    wrong.epoch_added += 7;
    bytes = room_leave_statement(&self->room, &self->bob, &wrong);
    leave.statement = buffer_view(&bytes);
    refused(&self->bob.events, VERB_leave, &leave, STATUS_ALREADY_LEFT);
    buffer_free(&bytes);
    /* What comes after is not bob's: another commit that leaves him in the tree. */
    draft_t *draft = draft_new(&self->room, &self->alice);
    assert_int_equal(draft_send(draft, &self->room, &self->alice), STATUS_OK);
    size_t events;
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 1, &head, &events), STATUS_OK);
    assert_int_equal(head, sequence);
    assert_int_equal(events, sequence - 1);
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, sequence, &head, &events),
                     STATUS_NOT_MEMBER);
    assert_int_equal(events, 0);
    assert_int_equal(room_send(&self->room, &self->bob, 1, NULL), STATUS_ALREADY_LEFT);
    /* The wait lasts until a commit removes bob; the statement is there for the admin. */
    assert_int_equal(room_send(&self->room, &self->carol, 1, NULL), STATUS_REKEY_DUE);
    poll_leaves_request_t poll = {0};
    message_t reply = {0};
    assert_int_equal(link_call(&self->alice.duties, VERB_poll_leaves, &poll, &reply), STATUS_OK);
    assert_int_equal(reply.body.poll_leaves_reply.leaves.count, 1);
    assert_int_equal(reply.body.poll_leaves_reply.leaves.items[0].sequence, sequence);
    message_wipe(&reply);
    draft = draft_new(&self->room, &self->alice);
    draft_remove(draft, room_find(&self->room, &self->bob)->leaf);
    assert_int_equal(draft_send(draft, &self->room, &self->alice), STATUS_OK);
    assert_int_equal(room_send(&self->room, &self->carol, 1, NULL), STATUS_OK);
    assert_int_equal(link_call(&self->alice.duties, VERB_poll_leaves, &poll, &reply), STATUS_OK);
    assert_int_equal(reply.body.poll_leaves_reply.leaves.count, 0);
    message_wipe(&reply);
    assert_int_equal(room_send(&self->room, &self->bob, 1, NULL), STATUS_NOT_MEMBER);
}

static void a_commit_clears_only_whom_it_removes(void **state)
{
    setting_t *self = *state;
    room_let_in(&self->room, &self->alice, &self->bob);
    room_let_in(&self->room, &self->alice, &self->carol);
    uint64_t first_ms = self->world->now_ms;
    assert_int_equal(room_leave(&self->room, &self->bob, NULL), STATUS_OK);
    world_pass(self->world, 20000);
    assert_int_equal(room_leave(&self->room, &self->carol, NULL), STATUS_OK);
    message_t reply = {0};
    assert_int_equal(room_poll(&self->room, &self->alice.events, 0, 1, &reply), STATUS_OK);
    assert_int_equal(reply.body.poll_messages_reply.states.items[0].rekey_due_since_ms, first_ms);
    message_wipe(&reply);
    draft_t *draft = draft_new(&self->room, &self->alice);
    draft_remove(draft, room_find(&self->room, &self->bob)->leaf);
    assert_int_equal(draft_send(draft, &self->room, &self->alice), STATUS_OK);
    assert_int_equal(room_poll(&self->room, &self->alice.events, 0, 1, &reply), STATUS_OK);
    assert_int_equal(reply.body.poll_messages_reply.states.items[0].rekey_due_since_ms,
                     first_ms + 20000);
    message_wipe(&reply);
    assert_int_equal(room_send(&self->room, &self->alice, 1, NULL), STATUS_REKEY_DUE);
    /* Carol comes back at once, in the same commit that removes her old leaf. */
    assert_int_equal(room_ask_join(&self->room, &self->carol), STATUS_OK);
    buffer_t bytes = room_join_request(&self->room, &self->carol);
    draft = draft_new(&self->room, &self->alice);
    draft_add(draft, &self->carol, buffer_view(&bytes));
    assert_int_equal(draft_send(draft, &self->room, &self->alice), STATUS_BAD_COMMIT);
    draft = draft_new(&self->room, &self->alice);
    draft_remove(draft, room_find(&self->room, &self->carol)->leaf);
    draft_add(draft, &self->carol, buffer_view(&bytes));
    assert_int_equal(draft_send(draft, &self->room, &self->alice), STATUS_OK);
    assert_int_equal(room_send(&self->room, &self->carol, 1, NULL), STATUS_OK);
    buffer_free(&bytes);
}

static void the_hold_time_ends(void **state)
{
    setting_t *self = *state;
    room_let_in(&self->room, &self->alice, &self->bob);
    assert_int_equal(room_leave(&self->room, &self->bob, NULL), STATUS_OK);
    world_pass(self->world, HOLD_DEFAULT_MS - 1);
    world_tick(self->world);
    assert_int_equal(room_send(&self->room, &self->alice, 1, NULL), STATUS_REKEY_DUE);
    world_pass(self->world, 1001);
    world_begin(self->world);
    rules_tick(self->world->rules);
    (void)world_finish(self->world);
    link_t *link = &self->alice.events;
    message_t push = {0};
    link_collect(&link, 1);
    assert_true(link_push(link, VERB_nudge, 0, &push));
    assert_int_equal(push.body.nudge_push.task, TASK_MESSAGES);
    message_wipe(&push);
    assert_int_equal(room_send(&self->room, &self->alice, 1, NULL), STATUS_OK);

    room_t other;
    assert_int_equal(room_create(&other, &self->alice, "never", HOLD_NEVER), STATUS_OK);
    room_let_in(&other, &self->alice, &self->carol);
    assert_int_equal(room_leave(&other, &self->carol, NULL), STATUS_OK);
    assert_int_equal(room_send(&other, &self->alice, 1, NULL), STATUS_OK);
    assert_int_equal(room_create(&other, &self->alice, "forever", HOLD_FOREVER), STATUS_OK);
    room_let_in(&other, &self->alice, &self->carol);
    assert_int_equal(room_leave(&other, &self->carol, NULL), STATUS_OK);
    world_pass(self->world, 100 * HOLD_DEFAULT_MS);
    person_login_both(&self->alice);
    assert_int_equal(room_send(&other, &self->alice, 1, NULL), STATUS_REKEY_DUE);
}

/* A clock that is set back holds nobody up for longer than the hold time. */
static void the_hold_time_ends_whatever_the_clock_says(void **state)
{
    setting_t *self = *state;
    room_let_in(&self->room, &self->alice, &self->bob);
    assert_int_equal(room_leave(&self->room, &self->bob, NULL), STATUS_OK);
    self->world->now_ms -= 1000 * HOLD_DEFAULT_MS;
    assert_int_equal(room_send(&self->room, &self->alice, 1, NULL), STATUS_REKEY_DUE);
    world_pass(self->world, HOLD_DEFAULT_MS);
    assert_int_equal(room_send(&self->room, &self->alice, 1, NULL), STATUS_OK);
    room_t other;
    assert_int_equal(room_create(&other, &self->alice, "other", HOLD_DEFAULT_MS), STATUS_OK);
    room_let_in(&other, &self->alice, &self->carol);
    assert_int_equal(room_leave(&other, &self->carol, NULL), STATUS_OK);
    self->world->now_ms -= 1000 * HOLD_DEFAULT_MS;
    world_restart(self->world);
    person_login_both(&self->alice);
    assert_int_equal(room_send(&other, &self->alice, 1, NULL), STATUS_REKEY_DUE);
    world_pass(self->world, HOLD_DEFAULT_MS);
    assert_int_equal(room_send(&other, &self->alice, 1, NULL), STATUS_OK);
}

/* What is left of an ended group is kept its time although the clock was set back. */
static void an_ended_group_outlives_a_clock_set_back(void **state)
{
    setting_t *self = *state;
    uint64_t sequence, again;
    assert_int_equal(room_leave(&self->room, &self->alice, &sequence), STATUS_OK);
    self->world->now_ms -= 60000;
    self->world->mono_ms += self->world->config.sweep_period_ms;
    for (int i = 0; i < 3; i++)
        world_tick(self->world);
    assert_int_equal(room_leave(&self->room, &self->alice, &again), STATUS_OK);
    assert_int_equal(sequence, again);
}

static bool count_record(void *context, const store_record_t *record)
{
    (void)record;
    ++*(size_t *)context;
    return true;
}

static size_t count_kind(world_t *world, uint8_t kind)
{
    uint8_t end = (uint8_t)(kind + 1);
    size_t count = 0;
    store_range_t range = {.from = &kind, .from_size = 1, .to = &end, .to_size = 1};
    assert_int_equal(store_range(world->store, &range, count_record, &count), STATUS_OK);
    return count;
}

/* Nothing of a group stays once it was swept: nobody gets a welcome to a room that is gone. */
static void a_swept_group_leaves_nothing(void **state)
{
    setting_t *self = *state;
    room_let_in(&self->room, &self->alice, &self->bob);
    assert_int_equal(room_ask_join(&self->room, &self->carol), STATUS_OK);
    assert_int_equal(room_leave(&self->room, &self->bob, NULL), STATUS_OK);
    assert_int_equal(room_leave(&self->room, &self->alice, NULL), STATUS_OK);
    assert_int_equal(count_kind(self->world, 'w'), 2);
    world_pass(self->world, self->world->config.retention_ms + 1);
    for (int i = 0; i < 3; i++)
        world_tick(self->world);
    for (const char *kind = "nhcemlrskjvwufq"; *kind; kind++)
        assert_int_equal(count_kind(self->world, (uint8_t)*kind), 0);
}

static void the_last_leave_ends_the_group(void **state)
{
    setting_t *self = *state;
    uint64_t sequence, again;
    room_t old = self->room;
    assert_int_equal(room_leave(&old, &self->alice, &sequence), STATUS_OK);
    assert_int_equal(room_leave(&old, &self->alice, &again), STATUS_OK);
    assert_int_equal(sequence, again);
    assert_int_equal(room_ask_join(&old, &self->bob), STATUS_UNKNOWN_GROUP);
    lookup_request_t lookup = {.name = old.name};
    assert_int_equal(link_ask(&self->bob.events, VERB_lookup, &lookup), STATUS_UNKNOWN_GROUP);
    assert_int_equal(room_create(&self->room, &self->bob, "room", 0), STATUS_OK);
    /* Alice may still read what was hers, until it is swept. */
    assert_int_equal(room_poll_state(&old, &self->alice.events, 0, NULL, NULL), STATUS_OK);
    self->world->config.retention_ms = 1000;
    self->world->config.sweep_period_ms = 0;
    world_restart(self->world);
    world_pass(self->world, 5000);
    for (int i = 0; i < 3; i++)
        world_tick(self->world);
    person_login_both(&self->alice);
    assert_int_equal(room_poll_state(&old, &self->alice.events, 0, NULL, NULL),
                     STATUS_UNKNOWN_GROUP);
    groups_request_t groups = {0};
    message_t reply = {0};
    assert_int_equal(link_call(&self->alice.events, VERB_groups, &groups, &reply), STATUS_OK);
    assert_int_equal(reply.body.groups_reply.memberships.count, 0);
    message_wipe(&reply);
}

static void groups_lists_present_and_past(void **state)
{
    setting_t *self = *state;
    uint64_t sequence;
    room_t other;
    assert_int_equal(room_create(&other, &self->bob, "other", 0), STATUS_OK);
    room_let_in(&self->room, &self->alice, &self->bob);
    assert_int_equal(room_leave(&self->room, &self->bob, &sequence), STATUS_OK);
    groups_request_t groups = {0};
    message_t reply = {0};
    assert_int_equal(link_call(&self->bob.events, VERB_groups, &groups, &reply), STATUS_OK);
    const groups_reply_t *body = &reply.body.groups_reply;
    assert_int_equal(body->memberships.count, 2);
    assert_string_equal(body->memberships.items[0].name.text, "other");
    assert_int_equal(body->memberships.items[0].role, ROLE_ADMIN);
    assert_int_equal(body->memberships.items[0].until_sequence, 0);
    assert_string_equal(body->memberships.items[1].name.text, "room");
    assert_int_equal(body->memberships.items[1].joined_sequence, 2);
    assert_int_equal(body->memberships.items[1].until_sequence, sequence);
    message_wipe(&reply);
}

static void giving_up_an_account_leaves_nothing_waiting(void **state)
{
    setting_t *self = *state;
    room_t other;
    assert_int_equal(room_create(&other, &self->carol, "other", 0), STATUS_OK);
    room_let_in(&other, &self->carol, &self->bob);
    assert_int_equal(room_leave(&other, &self->bob, NULL), STATUS_OK);
    assert_int_equal(room_ask_join(&self->room, &self->bob), STATUS_OK);
    assert_int_equal(count_kind(self->world, 'w'), 3);
    unregister_request_t request = {0};
    buffer_t statement = {0};
    statement_unregister(&statement, self->world->broker_key, "bob");
    person_sign(&self->bob, &statement, request.signature);
    assert_int_equal(link_ask(&self->bob.events, VERB_unregister, &request), STATUS_OK);
    poll_joins_request_t poll = {0};
    message_t reply = {0};
    assert_int_equal(link_call(&self->alice.duties, VERB_poll_joins, &poll, &reply), STATUS_OK);
    assert_int_equal(reply.body.poll_joins_reply.joins.count, 0);
    message_wipe(&reply);
    buffer_free(&statement);
    assert_int_equal(count_kind(self->world, 'w'), 2); /* alice's and carol's own */
    assert_int_equal(count_kind(self->world, 'q'), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(leaving_is_at_once),
        TEST(a_commit_clears_only_whom_it_removes),
        TEST(the_hold_time_ends),
        TEST(the_hold_time_ends_whatever_the_clock_says),
        TEST(an_ended_group_outlives_a_clock_set_back),
        TEST(a_swept_group_leaves_nothing),
        TEST(the_last_leave_ends_the_group),
        TEST(groups_lists_present_and_past),
        TEST(giving_up_an_account_leaves_nothing_waiting),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
