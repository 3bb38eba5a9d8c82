/* SPDX-License-Identifier: MPL-2.0 */
/* A broker that lies to a member: nothing is lost or said twice, nothing hangs or spins. */
#include "tests/unit/client/core_room.h"

#include <sodium.h>

#include "client/core/mail.h"
#include "client/core/roster_pages.h"

static void restart(room_t *self)
{
    peer_stop(&self->bob);
    peer_start(&self->bob);
    peer_login(&self->bob);
    peer_request(&self->bob, LOCAL_VERB_subscribe, 70, &(local_subscribe_request_t){.unshown = 0});
}

static void settle(room_t *self)
{
    local_message_t message;
    buffer_t frame;
    drain_polls(self);
    while (peer_shown(&self->bob, MESSAGE_PUSH, LOCAL_VERB_line, &message, &frame)) {
        local_message_wipe(&message);
        buffer_free(&frame);
    }
}

/* Answers the open poll of messages. */
static void answer_poll(room_t *self, status_t status, uint64_t head, uint64_t more)
{
    group_state_record_t state = {.status = (uint64_t)status, .head = head};
    memcpy(state.group, self->group, GROUP_ID_BYTES);
    peer_answer(&self->bob, VERB_poll_messages, STATUS_OK,
                &(poll_messages_reply_t){.states = {&state, 1}, .more = more});
}

static bool asks(room_t *self, verb_t verb)
{
    return peer_asked(&self->bob, verb, NULL, NULL) != 0;
}

static void expect_history(room_t *self, const char *text)
{
    local_message_t message;
    buffer_t frame;
    local_history_request_t body = {.name = *holder_group_name(self->holder), .last = 100};
    peer_request(&self->bob, LOCAL_VERB_history, 71, &body);
    assert_true(peer_shown(&self->bob, MESSAGE_REPLY, LOCAL_VERB_history, &message, &frame));
    size_t found = 0;
    for (size_t i = 0; i < message.body.history_reply.lines.count; i++) {
        text_t line = message.body.history_reply.lines.items[i].text;
        found += line.size == strlen(text) && !memcmp(line.data, text, line.size);
    }
    local_message_wipe(&message);
    buffer_free(&frame);
    assert_int_equal(found, 1);
}

static void test_more_without_progress_does_not_spin(void **state)
{
    room_t *self = *state;
    peer_time(&self->bob, 1000);
    answer_poll(self, STATUS_OK, self->sequence, 1);
    assert_false(asks(self, VERB_poll_messages));
    peer_answer(&self->bob, VERB_poll_keys, STATUS_OK,
                &(poll_keys_reply_t){.keys = {&(pending_key_record_t){.commit_sequence = 9}, 1},
                                     .more = 1});
    assert_false(asks(self, VERB_poll_keys));
    peer_time(&self->bob, 1000);
    assert_true(asks(self, VERB_poll_messages));
    assert_true(asks(self, VERB_poll_keys));
}

static void push_forged_commit(room_t *self)
{
    prepared_commit_t *prepared = NULL;
    assert_int_equal(commit_build(self->holder, self->alice, &(commit_plan_t){0}, &prepared),
                     STATUS_OK);
    prepared->commit.data[prepared->commit.size - 1] ^= 1;
    push_event(self, self->sequence + 1, EVENT_COMMIT, "alice", buffer_view(&prepared->commit));
    prepared_commit_destroy(&prepared);
}

static void test_a_refused_commit_is_told_once_over_restarts(void **state)
{
    room_t *self = *state;
    settle(self);
    push_forged_commit(self);
    expect_line(self, "!undecryptable", NULL);
    restart(self);
    push_forged_commit(self);
    expect_line(self, NULL, NULL);
}

static void test_what_the_broker_says_of_a_group_is_told_once_over_restarts(void **state)
{
    room_t *self = *state;
    settle(self);
    peer_time(&self->bob, 1000);
    answer_poll(self, STATUS_BAD_CURSOR, 0, 0);
    expect_line(self, "!broker", NULL);
    restart(self);
    answer_poll(self, STATUS_BAD_CURSOR, 0, 0);
    expect_line(self, NULL, NULL);
    peer_time(&self->bob, 1000);
    answer_poll(self, STATUS_OK, self->sequence, 0);
    peer_time(&self->bob, 1000);
    answer_poll(self, STATUS_BAD_CURSOR, 0, 0); /* again, after it was well */
    expect_line(self, "!broker", NULL);
}

