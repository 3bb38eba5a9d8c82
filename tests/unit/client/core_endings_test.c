/* SPDX-License-Identifier: MPL-2.0 */
/* What ends a membership without this device having asked for it, and what only pretends to. */
#include "tests/unit/client/core_room.h"

#include <sodium.h>

static const leaf_index_t bob_leaf = {1};

static void push_last_commit(room_t *self)
{
    push_event(self, ++self->sequence, EVENT_COMMIT, "alice", buffer_view(&self->last_commit));
}

static void forget_lines(room_t *self)
{
    drain_polls(self);
    frames_wipe(&self->bob.screens);
}

static void restart(room_t *self)
{
    peer_stop(&self->bob);
    peer_start(&self->bob);
    peer_login(&self->bob);
    drain_polls(self);
}

static status_t told_of_send(room_t *self)
{
    local_send_request_t body = {.name = *holder_group_name(self->holder), .text = text_of("x")};
    peer_request(&self->bob, LOCAL_VERB_send, 90, &body);
    return peer_told(&self->bob, LOCAL_VERB_send);
}

static void push_own_leave(room_t *self, const identity_t *signer, uint64_t epoch_added)
{
    buffer_t statement = {0};
    identity_make_leave(signer, self->group, bob_leaf.value, epoch_added, &statement);
    push_event(self, ++self->sequence, EVENT_LEAVE, "bob", buffer_view(&statement));
    buffer_free(&statement);
}

/* The keys are gone, the history stays, and nothing is sent any more: now and after a restart. */
static void expect_out(room_t *self, status_t why)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(peer_rows(&self->bob, ROW_KEYS), 0);
        assert_int_equal(peer_rows(&self->bob, ROW_GROUP), 1);
        assert_int_not_equal(peer_rows(&self->bob, ROW_LINE), 0);
        assert_int_equal(told_of_send(self), why);
        restart(self);
    }
}

static void test_whoever_is_removed_is_told_and_out(void **state)
{
    room_t *self = *state;
    forget_lines(self);
    adopt(self, &(commit_plan_t){.removals = &bob_leaf, .removal_count = 1});
    push_last_commit(self);
    expect_line(self, "!left", NULL);
    expect_out(self, STATUS_NOT_MEMBER);
}

/* Another device with this identity's key had the leaf's keys replaced. This one can read no
 * further; it can still say that it leaves, with what it signed while it knew its leaf. */
static void test_whoever_was_recovered_elsewhere_is_warned_and_can_leave(void **state)
{
    room_t *self = *state;
    forget_lines(self);
    buffer_t request = {0};
    secret_t prekey;
    identity_make_join_request(self->bob.identity, self->group, holder_transcript(self->holder),
                               &request, &prekey);
    served_request_t served;
    assert_int_equal(holder_check_request(self->holder, buffer_view(&request), &served), STATUS_OK);
    adopt(self, &(commit_plan_t){.refreshes = &served, .refresh_count = 1});
    push_last_commit(self);
    expect_line(self, "!renewed", NULL);
    expect_out(self, STATUS_OUT_OF_STEP);

    name_t name = *holder_group_name(self->holder);
    peer_request(&self->bob, LOCAL_VERB_leave, 91, &(local_leave_request_t){.name = name});
    assert_int_not_equal(peer_asked(&self->bob, VERB_leave, NULL, NULL), 0);
    restart(self); /* before the answer: leaving goes on, without any keys */
    message_t asked;
    buffer_t frame;
    uint64_t id = peer_asked(&self->bob, VERB_leave, &asked, &frame);
    assert_int_not_equal(id, 0);
    leave_t leave;
    assert_int_equal(leave_parse(&leave, asked.body.leave_request.statement), STATUS_OK);
    const roster_member_t *bob = roster_table_get(holder_roster(self->holder), bob_leaf);
    assert_int_equal(leave.leaf, bob_leaf.value);
    assert_int_equal(leave.epoch_added, bob->epoch_added);
    assert_int_equal(leave_verify(&leave, bob->identity_key), STATUS_OK);
    message_wipe(&asked);
    buffer_free(&frame);
    peer_request(&self->bob, LOCAL_VERB_leave, 92, &(local_leave_request_t){.name = name});
    peer_reply(&self->bob, VERB_leave, id, STATUS_OK, &(leave_reply_t){.sequence = 9});
    expect_out(self, STATUS_NOT_MEMBER);
    buffer_free(&request);
}

/* From a copy of this device, say. */
static void test_an_own_leave_in_the_log_is_believed(void **state)
{
    room_t *self = *state;
    forget_lines(self);
    const roster_member_t *bob = roster_table_get(holder_roster(self->holder), bob_leaf);
    push_own_leave(self, self->bob.identity, bob->epoch_added);
    expect_line(self, "!left", NULL);
    expect_out(self, STATUS_NOT_MEMBER);
}

static void test_a_forged_own_leave_changes_nothing(void **state)
{
    room_t *self = *state;
    forget_lines(self);
    const roster_member_t *bob = roster_table_get(holder_roster(self->holder), bob_leaf);
    push_own_leave(self, self->alice, bob->epoch_added);            /* somebody else's signature */
    push_own_leave(self, self->bob.identity, bob->epoch_added - 1); /* of an earlier membership */
    expect_line(self, "!undecryptable", NULL);
    expect_line(self, "!undecryptable", NULL);
    buffer_t sealed = {0};
    assert_int_not_equal(bob_sends(self, 93, "still here", &sealed), 0);
    buffer_free(&sealed);
}

