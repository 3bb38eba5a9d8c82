/* SPDX-License-Identifier: MPL-2.0 */
/* Groups, commits and joins: what is accepted, what is refused, and that a refusal changes nothing.
 */
#include "tests/unit/broker/rules_setting.h"

#include <stdio.h>

static void a_group_is_created_once(void **state)
{
    setting_t *self = *state;
    room_t room;
    room_start(&room, "den", &self->bob);
    buffer_t request = room_join_request(&room, &self->bob);
    draft_t *draft = draft_new(&room, &self->bob);
    draft_add(draft, &self->bob, buffer_view(&request));
    draft_set_role(draft, 0, ROLE_ADMIN);
    draft_seal(draft, &self->bob, false);
    create_request_t create = room_create_request(&room, draft, &request);
    link_t *link = &self->bob.duties;

    create_request_t bad = create;
    bad.name = (name_t){""};
    refused(link, VERB_create, &bad, STATUS_BAD_NAME);
    bad = create;
    bad.name = self->room.name;
    refused(link, VERB_create, &bad, STATUS_GROUP_TAKEN);
    bad = create;
    memcpy(bad.group, self->room.group, GROUP_ID_BYTES);
    refused(link, VERB_create, &bad, STATUS_GROUP_TAKEN);
    bad = create;
    bad.join_policy = JOIN_INVITE;
    refused(link, VERB_create, &bad, STATUS_BAD_TYPE);
    bad = create;
    bad.request.size--;
    refused(link, VERB_create, &bad, STATUS_BAD_JOIN);
    bad = create;
    bad.commit.size--;
    refused(link, VERB_create, &bad, STATUS_BAD_COMMIT);
    bad = create;
    bad.welcomes.count = 0;
    refused(link, VERB_create, &bad, STATUS_BAD_WELCOME);
    refused(&self->alice.duties, VERB_create, &create, STATUS_BAD_JOIN);

    message_t reply = {0};
    assert_int_equal(link_call(link, VERB_create, &create, &reply), STATUS_OK);
    assert_int_equal(reply.body.create_reply.sequence, 1);
    uint64_t time_ms = reply.body.create_reply.time_ms;
    message_wipe(&reply);
    world_pass(self->world, 5);
    assert_int_equal(link_call(link, VERB_create, &create, &reply), STATUS_OK);
    assert_int_equal(reply.body.create_reply.sequence, 1);
    assert_int_equal(reply.body.create_reply.time_ms, time_ms);
    message_wipe(&reply);
    draft_free(draft);
    buffer_free(&request);
}

static void lookup_tells_what_a_newcomer_needs(void **state)
{
    setting_t *self = *state;
    lookup_request_t lookup = {.name = self->room.name};
    message_t reply = {0};
    assert_int_equal(link_call(&self->bob.events, VERB_lookup, &lookup, &reply), STATUS_OK);
    const lookup_reply_t *body = &reply.body.lookup_reply;
    assert_memory_equal(body->group, self->room.group, GROUP_ID_BYTES);
    assert_memory_equal(body->transcript, self->room.transcript, HASH_BYTES);
    assert_memory_equal(body->creator_key, self->alice.public_key, KEY_BYTES);
    assert_int_equal(body->epoch, 1);
    assert_int_equal(body->members, 1);
    assert_string_equal(body->creator.text, "alice");
    message_wipe(&reply);
    lookup.name = (name_t){"nowhere"};
    assert_int_equal(link_ask(&self->bob.events, VERB_lookup, &lookup), STATUS_UNKNOWN_GROUP);
    lookup.name = (name_t){""};
    assert_int_equal(link_ask(&self->bob.events, VERB_lookup, &lookup), STATUS_BAD_NAME);
}

