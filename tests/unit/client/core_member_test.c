/* SPDX-License-Identifier: MPL-2.0 */
/* The member core in a real group of two: outbox, lines in order, and what a lying broker can't do.
 */
#include "tests/unit/client/core_peer.h"

#include <stdio.h>

#include <sodium.h>

#include "client/core/line_row.h"
#include "client/keys/commit_build.h"
#include "client/keys/group_state.h"
#include "proto/roster.h"

/* bob is under test; alice (creator, admin) is played by the test with real keys. */
typedef struct {
    peer_t bob;
    identity_t *alice;
    holder_t *holder;
    group_state_t *alice_keys;
    uint8_t group[GROUP_ID_BYTES];
    buffer_t last_commit;
    buffer_t welcome;
    uint64_t sequence;
    uint64_t alice_number;
} room_t;

static void adopt(room_t *self, const commit_plan_t *plan)
{
    prepared_commit_t *prepared = NULL;
    assert_int_equal(commit_build(self->holder, self->alice, plan, &prepared), STATUS_OK);
    buffer_clear(&self->last_commit);
    buffer_append(&self->last_commit, prepared->commit.data, prepared->commit.size);
    buffer_clear(&self->welcome);
    if (prepared->welcome_count)
        buffer_append(&self->welcome, prepared->welcomes[0].sealed.data,
                      prepared->welcomes[0].sealed.size);
    assert_int_equal(holder_adopt(self->holder, &prepared), STATUS_OK);
}

static void found(room_t *self)
{
    name_t name;
    assert_int_equal(name_parse(&name, "room"), STATUS_OK);
    self->alice = peer_identity("alice");
    memset(self->group, 9, sizeof self->group);
    self->holder = holder_new(self->group, &name, self->alice);
    buffer_t request = {0};
    secret_t prekey;
    identity_make_join_request(self->alice, self->group, holder_transcript(self->holder), &request,
                               &prekey);
    served_request_t served;
    assert_int_equal(holder_check_request(self->holder, buffer_view(&request), &served), STATUS_OK);
    commit_role_t role = {0, ROLE_ADMIN};
    adopt(self, &(commit_plan_t){.adds = &served, .add_count = 1, .roles = &role, .role_count = 1});
    assert_int_equal(
        group_state_from_welcome(&self->alice_keys, self->alice, buffer_view(&self->welcome),
                                 buffer_view(&self->last_commit), buffer_view(&request), &prekey),
        STATUS_OK);
    buffer_free(&request);
    self->sequence = 1;
}

static void drain_polls(room_t *self)
{
    uint64_t id;
    while ((id = peer_asked(&self->bob, VERB_poll_keys, NULL, NULL)))
        peer_reply(&self->bob, VERB_poll_keys, id, STATUS_OK, NULL);
    while ((id = peer_asked(&self->bob, VERB_poll_messages, NULL, NULL)))
        peer_reply(&self->bob, VERB_poll_messages, id, STATUS_OK, NULL);
}

static void push_event(room_t *self, uint64_t sequence, uint64_t kind, const char *sender,
                       bytes_t payload)
{
    event_record_t event = {
        .sequence = sequence, .time_ms = 1000 + sequence, .kind = kind, .payload = payload};
    memcpy(event.group, self->group, GROUP_ID_BYTES);
    assert_int_equal(name_parse(&event.sender, sender), STATUS_OK);
    events_push_t push = {.events = {&event, 1}};
    buffer_t frame = {0};
    message_write_push(&frame, VERB_events, 1, &push);
    peer_frame(&self->bob, &frame);
    buffer_free(&frame);
}