static void test_a_hold_is_told_once_an_epoch(void **state)
{
    room_t *self = *state;
    buffer_t sealed = {0};
    settle(self);
    uint64_t id = bob_sends(self, 80, "later", &sealed);
    peer_reply(&self->bob, VERB_send, id, STATUS_REKEY_DUE, NULL);
    expect_line(self, "!held", NULL);
    restart(self);
    assert_true(resent(self, &sealed, &id));
    peer_reply(&self->bob, VERB_send, id, STATUS_REKEY_DUE, NULL);
    expect_line(self, NULL, NULL);
    buffer_free(&sealed);
}

/* A word of the broker's doesn't cost the keys. */
static void test_gone_is_survived_if_it_was_not_true(void **state)
{
    room_t *self = *state;
    buffer_t sealed = {0};
    settle(self);
    peer_time(&self->bob, 1000);
    answer_poll(self, STATUS_GONE, 0, 0);
    expect_line(self, "!broker", NULL);
    local_send_request_t body = {.name = *holder_group_name(self->holder), .text = text_of("x")};
    peer_request(&self->bob, LOCAL_VERB_send, 80, &body);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_send), STATUS_OUT_OF_STEP);
    peer_time(&self->bob, 1000);
    answer_poll(self, STATUS_OK, self->sequence, 0);
    assert_int_not_equal(bob_sends(self, 81, "still here", &sealed), 0);
    alice_says(self, "one");
    prove_alice(self, true);
    expect_line(self, "one", NULL);
    buffer_free(&sealed);
}

static void test_whoever_was_away_too_long_can_leave(void **state)
{
    room_t *self = *state;
    settle(self);
    peer_time(&self->bob, 1000);
    answer_poll(self, STATUS_GONE, 0, 0);
    name_t name = *holder_group_name(self->holder);
    peer_request(&self->bob, LOCAL_VERB_leave, 82, &(local_leave_request_t){.name = name});
    peer_answer(&self->bob, VERB_leave, STATUS_OK,
                &(leave_reply_t){.sequence = self->sequence + 100});
    answer_poll(self, STATUS_GONE, 0, 0);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_leave), STATUS_OK);
}

static void test_an_admins_alarm_is_told_once_over_restarts(void **state)
{
    room_t *self = *state;
    settle(self);
    mail_t mail = {.kind = MAIL_ALARM, .status = STATUS_FORK};
    memcpy(mail.group, self->group, GROUP_ID_BYTES);
    for (int i = 0; i < 2; i++) {
        buffer_t bytes = {0};
        mail_write(&mail, &bytes);
        effects_t effects = {0};
        self->bob.core->ops->mail(self->bob.core, self->bob.now, buffer_view(&bytes), &effects);
        peer_take(&self->bob, &effects);
        buffer_free(&bytes);
        expect_line(self, i ? NULL : "!fork", NULL);
        restart(self);
    }
}

/* Acked, and not there by the answers to two polls: the first was asked before the text. */
static void lose_a_text(room_t *self, status_t answer, uint64_t head, const char *told_first)
{
    buffer_t sealed = {0};
    settle(self);
    peer_time(&self->bob, 1000);
    uint64_t id = bob_sends(self, 80, "lost", &sealed);
    peer_reply(&self->bob, VERB_send, id, STATUS_OK, &(send_reply_t){.sequence = 1000});
    answer_poll(self, answer, head, 0);
    expect_line(self, told_first, NULL);
    peer_time(&self->bob, 1000);
    answer_poll(self, answer, head, 0);
    expect_line(self, "lost|!broker", NULL);
    expect_history(self, "lost");
    buffer_free(&sealed);
}

static void test_acked_but_never_stored_is_noticed(void **state)
{
    room_t *self = *state;
    lose_a_text(self, STATUS_OK, self->sequence, NULL);
    restart(self);
    answer_poll(self, STATUS_OK, self->sequence, 0);
    expect_line(self, NULL, NULL);
}

static void test_acked_beyond_the_end_of_a_shorter_log_is_noticed(void **state)
{
    room_t *self = *state;
    lose_a_text(self, STATUS_BAD_CURSOR, 1, "!broker");
    peer_time(&self->bob, 1000);
    answer_poll(self, STATUS_BAD_CURSOR, 1, 0);
    expect_line(self, NULL, NULL);
}

static void test_a_late_gap_overwrites_no_line(void **state)
{
    room_t *self = *state;
    buffer_t sealed = {0};
    settle(self);
    alice_says(self, "one");
    self->alice_number = 5;
    alice_says(self, "five");
    uint64_t id = bob_sends(self, 80, "mine", &sealed);
    push_event(self, ++self->sequence, EVENT_MESSAGE, "bob", buffer_view(&sealed));
    peer_reply(&self->bob, VERB_send, id, STATUS_OK, &(send_reply_t){.sequence = self->sequence});
    prove_alice(self, true);  /* tells of the gap before "five", at its place */
    push_forged_commit(self); /* a notice at the cursor, where "mine" stands */
    expect_history(self, "one");
    expect_history(self, "five");
    expect_history(self, "mine");
    buffer_free(&sealed);
}