static void a_join_is_served_by_a_commit(void **state)
{
    setting_t *self = *state;
    message_t reply = {0}, push = {0};
    buffer_t bytes = room_join_request(&self->room, &self->bob);
    join_request_t join = {.request = buffer_view(&bytes)};
    memcpy(join.group, self->room.group, GROUP_ID_BYTES);
    world_begin(self->world);
    uint64_t id = link_send(&self->bob.events, VERB_join, &join);
    (void)world_finish(self->world);
    link_t *links[] = {&self->bob.events, &self->alice.duties};
    link_collect(links, 2);
    assert_true(link_reply(&self->bob.events, id, &reply));
    assert_int_equal(reply.status, STATUS_OK);
    assert_int_equal(reply.body.join_reply.epoch, 1);
    message_wipe(&reply);
    assert_true(link_push(&self->alice.duties, VERB_nudge, 0, &push));
    assert_int_equal(push.body.nudge_push.task, TASK_JOINS);
    message_wipe(&push);

    poll_joins_request_t poll = {0};
    assert_int_equal(link_call(&self->alice.duties, VERB_poll_joins, &poll, &reply), STATUS_OK);
    assert_int_equal(reply.body.poll_joins_reply.joins.count, 1);
    const pending_join_record_t *waiting = &reply.body.poll_joins_reply.joins.items[0];
    assert_string_equal(waiting->name.text, "bob");
    assert_int_equal(waiting->request.size, bytes.size);
    assert_memory_equal(waiting->request.data, bytes.data, bytes.size);
    message_wipe(&reply);
    /* Not bob's business. */
    assert_int_equal(link_call(&self->bob.duties, VERB_poll_joins, &poll, &reply), STATUS_OK);
    assert_int_equal(reply.body.poll_joins_reply.joins.count, 0);
    message_wipe(&reply);

    draft_t *draft = draft_new(&self->room, &self->alice);
    draft_add(draft, &self->bob, buffer_view(&bytes));
    assert_int_equal(draft_send(draft, &self->room, &self->alice), STATUS_OK);
    assert_int_equal(link_call(&self->alice.duties, VERB_poll_joins, &poll, &reply), STATUS_OK);
    assert_int_equal(reply.body.poll_joins_reply.joins.count, 0);
    message_wipe(&reply);

    poll_keys_request_t keys = {0};
    assert_int_equal(link_call(&self->bob.events, VERB_poll_keys, &keys, &reply), STATUS_OK);
    assert_int_equal(reply.body.poll_keys_reply.keys.count, 1);
    const pending_key_record_t *key = &reply.body.poll_keys_reply.keys.items[0];
    assert_string_equal(key->group_name.text, "room");
    assert_int_equal(key->commit_sequence, 2);
    cursor_record_t done = {.cursor = key->commit_sequence};
    memcpy(done.group, self->room.group, GROUP_ID_BYTES);
    message_wipe(&reply);
    keys.done.items = &done;
    keys.done.count = 1;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(link_call(&self->bob.events, VERB_poll_keys, &keys, &reply), STATUS_OK);
        assert_int_equal(reply.body.poll_keys_reply.keys.count, 0);
        message_wipe(&reply);
    }
    assert_int_equal(room_ask_join(&self->room, &self->bob), STATUS_ALREADY_MEMBER);
    buffer_free(&bytes);
}

static void bad_join_requests_are_refused(void **state)
{
    setting_t *self = *state;
    buffer_t bytes = room_join_request(&self->room, &self->bob);
    join_request_t join = {.request = buffer_view(&bytes)};
    memcpy(join.group, self->room.group, GROUP_ID_BYTES);
    refused(&self->carol.events, VERB_join, &join, STATUS_BAD_JOIN);
    join.request.size--;
    refused(&self->bob.events, VERB_join, &join, STATUS_BAD_JOIN);
    join.request.size++;
    bytes.data[bytes.size - 1] ^= 1;
    refused(&self->bob.events, VERB_join, &join, STATUS_BAD_SIGNATURE);
    bytes.data[bytes.size - 1] ^= 1;
    join.group[0] ^= 1;
    refused(&self->bob.events, VERB_join, &join, STATUS_UNKNOWN_GROUP);
    buffer_free(&bytes);
    /* Another key than the registered one */
    person_t twin;
    person_make(&twin, self->world, "bob");
    bytes = room_join_request(&self->room, &twin);
    join.request = buffer_view(&bytes);
    memcpy(join.group, self->room.group, GROUP_ID_BYTES);
    refused(&self->bob.events, VERB_join, &join, STATUS_BAD_SIGNATURE);
    buffer_free(&bytes);
}

static void pending_joins_are_bounded(void **state)
{
    setting_t *self = *state;
    self->world->config.pending_joins_max = 1;
    world_restart(self->world);
    person_login_both(&self->bob);
    person_login_both(&self->carol);
    assert_int_equal(room_ask_join(&self->room, &self->bob), STATUS_OK);
    assert_int_equal(room_ask_join(&self->room, &self->bob), STATUS_OK);
    assert_int_equal(room_ask_join(&self->room, &self->carol), STATUS_TOO_MANY);
}