static void let_bob_in(room_t *self)
{
    name_t name = *holder_group_name(self->holder);
    peer_request(&self->bob, LOCAL_VERB_join, 50, &(local_join_request_t){.name = name});
    lookup_reply_t lookup = {.epoch = 1, .members = 1, .creator = *identity_name(self->alice)};
    memcpy(lookup.group, self->group, GROUP_ID_BYTES);
    memcpy(lookup.transcript, holder_transcript(self->holder), HASH_BYTES);
    memcpy(lookup.creator_key, identity_key(self->alice), KEY_BYTES);
    peer_answer(&self->bob, VERB_lookup, STATUS_OK, &lookup);
    message_t asked;
    buffer_t frame;
    uint64_t id = peer_asked(&self->bob, VERB_join, &asked, &frame);
    assert_int_not_equal(id, 0);
    served_request_t served;
    assert_int_equal(holder_check_request(self->holder, asked.body.join_request.request, &served),
                     STATUS_OK);
    adopt(self, &(commit_plan_t){.adds = &served, .add_count = 1});
    message_wipe(&asked);
    buffer_free(&frame);
    peer_reply(&self->bob, VERB_join, id, STATUS_OK, NULL);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_join), STATUS_OK);
    commit_outcome_t outcome;
    assert_int_equal(
        group_state_apply_commit(self->alice_keys, buffer_view(&self->last_commit), &outcome),
        STATUS_OK);
    drain_polls(self);
    peer_time(&self->bob, 1000);
    pending_key_record_t key = {.commit_sequence = ++self->sequence,
                                .sealed = buffer_view(&self->welcome)};
    memcpy(key.group, self->group, GROUP_ID_BYTES);
    key.group_name = name;
    peer_answer(&self->bob, VERB_poll_keys, STATUS_OK, &(poll_keys_reply_t){.keys = {&key, 1}});
    push_event(self, self->sequence, EVENT_COMMIT, "alice", buffer_view(&self->last_commit));
    drain_polls(self);
}

static int set_up(void **state)
{
    room_t *self = mem_zalloc(1, sizeof *self);
    *state = self;
    self->bob = (peer_t){.make = member_core_new, .now = {1700000000000u, 1000}};
    self->bob.identity = peer_identity("bob");
    self->bob.vault = vault_memory_new();
    found(self);
    peer_start(&self->bob);
    peer_login(&self->bob);
    drain_polls(self);
    peer_request(&self->bob, LOCAL_VERB_subscribe, 49, &(local_subscribe_request_t){.unshown = 1});
    let_bob_in(self);
    self->alice_number = 1;
    return 0;
}

static int tear_down(void **state)
{
    room_t *self = *state;
    peer_wipe(&self->bob);
    group_state_destroy(&self->alice_keys);
    holder_destroy(&self->holder);
    identity_destroy(&self->alice);
    buffer_free(&self->last_commit);
    buffer_free(&self->welcome);
    free(self);
    return 0;
}

/* The next line shown, as "text" or "!notice"; *late may be NULL. */
static void expect_line(room_t *self, const char *expected, bool *late)
{
    local_message_t message;
    buffer_t frame;
    if (!peer_shown(&self->bob, MESSAGE_PUSH, LOCAL_VERB_line, &message, &frame)) {
        assert_null(expected);
        return;
    }
    const local_line_push_t *push = &message.body.line_push;
    char seen[512] = "";
    for (size_t i = 0; i < push->lines.count; i++) {
        const local_line_record_t *line = &push->lines.items[i];
        size_t used = strlen(seen);
        bool is_notice = line->kind == LINE_NOTICE;
        text_t text = is_notice ? line->notice : line->text;
        snprintf(seen + used, sizeof seen - used, "%s%s%.*s", i ? "|" : "", is_notice ? "!" : "",
                 (int)text.size, text.data);
    }
    if (late)
        *late = push->late != 0;
    local_message_wipe(&message);
    buffer_free(&frame);
    assert_non_null(expected);
    assert_string_equal(seen, expected);
}

static void alice_seals(room_t *self, const char *text, uint64_t number, buffer_t *out)
{
    buffer_t content = {0};
    assert_int_equal(text_content_write(5, text_of(text), &content), STATUS_OK);
    assert_int_equal(group_state_seal(self->alice_keys, self->alice, MESSAGE_TYPE_TEXT, number,
                                      buffer_view(&content), out, NULL),
                     STATUS_OK);
    buffer_wipe(&content);
}

