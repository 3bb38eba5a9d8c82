/* SPDX-License-Identifier: MPL-2.0 */
/* Messages: retries, epochs, generations, polls and pushes. */
#include "tests/unit/broker/rules_setting.h"

/* An empty commit by alice. */
static void move_on(setting_t *self)
{
    draft_t *draft = draft_new(&self->room, &self->alice);
    assert_int_equal(draft_send(draft, &self->room, &self->alice), STATUS_OK);
}

static void the_first_answer_comes_again(void **state)
{
    setting_t *self = *state;
    uint64_t first, again;
    buffer_t sealed = sealed_bytes(self->room.epoch, 1, 5, 1, 200);
    assert_int_equal(room_send_bytes(&self->room, &self->bob, buffer_view(&sealed), &first),
                     STATUS_OK);
    assert_int_equal(first, 3);
    assert_int_equal(room_send_bytes(&self->room, &self->bob, buffer_view(&sealed), &again),
                     STATUS_OK);
    assert_int_equal(again, first);
    move_on(self);
    assert_int_equal(room_send_bytes(&self->room, &self->bob, buffer_view(&sealed), &again),
                     STATUS_OK);
    assert_int_equal(again, first);
    world_restart(self->world);
    person_login_both(&self->bob);
    assert_int_equal(room_send_bytes(&self->room, &self->bob, buffer_view(&sealed), &again),
                     STATUS_OK);
    assert_int_equal(again, first);
    /* Bob's bytes are no retry of alice's. */
    person_login_both(&self->alice);
    assert_int_equal(room_send_bytes(&self->room, &self->alice, buffer_view(&sealed), &again),
                     STATUS_STALE_EPOCH);
    buffer_free(&sealed);
}

static void refusals_come_in_order(void **state)
{
    setting_t *self = *state;
    room_t *room = &self->room;
    uint64_t epoch = room->epoch, sequence;
    buffer_t sealed = sealed_bytes(epoch, 1, 5, 1, 100);
    bytes_t bytes = buffer_view(&sealed);
    assert_int_equal(room_send_bytes(room, &self->carol, bytes, NULL), STATUS_NOT_MEMBER);
    assert_int_equal(room_send_bytes(room, &self->bob, bytes, NULL), STATUS_OK);
    assert_int_equal(room_send_bytes(room, &self->bob, (bytes_t){bytes.data, 3}, NULL),
                     STATUS_BAD_HEADER);
    buffer_t before = world_dump(self->world);
    const struct {
        uint64_t epoch;
        uint32_t leaf;
        uint32_t generation;
        status_t expected;
    } cases[] = {
        {epoch, 1, 5, STATUS_GENERATION_USED}, {epoch, 1, 4, STATUS_GENERATION_USED},
        {epoch - 1, 1, 0, STATUS_STALE_EPOCH}, {epoch + 1, 1, 0, STATUS_EPOCH_AHEAD},
        {epoch, 0, 6, STATUS_NOT_YOUR_LEAF},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer_t other = sealed_bytes(cases[i].epoch, cases[i].leaf, cases[i].generation, 77, 100);
        assert_int_equal(room_send_bytes(room, &self->bob, buffer_view(&other), NULL),
                         cases[i].expected);
        buffer_free(&other);
    }
    buffer_t after = world_dump(self->world);
    assert_true(dump_equal(&before, &after));
    room_t nowhere = *room;
    nowhere.group[0] ^= 1;
    assert_int_equal(room_send_bytes(&nowhere, &self->bob, bytes, NULL), STATUS_UNKNOWN_GROUP);
    /* A generation of an epoch that is over is told apart from a stale epoch. */
    move_on(self);
    buffer_t other = sealed_bytes(epoch, 1, 5, 78, 100);
    assert_int_equal(room_send_bytes(room, &self->bob, buffer_view(&other), NULL),
                     STATUS_GENERATION_USED);
    assert_int_equal(room_send(room, &self->bob, 0, &sequence), STATUS_OK);
    buffer_free(&other);
    buffer_free(&sealed);
    buffer_free(&before);
    buffer_free(&after);
}

static void the_window_of_retries_has_64_messages(void **state)
{
    setting_t *self = *state;
    uint64_t sequence;
    for (uint32_t i = 0; i < SENDER_WINDOW + 10; i++) {
        assert_int_equal(room_send(&self->room, &self->bob, i, &sequence), STATUS_OK);
        assert_int_equal(sequence, 3 + i);
        if (i == 40) { /* the ring is found again by who reads it anew */
            world_restart(self->world);
            person_login_both(&self->bob);
        }
    }
    assert_int_equal(room_send(&self->room, &self->bob, 10, &sequence), STATUS_OK);
    assert_int_equal(sequence, 13);
    assert_int_equal(room_send(&self->room, &self->bob, 9, NULL), STATUS_GENERATION_USED);
}