static void test_endless_roster_pages_end(void **state)
{
    room_t *self = *state;
    roster_entry_record_t entry = {.name = *identity_name(self->alice), .epoch_added = 1};
    roster_reply_t page = {
        .epoch = holder_epoch(self->holder), .depth = 1, .next_leaf = 1, .entries = {&entry, 1}};
    peer_answer(&self->bob, VERB_roster, STATUS_OK, &page);
    page.entries.count = 0;
    peer_answer(&self->bob, VERB_roster, STATUS_OK, &page);
    assert_false(asks(self, VERB_roster));
}

static void push_leave(room_t *self, uint32_t leaf)
{
    buffer_t statement = {0};
    identity_make_leave(self->alice, self->group, leaf, 1, &statement);
    push_event(self, ++self->sequence, EVENT_LEAVE, "alice", buffer_view(&statement));
    buffer_free(&statement);
}

static void test_who_left_is_not_heard(void **state)
{
    room_t *self = *state;
    alice_says(self, "one");
    prove_alice(self, true);
    settle(self);
    push_leave(self, 0);
    expect_line(self, "!left", NULL);
    alice_says(self, "still here");
    expect_line(self, "!undecryptable", NULL);
}

static void test_a_false_roster_is_refused(void **state)
{
    room_t *self = *state;
    roster_entry_record_t entries[2] = {0};
    roster_reply_t page = {
        .epoch = holder_epoch(self->holder), .next_leaf = UINT32_MAX, .entries = {entries, 2}};
    for (uint32_t i = 0; i < 2; i++) {
        const roster_member_t *member =
            roster_table_get(holder_roster(self->holder), leaf_index(i));
        entries[i] = (roster_entry_record_t){.leaf = i,
                                             .name = member->name,
                                             .epoch_added = member->epoch_added,
                                             .role = member->role};
        memcpy(entries[i].identity_key, member->identity_key, KEY_BYTES);
    }
    uint64_t next;
    for (uint8_t flip = 0; flip < 2; flip++) {
        entries[0].identity_key[0] ^= flip;
        roster_pages_t *pages = roster_pages_new();
        status_t status = roster_pages_add(pages, &page, self->alice_keys, &next);
        assert_int_equal(status, flip ? STATUS_BAD_PROOF : STATUS_OK);
        roster_pages_destroy(&pages);
    }
}

static void test_leaves_of_nobody_do_not_wait(void **state)
{
    room_t *self = *state;
    settle(self);
    push_leave(self, 77);
    expect_line(self, "!undecryptable", NULL);
}

static void test_a_forged_welcome_does_not_wedge_a_join(void **state)
{
    room_t *self = *state;
    name_t name;
    assert_int_equal(name_parse(&name, "other"), STATUS_OK);
    settle(self);
    peer_request(&self->bob, LOCAL_VERB_join, 80, &(local_join_request_t){.name = name});
    lookup_reply_t lookup = {.epoch = 1, .members = 1, .creator = *identity_name(self->alice)};
    memset(lookup.group, 5, GROUP_ID_BYTES);
    memcpy(lookup.creator_key, identity_key(self->alice), KEY_BYTES);
    peer_answer(&self->bob, VERB_lookup, STATUS_OK, &lookup);
    peer_answer(&self->bob, VERB_join, STATUS_OK, NULL);
    drain_polls(self);
    for (int i = 0; i < 2; i++) {
        peer_time(&self->bob, 1000);
        uint8_t junk[100] = {1};
        pending_key_record_t key = {.group_name = name,
                                    .commit_sequence = (uint64_t)1 << 60,
                                    .sealed = {junk, sizeof junk}};
        memcpy(key.group, lookup.group, GROUP_ID_BYTES);
        peer_answer(&self->bob, VERB_poll_messages, STATUS_OK, NULL);
        peer_answer(&self->bob, VERB_poll_keys, STATUS_OK, &(poll_keys_reply_t){.keys = {&key, 1}});
        group_state_record_t told = {.status = STATUS_BAD_CURSOR};
        memcpy(told.group, lookup.group, GROUP_ID_BYTES);
        peer_answer(&self->bob, VERB_poll_messages, STATUS_OK,
                    &(poll_messages_reply_t){.states = {&told, 1}});
        settle(self);
    }
    peer_request(&self->bob, LOCAL_VERB_join, 81, &(local_join_request_t){.name = name});
    peer_answer(&self->bob, VERB_lookup, STATUS_OK, &lookup);
    peer_answer(&self->bob, VERB_join, STATUS_OK, NULL); /* asked again: not "already a member" */
}