static void alice_says(room_t *self, const char *text)
{
    buffer_t sealed = {0};
    alice_seals(self, text, self->alice_number++, &sealed);
    push_event(self, ++self->sequence, EVENT_MESSAGE, "alice", buffer_view(&sealed));
    buffer_free(&sealed);
}

/* The roster has two leaves: alice's proof is bob's leaf hash. */
static void prove_alice(room_t *self, bool is_true)
{
    uint64_t id = peer_asked(&self->bob, VERB_roster_proof, NULL, NULL);
    assert_int_not_equal(id, 0);
    const roster_member_t *alice = roster_table_get(holder_roster(self->holder), leaf_index(0));
    const roster_member_t *bob = roster_table_get(holder_roster(self->holder), leaf_index(1));
    roster_entry_record_t entry = {
        .leaf = 0, .name = alice->name, .epoch_added = alice->epoch_added, .role = alice->role};
    memcpy(entry.identity_key, alice->identity_key, KEY_BYTES);
    if (!is_true)
        entry.identity_key[0] ^= 1;
    hash_record_t proof;
    roster_leaf_hash(proof.hash, bob);
    roster_proof_reply_t reply = {
        .epoch = holder_epoch(self->holder), .entries = {&entry, 1}, .proof = {&proof, 1}};
    peer_reply(&self->bob, VERB_roster_proof, id, STATUS_OK, &reply);
}

static void test_joined_by_welcome(void **state)
{
    room_t *self = *state;
    expect_line(self, "!joined", NULL);
    expect_line(self, NULL, NULL);
}

static void test_lines_wait_for_the_proof_and_keep_their_order(void **state)
{
    room_t *self = *state;
    expect_line(self, "!joined", NULL);
    alice_says(self, "one");
    alice_says(self, "two");
    expect_line(self, NULL, NULL);
    prove_alice(self, true);
    expect_line(self, "one|two", NULL);
    alice_says(self, "three");
    expect_line(self, "three", NULL);
}

static void test_patience_ends_with_a_placeholder_resolved_late(void **state)
{
    room_t *self = *state;
    bool late;
    expect_line(self, "!joined", NULL);
    alice_says(self, "one");
    peer_time(&self->bob, 1000);
    expect_line(self, "!undecryptable", &late);
    assert_false(late);
    prove_alice(self, true);
    expect_line(self, "one", &late);
    assert_true(late);
    expect_line(self, NULL, NULL);
}

static void test_waiting_line_survives_a_restart(void **state)
{
    room_t *self = *state;
    alice_says(self, "one");
    peer_stop(&self->bob);
    peer_start(&self->bob);
    peer_login(&self->bob);
    peer_request(&self->bob, LOCAL_VERB_subscribe, 60, &(local_subscribe_request_t){.unshown = 1});
    expect_line(self, "!joined|!undecryptable", NULL);
    prove_alice(self, true);
    bool late;
    expect_line(self, "one", &late);
    assert_true(late);
}

static void test_false_proof_is_not_believed(void **state)
{
    room_t *self = *state;
    expect_line(self, "!joined", NULL);
    alice_says(self, "one");
    prove_alice(self, false);
    expect_line(self, NULL, NULL);
    peer_time(&self->bob, 1000); /* asked again, and told the truth */
    expect_line(self, "!undecryptable", NULL);
    prove_alice(self, true);
    expect_line(self, "one", NULL);
}

static void test_replayed_and_forged_messages_leave_a_notice(void **state)
{
    room_t *self = *state;
    expect_line(self, "!joined", NULL);
    buffer_t sealed = {0};
    alice_seals(self, "one", self->alice_number++, &sealed);
    push_event(self, ++self->sequence, EVENT_MESSAGE, "alice", buffer_view(&sealed));
    prove_alice(self, true);
    expect_line(self, "one", NULL);
    push_event(self, ++self->sequence, EVENT_MESSAGE, "alice", buffer_view(&sealed));
    expect_line(self, "!undecryptable", NULL);
    buffer_clear(&sealed);
    alice_seals(self, "two", self->alice_number, &sealed);
    sealed.data[sealed.size - 1] ^= 1;
    push_event(self, ++self->sequence, EVENT_MESSAGE, "alice", buffer_view(&sealed));
    expect_line(self, "!undecryptable", NULL);
    push_event(self, ++self->sequence, EVENT_MESSAGE, "alice", (bytes_t){sealed.data, 3});
    expect_line(self, "!undecryptable", NULL);
    sealed.data[sealed.size - 1] ^= 1; /* the true one still opens: nothing has changed */
    push_event(self, ++self->sequence, EVENT_MESSAGE, "alice", buffer_view(&sealed));
    expect_line(self, "two", NULL);
    buffer_free(&sealed);
}