static void polls_give_what_is_the_callers(void **state)
{
    setting_t *self = *state;
    message_t reply = {0};
    uint64_t head;
    size_t events;
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(room_send(&self->room, &self->alice, i, NULL), STATUS_OK);
    assert_int_equal(room_poll(&self->room, &self->bob.events, 0, POLL_BUDGET_MAX_BYTES, &reply),
                     STATUS_OK);
    const poll_messages_reply_t *body = &reply.body.poll_messages_reply;
    assert_int_equal(body->events.count, 4); /* from the commit that added him */
    assert_int_equal(body->events.items[0].sequence, 2);
    assert_int_equal(body->events.items[0].kind, EVENT_COMMIT);
    assert_int_equal(body->events.items[3].kind, EVENT_MESSAGE);
    assert_string_equal(body->events.items[3].sender.text, "alice");
    assert_int_equal(body->states.items[0].epoch, self->room.epoch);
    assert_int_equal(body->more, 0);
    message_wipe(&reply);
    assert_int_equal(room_poll(&self->room, &self->bob.events, 2, 1, &reply), STATUS_OK);
    assert_int_equal(body->events.count, 1);
    assert_int_equal(body->more, 1);
    message_wipe(&reply);
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 5, &head, &events), STATUS_OK);
    assert_int_equal(events, 0);
    assert_int_equal(head, 5);
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 6, NULL, NULL),
                     STATUS_BAD_CURSOR);
    assert_int_equal(room_poll_state(&self->room, &self->carol.events, 0, NULL, NULL),
                     STATUS_NOT_MEMBER);
    room_t nowhere = self->room;
    nowhere.group[0] ^= 1;
    assert_int_equal(room_poll_state(&nowhere, &self->bob.events, 0, NULL, NULL),
                     STATUS_UNKNOWN_GROUP);
}

static void who_comes_back_reads_from_the_new_beginning(void **state)
{
    setting_t *self = *state;
    uint64_t left = 0;
    message_t reply = {0};
    assert_int_equal(room_leave(&self->room, &self->bob, &left), STATUS_OK);
    draft_t *draft = draft_new(&self->room, &self->alice);
    draft_remove(draft, 1);
    assert_int_equal(draft_send(draft, &self->room, &self->alice), STATUS_OK);
    assert_int_equal(room_send(&self->room, &self->alice, 0, NULL), STATUS_OK);
    room_let_in(&self->room, &self->alice, &self->bob);
    assert_int_equal(room_poll(&self->room, &self->bob.events, left, 1 << 20, &reply), STATUS_OK);
    assert_int_equal(reply.body.poll_messages_reply.events.count, 1);
    assert_int_equal(reply.body.poll_messages_reply.events.items[0].sequence, left + 3);
    message_wipe(&reply);
}

/* How many events were pushed to the link in the last turn; checks that they go on from *next. */
static size_t pushed_events(link_t *link, uint64_t *next)
{
    size_t count = 0;
    message_t push = {0};
    for (size_t i = 0; link_push(link, VERB_events, i, &push); i++) {
        for (size_t k = 0; k < push.body.events_push.events.count; k++, count++)
            assert_int_equal(push.body.events_push.events.items[k].sequence, (*next)++);
        message_wipe(&push);
    }
    return count;
}

/* One turn in which alice sends messages of this size; then both links' frames are collected. */
static void send_in_one_turn(setting_t *self, uint32_t first, size_t count, size_t size)
{
    world_begin(self->world);
    for (uint32_t i = 0; i < count; i++) {
        buffer_t sealed = sealed_bytes(self->room.epoch, 0, first + i, first + i, size);
        send_request_t send = {.sealed = buffer_view(&sealed)};
        memcpy(send.group, self->room.group, GROUP_ID_BYTES);
        (void)link_send(&self->alice.events, VERB_send, &send);
        buffer_free(&sealed);
    }
    assert_int_equal(world_finish(self->world), STATUS_OK);
    link_t *links[] = {&self->alice.events, &self->bob.events};
    link_collect(links, 2);
}

static void events_are_pushed_after_the_first_poll(void **state)
{
    setting_t *self = *state;
    uint64_t next = 3;
    send_in_one_turn(self, 0, 1, 100);
    assert_int_equal(pushed_events(&self->bob.events, &next), 0);
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 2, NULL, NULL), STATUS_OK);
    next = 4;
    send_in_one_turn(self, 1, 20, 100);
    assert_int_equal(pushed_events(&self->bob.events, &next), 20);
    assert_int_equal(self->bob.events.frames, 1);
    assert_int_equal(self->alice.events.frames, 1);
    /* Alice's own session has not polled, and her replies are all there. */
    assert_int_equal(pushed_events(&self->alice.events, &next), 0);
    message_t reply = {0};
    assert_true(link_reply(&self->alice.events, self->alice.events.next_id, &reply));
    assert_int_equal(reply.status, STATUS_OK);
    message_wipe(&reply);
}