static void test_a_text_typed_before_a_refused_join_is_answered(void **state)
{
    room_t *self = *state;
    name_t name;
    assert_int_equal(name_parse(&name, "other"), STATUS_OK);
    settle(self);
    peer_request(&self->bob, LOCAL_VERB_join, 80, &(local_join_request_t){.name = name});
    lookup_reply_t lookup = {.epoch = 1, .members = 1, .creator = *identity_name(self->alice)};
    memset(lookup.group, 5, GROUP_ID_BYTES);
    memcpy(lookup.creator_key, identity_key(self->alice), KEY_BYTES);
    peer_answer(&self->bob, VERB_lookup, STATUS_OK, &lookup);
    local_send_request_t body = {.name = name, .text = text_of("hello")};
    peer_request(&self->bob, LOCAL_VERB_send, 82, &body);
    peer_answer(&self->bob, VERB_join, STATUS_TOO_MANY, NULL);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_send), STATUS_TOO_MANY);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_join), STATUS_TOO_MANY);
}

static void test_a_left_groups_tree_is_forgotten_after_a_crash_too(void **state)
{
    room_t *self = *state;
    name_t name = *holder_group_name(self->holder);
    settle(self);
    peer_request(&self->bob, LOCAL_VERB_leave, 80, &(local_leave_request_t){.name = name});
    peer_answer(&self->bob, VERB_leave, STATUS_OK,
                &(leave_reply_t){.sequence = self->sequence + 1});
    peer_stop(&self->bob); /* the mail of that step was lost */
    peer_start(&self->bob);
    bool is_told = false;
    for (size_t i = 0; i < self->bob.mail.count; i++) {
        mail_t mail;
        assert_int_equal(mail_read(&mail, buffer_view(&self->bob.mail.items[i].bytes)), STATUS_OK);
        is_told |= mail.kind == MAIL_FORGET && !memcmp(mail.group, self->group, GROUP_ID_BYTES);
    }
    assert_true(is_told);
}

/* The broker answers the look-up of one group with another one: texts typed meanwhile must not go
 * there. */
static void test_a_welcome_to_another_group_is_refused(void **state)
{
    room_t *self = *state;
    peer_wipe(&self->bob);
    self->bob = (peer_t){.make = member_core_new, .now = {1700000000000u, 1000}};
    self->bob.identity = peer_identity("bob");
    self->bob.vault = vault_memory_new();
    group_state_destroy(&self->alice_keys);
    holder_destroy(&self->holder);
    identity_destroy(&self->alice);
    found(self);
    peer_start(&self->bob);
    peer_login(&self->bob);
    drain_polls(self);
    peer_request(&self->bob, LOCAL_VERB_subscribe, 49, &(local_subscribe_request_t){.unshown = 1});
    name_t den;
    assert_int_equal(name_parse(&den, "den"), STATUS_OK);
    let_bob_in_as(self, &den);
    expect_line(self, "!undecryptable", NULL);
    local_send_request_t body = {.name = *holder_group_name(self->holder), .text = text_of("hi")};
    peer_request(&self->bob, LOCAL_VERB_send, 82, &body);
    assert_false(asks(self, VERB_send));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(test_more_without_progress_does_not_spin),
        ROOM_TEST(test_a_refused_commit_is_told_once_over_restarts),
        ROOM_TEST(test_what_the_broker_says_of_a_group_is_told_once_over_restarts),
        ROOM_TEST(test_a_hold_is_told_once_an_epoch),
        ROOM_TEST(test_gone_is_survived_if_it_was_not_true),
        ROOM_TEST(test_whoever_was_away_too_long_can_leave),
        ROOM_TEST(test_an_admins_alarm_is_told_once_over_restarts),
        ROOM_TEST(test_acked_but_never_stored_is_noticed),
        ROOM_TEST(test_acked_beyond_the_end_of_a_shorter_log_is_noticed),
        ROOM_TEST(test_a_late_gap_overwrites_no_line),
        ROOM_TEST(test_endless_roster_pages_end),
        ROOM_TEST(test_who_left_is_not_heard),
        ROOM_TEST(test_a_false_roster_is_refused),
        ROOM_TEST(test_leaves_of_nobody_do_not_wait),
        ROOM_TEST(test_a_forged_welcome_does_not_wedge_a_join),
        ROOM_TEST(test_a_text_typed_before_a_refused_join_is_answered),
        ROOM_TEST(test_a_left_groups_tree_is_forgotten_after_a_crash_too),
        ROOM_TEST(test_a_welcome_to_another_group_is_refused),
    };
    if (sodium_init() < 0)
        return 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