static void test_gaps_and_duplicates_by_number(void **state)
{
    room_t *self = *state;
    expect_line(self, "!joined", NULL);
    alice_says(self, "one");
    prove_alice(self, true);
    expect_line(self, "one", NULL);
    self->alice_number = 1;
    alice_says(self, "one again");
    expect_line(self, "!undecryptable", NULL);
    self->alice_number = 4;
    alice_says(self, "four");
    expect_line(self, "!gap|four", NULL);
}

static void test_a_lost_push_makes_a_poll(void **state)
{
    room_t *self = *state;
    expect_line(self, "!joined", NULL);
    buffer_t sealed = {0};
    alice_seals(self, "one", 1, &sealed);
    push_event(self, self->sequence + 2, EVENT_MESSAGE, "alice", buffer_view(&sealed));
    buffer_free(&sealed);
    expect_line(self, NULL, NULL);
    message_t asked;
    buffer_t frame;
    assert_int_not_equal(peer_asked(&self->bob, VERB_poll_messages, &asked, &frame), 0);
    assert_int_equal(asked.body.poll_messages_request.cursors.count, 1);
    assert_int_equal(asked.body.poll_messages_request.cursors.items[0].cursor, self->sequence);
    message_wipe(&asked);
    buffer_free(&frame);
}

static void test_forged_commit_changes_nothing(void **state)
{
    room_t *self = *state;
    expect_line(self, "!joined", NULL);
    adopt(self, &(commit_plan_t){0});
    self->last_commit.data[self->last_commit.size - 1] ^= 1;
    push_event(self, self->sequence + 1, EVENT_COMMIT, "alice", buffer_view(&self->last_commit));
    expect_line(self, "!undecryptable", NULL);
    push_event(self, self->sequence + 1, EVENT_COMMIT, "alice", buffer_view(&self->last_commit));
    expect_line(self, NULL, NULL); /* said once */
    self->last_commit.data[self->last_commit.size - 1] ^= 1;
    push_event(self, ++self->sequence, EVENT_COMMIT, "alice", buffer_view(&self->last_commit));
    expect_line(self, "!rekeyed", NULL);
}

/* Bob types; the sealed bytes that leave, moved to *sealed. */
static uint64_t bob_sends(room_t *self, uint64_t request, const char *text, buffer_t *sealed)
{
    local_send_request_t body = {.name = *holder_group_name(self->holder), .text = text_of(text)};
    peer_request(&self->bob, LOCAL_VERB_send, request, &body);
    message_t asked;
    buffer_t frame;
    uint64_t id = peer_asked(&self->bob, VERB_send, &asked, &frame);
    if (!id)
        return 0;
    buffer_clear(sealed);
    buffer_append(sealed, asked.body.send_request.sealed.data, asked.body.send_request.sealed.size);
    message_wipe(&asked);
    buffer_free(&frame);
    return id;
}

static bool resent(room_t *self, const buffer_t *sealed, uint64_t *id)
{
    message_t asked;
    buffer_t frame;
    *id = peer_asked(&self->bob, VERB_send, &asked, &frame);
    assert_int_not_equal(*id, 0);
    bytes_t bytes = asked.body.send_request.sealed;
    bool is_same = bytes.size == sealed->size && !memcmp(bytes.data, sealed->data, bytes.size);
    message_wipe(&asked);
    buffer_free(&frame);
    return is_same;
}