static void the_push_window_closes_until_the_next_poll(void **state)
{
    setting_t *self = *state;
    uint64_t next = 3, total = 0;
    message_t push = {0};
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 2, NULL, NULL), STATUS_OK);
    for (uint32_t i = 0; i < 10; i++) {
        send_in_one_turn(self, 5 * i, 5, 16000);
        size_t count = pushed_events(&self->bob.events, &next);
        assert_true(self->bob.events.largest_frame <= PUSH_FRAME_MAX_BYTES);
        if (count < 5 && total % 5 == 0 && total / 5 == i) {
            assert_true(link_push(&self->bob.events, VERB_nudge, 0, &push));
            message_wipe(&push);
        }
        total += count;
    }
    assert_true(total >= 10 && total * 16000 <= PUSH_WINDOW_BYTES);
    /* Behind: a poll that reaches the head opens the window again. */
    uint64_t cursor = 2 + total;
    while (cursor < 52) {
        message_t reply = {0};
        assert_int_equal(room_poll(&self->room, &self->bob.events, cursor, 1 << 20, &reply),
                         STATUS_OK);
        assert_true(reply.body.poll_messages_reply.events.count > 0);
        cursor += reply.body.poll_messages_reply.events.count;
        message_wipe(&reply);
    }
    next = cursor + 1;
    send_in_one_turn(self, 50, 1, 100);
    assert_int_equal(pushed_events(&self->bob.events, &next), 1);
}

static void a_poll_between_two_messages_of_a_turn_loses_none(void **state)
{
    setting_t *self = *state;
    cursor_record_t cursor = {.cursor = 2};
    memcpy(cursor.group, self->room.group, GROUP_ID_BYTES);
    poll_messages_request_t poll = {.cursors = {&cursor, 1}, .budget_bytes = 1 << 20};
    world_begin(self->world);
    uint64_t poll_id = 0;
    for (uint32_t i = 0; i < 4; i++) {
        buffer_t sealed = sealed_bytes(self->room.epoch, 0, i, i, 50);
        send_request_t send = {.sealed = buffer_view(&sealed)};
        memcpy(send.group, self->room.group, GROUP_ID_BYTES);
        (void)link_send(&self->alice.events, VERB_send, &send);
        buffer_free(&sealed);
        if (i == 1)
            poll_id = link_send(&self->bob.events, VERB_poll_messages, &poll);
    }
    assert_int_equal(world_finish(self->world), STATUS_OK);
    link_t *links[] = {&self->bob.events};
    link_collect(links, 1);
    message_t reply = {0};
    assert_true(link_reply(&self->bob.events, poll_id, &reply));
    assert_int_equal(reply.body.poll_messages_reply.events.count, 2);
    message_wipe(&reply);
    uint64_t next = 5;
    assert_int_equal(pushed_events(&self->bob.events, &next), 2);
}

static void the_removed_one_gets_the_commit_and_no_more(void **state)
{
    setting_t *self = *state;
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 2, NULL, NULL), STATUS_OK);
    draft_t *draft = draft_new(&self->room, &self->alice);
    draft_remove(draft, 1);
    draft_seal(draft, &self->alice, false);
    commit_request_t commit = draft_request(draft);
    buffer_t sealed = sealed_bytes(draft->after.epoch, 0, 0, 0, 50);
    send_request_t send = {.sealed = buffer_view(&sealed)};
    memcpy(send.group, self->room.group, GROUP_ID_BYTES);
    world_begin(self->world);
    (void)link_send(&self->alice.duties, VERB_commit, &commit);
    uint64_t id = link_send(&self->alice.events, VERB_send, &send);
    assert_int_equal(world_finish(self->world), STATUS_OK);
    link_t *links[] = {&self->alice.events, &self->bob.events};
    link_collect(links, 2);
    message_t reply = {0};
    assert_true(link_reply(&self->alice.events, id, &reply));
    assert_int_equal(reply.status, STATUS_OK);
    assert_int_equal(reply.body.send_reply.sequence, 4);
    message_wipe(&reply);
    uint64_t next = 3;
    assert_int_equal(pushed_events(&self->bob.events, &next), 1);
    uint64_t head;
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 2, &head, NULL), STATUS_OK);
    assert_int_equal(head, 3);
    buffer_free(&sealed);
    draft_free(draft);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_with_bob, tear_down)
        TEST(the_first_answer_comes_again),
        TEST(refusals_come_in_order),
        TEST(the_window_of_retries_has_64_messages),
        TEST(polls_give_what_is_the_callers),
        TEST(who_comes_back_reads_from_the_new_beginning),
        TEST(events_are_pushed_after_the_first_poll),
        TEST(the_push_window_closes_until_the_next_poll),
        TEST(a_poll_between_two_messages_of_a_turn_loses_none),
        TEST(the_removed_one_gets_the_commit_and_no_more),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