static void joins_are_rate_limited(void **state)
{
    setting_t *self = *state;
    self->world->config.membership_user = (rules_rate_t){.burst = 3, .per_minute = 60};
    world_restart(self->world);
    person_login_both(&self->bob);
    for (int i = 0; i < 3; i++)
        assert_int_equal(room_ask_join(&self->room, &self->bob), STATUS_OK);
    assert_int_equal(room_ask_join(&self->room, &self->bob), STATUS_RATE_LIMITED);
    world_pass(self->world, 1000);
    assert_int_equal(room_ask_join(&self->room, &self->bob), STATUS_OK);
}

/* Who waits behind more requests than one reply takes is reached by polling on, even if the admin
 * serves none of those before. */
static void polls_for_joins_go_on_where_they_stopped(void **state)
{
    setting_t *self = *state;
    enum { WAITING = 2 * PENDING_PER_REPLY_MAX + 3 };
    room_t second;
    assert_int_equal(room_create(&second, &self->alice, "second", 0), STATUS_OK);
    for (int i = 0; i < WAITING; i++) {
        person_t person;
        char name[16];
        snprintf(name, sizeof name, "p%03d", i);
        person_arrive(&person, self->world, name);
        assert_int_equal(room_ask_join(i % 3 ? &self->room : &second, &person), STATUS_OK);
        person_free(&person);
    }
    for (int pass = 0; pass < 2; pass++) {
        bool seen[WAITING] = {false};
        size_t count = 0;
        uint64_t more = 1;
        for (int polls = 0; more; polls++) {
            poll_joins_request_t poll = {0};
            message_t reply = {0};
            assert_true(polls < 4);
            assert_int_equal(link_call(&self->alice.duties, VERB_poll_joins, &poll, &reply),
                             STATUS_OK);
            const poll_joins_reply_t *body = &reply.body.poll_joins_reply;
            for (size_t i = 0; i < body->joins.count; i++) {
                int who = atoi(body->joins.items[i].name.text + 1);
                assert_false(seen[who]);
                seen[who] = true;
            }
            count += body->joins.count;
            more = body->more;
            message_wipe(&reply);
        }
        assert_int_equal(count, WAITING);
    }
}

static void nobody_is_added_unasked(void **state)
{
    setting_t *self = *state;
    buffer_t bytes = room_join_request(&self->room, &self->bob); /* never sent */
    draft_t *draft = draft_new(&self->room, &self->alice);
    draft_add(draft, &self->bob, buffer_view(&bytes));
    draft_seal(draft, &self->alice, false);
    commit_request_t request = draft_request(draft);
    refused(&self->alice.duties, VERB_commit, &request, STATUS_BAD_COMMIT);
    assert_int_equal(room_ask_join(&self->room, &self->bob), STATUS_OK);
    assert_int_equal(link_ask(&self->alice.duties, VERB_commit, &request), STATUS_OK);
    draft_free(draft);
    buffer_free(&bytes);
}

static void one_user_asks_for_so_many_groups_only(void **state)
{
    setting_t *self = *state;
    self->world->config.groups_per_user_max = 3;
    world_restart(self->world);
    person_login_both(&self->alice);
    person_login_both(&self->bob);
    room_t rooms[4];
    for (int i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "r%d", i);
        person_t *creator = i < 2 ? &self->alice : &self->carol;
        if (i == 2)
            person_login_both(creator);
        assert_int_equal(room_create(&rooms[i], creator, name, 0), STATUS_OK);
        assert_int_equal(room_ask_join(&rooms[i], &self->bob), STATUS_OK);
    }
    assert_int_equal(room_create(&rooms[3], &self->carol, "r3", 0), STATUS_OK);
    assert_int_equal(room_ask_join(&rooms[3], &self->bob), STATUS_TOO_MANY);
    assert_int_equal(room_ask_join(&rooms[0], &self->bob), STATUS_OK); /* in place of the first */
}

