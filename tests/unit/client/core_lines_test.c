/* SPDX-License-Identifier: MPL-2.0 */
/* Lines: in order, placeholders and their proofs, and what a lying broker can't do. */
#include "tests/unit/client/core_room.h"

#include <sodium.h>

static void test_joined_by_welcome(void **state)
{
    room_t *self = *state;
    expect_line(self, "!joined", NULL);
    expect_line(self, NULL, NULL);
    assert_int_equal(peer_rows(&self->bob, ROW_JOIN), 0); /* its prekey is erased */
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

/* An admin's device was copied, or the admin cheats: the group may have been split. */
static void test_two_commits_of_one_epoch_are_told(void **state)
{
    room_t *self = *state;
    expect_line(self, "!joined", NULL);
    prepared_commit_t *other = NULL;
    assert_int_equal(commit_build(self->holder, self->alice, &(commit_plan_t){0}, &other),
                     STATUS_OK);
    adopt(self, &(commit_plan_t){0});
    push_event(self, ++self->sequence, EVENT_COMMIT, "alice", buffer_view(&self->last_commit));
    expect_line(self, "!rekeyed", NULL);
    push_event(self, ++self->sequence, EVENT_COMMIT, "alice", buffer_view(&self->last_commit));
    expect_line(self, "!undecryptable", NULL); /* the same again is a replay */
    push_event(self, ++self->sequence, EVENT_COMMIT, "alice", buffer_view(&other->commit));
    expect_line(self, "!fork", NULL);
    prepared_commit_destroy(&other);
}

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
        ROOM_TEST(test_two_commits_of_one_epoch_are_told),
    };
    if (sodium_init() < 0)
        return 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
