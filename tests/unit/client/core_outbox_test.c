/* SPDX-License-Identifier: MPL-2.0 */
/* The outbox: order, the same bytes again, sealed again only when it must be; and coming and going.
 */
#include "tests/unit/client/core_room.h"

#include <sodium.h>

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

/* Who asked to leave sends nothing; a crash then leaves the refused text as it was stored. */
static void test_a_stale_text_goes_out_after_a_crash_in_the_next_epoch(void **state)
{
    room_t *self = *state;
    buffer_t sealed = {0};
    uint64_t id = bob_sends(self, 70, "one", &sealed);
    peer_reply(&self->bob, VERB_send, id, STATUS_STALE_EPOCH, NULL);
    peer_request(&self->bob, LOCAL_VERB_leave, 71,
                 &(local_leave_request_t){.name = *holder_group_name(self->holder)});
    adopt(self, &(commit_plan_t){0});
    push_event(self, ++self->sequence, EVENT_COMMIT, "alice", buffer_view(&self->last_commit));
    peer_stop(&self->bob);
    peer_start(&self->bob);
    peer_login(&self->bob);
    assert_int_equal(peer_asked(&self->bob, VERB_send, NULL, NULL), 0);
    peer_answer(&self->bob, VERB_leave, STATUS_LAST_ADMIN, NULL);
    assert_false(resent(self, &sealed, &id));
    peer_reply(&self->bob, VERB_send, id, STATUS_OK,
               &(send_reply_t){.sequence = self->sequence + 1});
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
    assert_int_not_equal(peer_rows(&self->bob, ROW_KEYS), 0);
    local_leave_request_t leave = {.name = *holder_group_name(self->holder)};
    peer_request(&self->bob, LOCAL_VERB_leave, 90, &leave);
    peer_answer(&self->bob, VERB_leave, STATUS_OK,
                &(leave_reply_t){.sequence = self->sequence + 1});
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_leave), STATUS_OK);
    static const row_kind_t erased[] = {ROW_KEYS, ROW_MEMBER, ROW_WAITING, ROW_JOIN, ROW_OUTBOX};
    for (size_t i = 0; i < sizeof erased / sizeof erased[0]; i++)
        assert_int_equal(peer_rows(&self->bob, erased[i]), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(test_send_is_acked_then_shown),
        ROOM_TEST(test_own_message_in_the_log_is_an_ack),
        ROOM_TEST(test_one_in_flight_keeps_the_order),
        ROOM_TEST(test_timeout_and_crash_send_the_same_bytes),
        ROOM_TEST(test_stale_epoch_waits_for_a_verified_commit),
        ROOM_TEST(test_a_stale_text_goes_out_after_a_crash_in_the_next_epoch),
        ROOM_TEST(test_outbox_is_durable_and_can_be_dropped),
        ROOM_TEST(test_key_change_of_the_creator_blocks),
        ROOM_TEST(test_leaving_erases_keys_and_keeps_history),
    };
    if (sodium_init() < 0)
        return 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