static void commits_are_compared_and_swapped(void **state)
{
    setting_t *self = *state;
    room_let_in(&self->room, &self->alice, &self->bob);
    draft_t *first = draft_new(&self->room, &self->alice);
    draft_t *second = draft_new(&self->room, &self->alice);
    draft_seal(first, &self->alice, false);
    draft_seal(second, &self->alice, false);
    commit_request_t request = draft_request(first);
    message_t reply = {0};
    refused(&self->bob.duties, VERB_commit, &request, STATUS_NOT_ADMIN);
    refused(&self->carol.duties, VERB_commit, &request, STATUS_NOT_MEMBER);
    assert_int_equal(link_call(&self->alice.duties, VERB_commit, &request, &reply), STATUS_OK);
    uint64_t sequence = reply.body.commit_reply.sequence, time_ms = reply.body.commit_reply.time_ms;
    message_wipe(&reply);
    self->room = first->after;

    world_pass(self->world, 7);
    assert_int_equal(link_call(&self->alice.duties, VERB_commit, &request, &reply), STATUS_OK);
    assert_int_equal(reply.body.commit_reply.sequence, sequence);
    assert_int_equal(reply.body.commit_reply.time_ms, time_ms);
    message_wipe(&reply);

    commit_request_t late = draft_request(second);
    refused(&self->alice.duties, VERB_commit, &late, STATUS_STALE_EPOCH);
    assert_int_equal(link_call(&self->alice.duties, VERB_commit, &late, &reply),
                     STATUS_STALE_EPOCH);
    assert_int_equal(reply.body.commit_reply.winner.size, first->bytes.size);
    assert_memory_equal(reply.body.commit_reply.winner.data, first->bytes.data, first->bytes.size);
    message_wipe(&reply);

    draft_t *ahead = draft_new(&self->room, &self->alice);
    ahead->commit.epoch++;
    draft_seal(ahead, &self->alice, false);
    request = draft_request(ahead);
    refused(&self->alice.duties, VERB_commit, &request, STATUS_EPOCH_AHEAD);
    draft_free(first);
    draft_free(second);
    draft_free(ahead);
}

/* Each changes a good draft that adds carol, and says what it must be refused with. */
static status_t forge(setting_t *self, draft_t *draft, unsigned which)
{
    switch (which) {
    case 0: /* signed by somebody else */
        draft_seal(draft, &self->carol, false);
        return STATUS_BAD_SIGNATURE;
    case 1: /* another history */
        draft->commit.transcript[0] ^= 1;
        draft_seal(draft, &self->alice, false);
        return STATUS_BAD_COMMIT;
    case 2: /* another roster root */
        draft->commit.roster_root[0] ^= 1;
        draft_seal(draft, &self->alice, true);
        return STATUS_BAD_COMMIT;
    case 3: /* another key than carol's */
        draft->adds[0].identity_key[0] ^= 1;
        draft_seal(draft, &self->alice, false);
        return STATUS_BAD_COMMIT;
    case 4: /* a name nobody registered */
        draft->adds[0].name = (name_t){"ghost"};
        draft_seal(draft, &self->alice, false);
        return STATUS_BAD_COMMIT;
    case 5: /* bob once more */
        draft->adds[0].name = self->bob.name;
        memcpy(draft->adds[0].identity_key, self->bob.public_key, KEY_BYTES);
        draft_seal(draft, &self->alice, false);
        return STATUS_BAD_COMMIT;
    case 6: /* bob's leaf */
        draft->adds[0].leaf = 1;
        draft_seal(draft, &self->alice, false);
        return STATUS_BAD_COMMIT;
    case 7: /* bob's leaf as the committer's */
        draft->commit.committer = 1;
        draft_seal(draft, &self->alice, false);
        return STATUS_NOT_YOUR_LEAF;
    case 8: /* a removal of nobody */
        draft->removals[draft->commit.removal_count++] = (commit_removal_t){.leaf = 3};
        draft->removals[0].name = self->bob.name;
        draft_seal(draft, &self->alice, false);
        return STATUS_BAD_COMMIT;
    case 9: /* the committer removes itself */
        draft_remove(draft, 0);
        draft_seal(draft, &self->alice, false);
        return STATUS_BAD_COMMIT;
    case 10: /* no admin is left */
        draft_set_role(draft, 0, ROLE_MEMBER);
        draft_seal(draft, &self->alice, false);
        return STATUS_BAD_COMMIT;
    case 11: /* grows without need */
        draft->after.depth++;
        draft_seal(draft, &self->alice, false);
        return STATUS_BAD_COMMIT;
    case 12:
        draft_seal(draft, &self->alice, false);
        draft->bytes.size--;
        return STATUS_BAD_COMMIT;
    case 13:
        draft_seal(draft, &self->alice, false);
        draft->welcome_count = 0;
        return STATUS_BAD_WELCOME;
    case 14:
        draft_seal(draft, &self->alice, false);
        draft->welcomes[0].recipient = self->bob.name;
        return STATUS_BAD_WELCOME;
    case 15: /* another group's */
        draft->commit.group[0] ^= 1;
        draft_seal(draft, &self->alice, false);
        draft->commit.group[0] ^= 1;
        return STATUS_BAD_COMMIT;
    default: /* a tag that was not signed */
        draft_seal(draft, &self->alice, false);
        draft->bytes.data[draft->bytes.size - COMMIT_TRAILER_BYTES] ^= 1;
        return STATUS_BAD_SIGNATURE;
    }
}