static void test_send_is_acked_then_shown(void **state)
{
    room_t *self = *state;
    expect_line(self, "!joined", NULL);
    buffer_t sealed = {0};
    uint64_t id = bob_sends(self, 70, "hi", &sealed);
    assert_int_not_equal(id, 0);
    send_reply_t reply = {.sequence = self->sequence + 1, .time_ms = 5};
    peer_reply(&self->bob, VERB_send, id, STATUS_OK, &reply);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_send), STATUS_OK);
    expect_line(self, NULL, NULL);
    push_event(self, ++self->sequence, EVENT_MESSAGE, "bob", buffer_view(&sealed));
    expect_line(self, "hi", NULL);
    buffer_free(&sealed);
}

static void test_own_message_in_the_log_is_an_ack(void **state)
{
    room_t *self = *state;
    expect_line(self, "!joined", NULL);
    buffer_t sealed = {0};
    uint64_t id = bob_sends(self, 70, "hi", &sealed);
    push_event(self, ++self->sequence, EVENT_MESSAGE, "bob", buffer_view(&sealed));
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_send), STATUS_OK);
    expect_line(self, "hi", NULL);
    peer_reply(&self->bob, VERB_send, id, STATUS_OK, &(send_reply_t){.sequence = self->sequence});
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_send), STATUS_INVALID);
    push_event(self, ++self->sequence, EVENT_MESSAGE, "bob", buffer_view(&sealed));
    expect_line(self, "!undecryptable", NULL); /* a replay of it */
    buffer_free(&sealed);
}

static void test_one_in_flight_keeps_the_order(void **state)
{
    room_t *self = *state;
    buffer_t first = {0}, second = {0};
    uint64_t id = bob_sends(self, 70, "one", &first);
    assert_int_equal(bob_sends(self, 71, "two", &second), 0);
    peer_reply(&self->bob, VERB_send, id, STATUS_REKEY_DUE, NULL);
    assert_int_equal(peer_asked(&self->bob, VERB_send, NULL, NULL), 0);
    peer_time(&self->bob, 1000);
    assert_true(resent(self, &first, &id));
    peer_reply(&self->bob, VERB_send, id, STATUS_OK,
               &(send_reply_t){.sequence = self->sequence + 1});
    assert_false(resent(self, &first, &id));
    buffer_free(&first);
    buffer_free(&second);
}

static void test_timeout_and_crash_send_the_same_bytes(void **state)
{
    room_t *self = *state;
    buffer_t sealed = {0};
    uint64_t id = bob_sends(self, 70, "one", &sealed);
    peer_time(&self->bob, 5000);
    assert_int_equal(self->bob.link, LINK_OPEN);
    peer_login(&self->bob);
    assert_true(resent(self, &sealed, &id));
    peer_stop(&self->bob);
    peer_start(&self->bob);
    peer_login(&self->bob);
    assert_true(resent(self, &sealed, &id));
    buffer_free(&sealed);
}

static void test_stale_epoch_waits_for_a_verified_commit(void **state)
{
    room_t *self = *state;
    buffer_t sealed = {0};
    uint64_t id = bob_sends(self, 70, "one", &sealed);
    peer_reply(&self->bob, VERB_send, id, STATUS_STALE_EPOCH, NULL);
    peer_time(&self->bob, 3000);
    assert_int_equal(peer_asked(&self->bob, VERB_send, NULL, NULL), 0);
    adopt(self, &(commit_plan_t){0});
    push_event(self, ++self->sequence, EVENT_COMMIT, "alice", buffer_view(&self->last_commit));
    assert_false(resent(self, &sealed, &id));
    peer_reply(&self->bob, VERB_send, id, STATUS_OK,
               &(send_reply_t){.sequence = self->sequence + 1});
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_send), STATUS_OK);
    buffer_free(&sealed);
}

static void expect_outbox(room_t *self, bool drop, uint64_t waiting, uint64_t dropped)
{
    peer_request(&self->bob, LOCAL_VERB_outbox, 72, &(local_outbox_request_t){.drop = drop});
    local_message_t message;
    buffer_t frame;
    assert_true(peer_shown(&self->bob, MESSAGE_REPLY, LOCAL_VERB_outbox, &message, &frame));
    assert_int_equal(message.body.outbox_reply.waiting, waiting);
    assert_int_equal(message.body.outbox_reply.dropped, dropped);
    local_message_wipe(&message);
    buffer_free(&frame);
}