static void test_a_leave_of_another_group_changes_nothing(void **state)
{
    room_t *self = *state;
    forget_lines(self);
    uint8_t elsewhere[GROUP_ID_BYTES] = {1};
    const roster_member_t *bob = roster_table_get(holder_roster(self->holder), bob_leaf);
    buffer_t statement = {0}, sealed = {0};
    identity_make_leave(self->bob.identity, elsewhere, bob_leaf.value, bob->epoch_added,
                        &statement);
    push_event(self, ++self->sequence, EVENT_LEAVE, "bob", buffer_view(&statement));
    expect_line(self, "!undecryptable", NULL);
    assert_int_not_equal(bob_sends(self, 93, "still here", &sealed), 0);
    buffer_free(&statement);
    buffer_free(&sealed);
}

/* A message sealed by a copy of this device: two of them would use the same keys twice. */
static void test_a_copy_of_this_device_is_noticed(void **state)
{
    room_t *self = *state;
    forget_lines(self);
    vault_t *backup = vault_memory_copy(self->bob.vault);
    buffer_t sealed = {0};
    assert_int_not_equal(bob_sends(self, 94, "from the copy", &sealed), 0);
    peer_stop(&self->bob);
    vault_destroy(&self->bob.vault);
    self->bob.vault = backup;
    restart(self);
    peer_request(&self->bob, LOCAL_VERB_subscribe, 95, &(local_subscribe_request_t){.unshown = 0});
    push_event(self, ++self->sequence, EVENT_MESSAGE, "bob", buffer_view(&sealed));
    expect_line(self, "!out-of-step", NULL);
    assert_int_equal(told_of_send(self), STATUS_OUT_OF_STEP);
    restart(self);
    assert_int_equal(told_of_send(self), STATUS_OUT_OF_STEP);
    buffer_free(&sealed);
}

/* Another client of this user logs in while a text of bob's is on its way. */
static uint64_t session_is_replaced(room_t *self, buffer_t *sealed)
{
    forget_lines(self);
    uint64_t id = bob_sends(self, 96, "wait for me", sealed);
    peer_reply(&self->bob, VERB_send, id, STATUS_REPLACED, NULL);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_send), STATUS_REPLACED);
    return id;
}

/* What was typed stays, and goes out at the next start. */
static void test_what_was_sent_when_the_session_stopped_goes_out_later(void **state)
{
    room_t *self = *state;
    buffer_t sealed = {0};
    uint64_t id = session_is_replaced(self, &sealed);
    assert_int_equal(peer_rows(&self->bob, ROW_OUTBOX), 1);
    restart(self);
    assert_true(resent(self, &sealed, &id));
    buffer_free(&sealed);
}

static void type_text(room_t *self, uint64_t request, const char *text)
{
    local_send_request_t send = {.name = *holder_group_name(self->holder), .text = text_of(text)};
    peer_request(&self->bob, LOCAL_VERB_send, request, &send);
}

/* Whether the session ends before or after a text was typed. */
static void test_what_is_typed_when_the_session_has_stopped_is_answered_at_once(void **state)
{
    room_t *self = *state;
    buffer_t sealed = {0};
    uint64_t id = session_is_replaced(self, &sealed);
    type_text(self, 97, "and for me");
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_send), STATUS_REPLACED);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_send), STATUS_INVALID);
    assert_int_equal(peer_rows(&self->bob, ROW_OUTBOX), 2);
    restart(self);
    assert_true(resent(self, &sealed, &id));
    buffer_free(&sealed);
}

static void test_what_is_typed_while_another_broker_answers_is_answered_at_once(void **state)
{
    room_t *self = *state;
    forget_lines(self);
    peer_link(&self->bob, LINK_DOWN);
    peer_link(&self->bob, LINK_WRONG_BROKER);
    type_text(self, 96, "wait for me");
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_send), STATUS_WRONG_BROKER);
    peer_request(&self->bob, LOCAL_VERB_pass, 97, NULL);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_pass), STATUS_WRONG_BROKER);
    assert_int_equal(peer_rows(&self->bob, ROW_OUTBOX), 1);
}

static void test_a_leave_when_the_session_stopped_is_said_again(void **state)
{
    room_t *self = *state;
    forget_lines(self);
    name_t name = *holder_group_name(self->holder);
    peer_request(&self->bob, LOCAL_VERB_leave, 97, &(local_leave_request_t){.name = name});
    uint64_t id = peer_asked(&self->bob, VERB_leave, NULL, NULL);
    peer_reply(&self->bob, VERB_leave, id, STATUS_REPLACED, NULL);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_leave), STATUS_REPLACED);
    restart(self);
    assert_int_not_equal(peer_asked(&self->bob, VERB_leave, NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(test_whoever_is_removed_is_told_and_out),
        ROOM_TEST(test_whoever_was_recovered_elsewhere_is_warned_and_can_leave),
        ROOM_TEST(test_an_own_leave_in_the_log_is_believed),
        ROOM_TEST(test_a_forged_own_leave_changes_nothing),
        ROOM_TEST(test_a_leave_of_another_group_changes_nothing),
        ROOM_TEST(test_a_copy_of_this_device_is_noticed),
        ROOM_TEST(test_what_was_sent_when_the_session_stopped_goes_out_later),
        ROOM_TEST(test_what_is_typed_when_the_session_has_stopped_is_answered_at_once),
        ROOM_TEST(test_what_is_typed_while_another_broker_answers_is_answered_at_once),
        ROOM_TEST(test_a_leave_when_the_session_stopped_is_said_again),
    };
    if (sodium_init() < 0)
        return 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