static void forged_commits_change_nothing(void **state)
{
    setting_t *self = *state;
    room_let_in(&self->room, &self->alice, &self->bob);
    assert_int_equal(room_ask_join(&self->room, &self->carol), STATUS_OK);
    buffer_t bytes = room_join_request(&self->room, &self->carol);
    for (unsigned which = 0; which <= 16; which++) {
        draft_t *draft = draft_new(&self->room, &self->alice);
        draft_add(draft, &self->carol, buffer_view(&bytes));
        status_t expected = forge(self, draft, which);
        commit_request_t request = draft_request(draft);
        refused(&self->alice.duties, VERB_commit, &request, expected);
        draft_free(draft);
    }
    draft_t *draft = draft_new(&self->room, &self->alice);
    draft_add(draft, &self->carol, buffer_view(&bytes));
    assert_int_equal(draft_send(draft, &self->room, &self->alice), STATUS_OK);
    buffer_free(&bytes);
}

static void the_roster_is_proven(void **state)
{
    setting_t *self = *state;
    room_let_in(&self->room, &self->alice, &self->bob);
    room_let_in(&self->room, &self->alice, &self->carol);
    message_t reply = {0};
    roster_request_t page = {.first_leaf = 0, .count = 2};
    memcpy(page.group, self->room.group, GROUP_ID_BYTES);
    assert_int_equal(link_call(&self->bob.events, VERB_roster, &page, &reply), STATUS_OK);
    assert_int_equal(reply.body.roster_reply.entries.count, 2);
    assert_int_equal(reply.body.roster_reply.next_leaf, 2);
    assert_int_equal(reply.body.roster_reply.depth, 2);
    message_wipe(&reply);
    page.first_leaf = 2;
    assert_int_equal(link_call(&self->bob.events, VERB_roster, &page, &reply), STATUS_OK);
    assert_int_equal(reply.body.roster_reply.entries.count, 1);
    assert_string_equal(reply.body.roster_reply.entries.items[0].name.text, "carol");
    assert_int_equal(reply.body.roster_reply.next_leaf, UINT32_MAX);
    message_wipe(&reply);

    roster_nodes_t nodes = room_nodes(&self->room);
    uint8_t root[HASH_BYTES];
    roster_root(&nodes, self->room.depth, root);
    roster_proof_request_t ask = {.leaf = 1};
    memcpy(ask.group, self->room.group, GROUP_ID_BYTES);
    assert_int_equal(link_call(&self->carol.events, VERB_roster_proof, &ask, &reply), STATUS_OK);
    const roster_proof_reply_t *proof = &reply.body.roster_proof_reply;
    assert_int_equal(proof->proof.count, 2);
    assert_int_equal(
        roster_proof_verify(&self->room.leaves[1].member, proof->proof.items[0].hash, 2, root),
        STATUS_OK);
    message_wipe(&reply);
    ask.leaf = 3;
    assert_int_equal(link_ask(&self->carol.events, VERB_roster_proof, &ask), STATUS_UNKNOWN_LEAF);
    ask.leaf = UINT64_MAX;
    assert_int_equal(link_ask(&self->carol.events, VERB_roster_proof, &ask), STATUS_UNKNOWN_LEAF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_group_is_created_once),
        TEST(lookup_tells_what_a_newcomer_needs),
        TEST(a_join_is_served_by_a_commit),
        TEST(bad_join_requests_are_refused),
        TEST(pending_joins_are_bounded),
        TEST(joins_are_rate_limited),
        TEST(polls_for_joins_go_on_where_they_stopped),
        TEST(nobody_is_added_unasked),
        TEST(one_user_asks_for_so_many_groups_only),
        TEST(commits_are_compared_and_swapped),
        TEST(forged_commits_change_nothing),
        TEST(the_roster_is_proven),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