static void test_outbox_is_durable_and_can_be_dropped(void **state)
{
    room_t *self = *state;
    buffer_t sealed = {0};
    (void)bob_sends(self, 70, "one", &sealed);
    (void)bob_sends(self, 71, "two", &sealed);
    (void)bob_sends(self, 73, "three", &sealed);
    buffer_free(&sealed);
    expect_outbox(self, false, 3, 0);
    expect_outbox(self, true, 1, 2); /* what is sealed may be on the log already */
    (void)bob_sends(self, 74, "four", &sealed);
    peer_stop(&self->bob);
    peer_start(&self->bob);
    expect_outbox(self, false, 2, 0);
}

static void test_key_change_of_the_creator_blocks(void **state)
{
    room_t *self = *state;
    name_t name;
    assert_int_equal(name_parse(&name, "other"), STATUS_OK);
    peer_request(&self->bob, LOCAL_VERB_join, 80, &(local_join_request_t){.name = name});
    lookup_reply_t lookup = {.group = {5}, .creator = *identity_name(self->alice)};
    memset(lookup.creator_key, 3, KEY_BYTES);
    peer_answer(&self->bob, VERB_lookup, STATUS_OK, &lookup);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_join), STATUS_KEY_CHANGED);
    assert_int_equal(peer_asked(&self->bob, VERB_join, NULL, NULL), 0);
}

static void test_leaving_erases_keys_and_keeps_history(void **state)
{
    room_t *self = *state;
    alice_says(self, "one");
    prove_alice(self, true);
    local_leave_request_t leave = {.name = *holder_group_name(self->holder)};
    peer_request(&self->bob, LOCAL_VERB_leave, 90, &leave);
    peer_answer(&self->bob, VERB_leave, STATUS_OK,
                &(leave_reply_t){.sequence = self->sequence + 1});
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_leave), STATUS_OK);
    peer_stop(&self->bob);
    peer_start(&self->bob);
    local_history_request_t history = {.name = leave.name, .last = 10};
    peer_request(&self->bob, LOCAL_VERB_history, 91, &history);
    local_message_t message;
    buffer_t frame;
    assert_true(peer_shown(&self->bob, MESSAGE_REPLY, LOCAL_VERB_history, &message, &frame));
    assert_int_equal(message.body.history_reply.lines.count, 3); /* joined, one, left */
    local_message_wipe(&message);
    buffer_free(&frame);
    local_send_request_t send = {.name = leave.name, .text = text_of("too late")};
    peer_request(&self->bob, LOCAL_VERB_send, 92, &send);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_send), STATUS_NOT_MEMBER);
}

#define ROOM_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(test_joined_by_welcome),
        ROOM_TEST(test_lines_wait_for_the_proof_and_keep_their_order),
        ROOM_TEST(test_patience_ends_with_a_placeholder_resolved_late),
        ROOM_TEST(test_waiting_line_survives_a_restart),
        ROOM_TEST(test_false_proof_is_not_believed),
        ROOM_TEST(test_replayed_and_forged_messages_leave_a_notice),
        ROOM_TEST(test_gaps_and_duplicates_by_number),
        ROOM_TEST(test_a_lost_push_makes_a_poll),
        ROOM_TEST(test_forged_commit_changes_nothing),
        ROOM_TEST(test_send_is_acked_then_shown),
        ROOM_TEST(test_own_message_in_the_log_is_an_ack),
        ROOM_TEST(test_one_in_flight_keeps_the_order),
        ROOM_TEST(test_timeout_and_crash_send_the_same_bytes),
        ROOM_TEST(test_stale_epoch_waits_for_a_verified_commit),
        ROOM_TEST(test_outbox_is_durable_and_can_be_dropped),
        ROOM_TEST(test_key_change_of_the_creator_blocks),
        ROOM_TEST(test_leaving_erases_keys_and_keeps_history),
    };
    if (sodium_init() < 0)
        return 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
