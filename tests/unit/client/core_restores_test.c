/* SPDX-License-Identifier: MPL-2.0 */
/* A broker that was restored from a backup, as a member meets it: what is asked, told, sent again,
 * and what never goes back. */
#include "tests/unit/client/core_room.h"

#include <sodium.h>

/* Bob's client begins anew, at a broker of this incarnation. */
static void restart(room_t *self, uint8_t incarnation)
{
    peer_stop(&self->bob);
    peer_start(&self->bob);
    memset(self->bob.incarnation, incarnation, INCARNATION_BYTES);
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

/* Answers what bob asks about the group, which must name the incarnation he knew. */
static void answer_restored(room_t *self, uint8_t known, status_t status, uint64_t sequence,
                            uint64_t epoch)
{
    message_t asked;
    buffer_t frame;
    uint8_t expected[INCARNATION_BYTES];
    uint64_t id = peer_asked(&self->bob, VERB_restored, &asked, &frame);
    assert_int_not_equal(id, 0);
    memset(expected, known, sizeof expected);
    assert_memory_equal(asked.body.restored_request.incarnation, expected, sizeof expected);
    assert_memory_equal(asked.body.restored_request.group, self->group, GROUP_ID_BYTES);
    message_wipe(&asked);
    buffer_free(&frame);
    peer_reply(&self->bob, VERB_restored, id, status,
               &(restored_reply_t){.sequence = sequence, .epoch = epoch});
}

/* The cursor of the group in the poll that is open; SIZE_MAX: it isn't in it. */
static uint64_t polled_cursor(room_t *self)
{
    message_t asked;
    buffer_t frame;
    uint64_t cursor = SIZE_MAX;
    assert_int_not_equal(peer_asked(&self->bob, VERB_poll_messages, &asked, &frame), 0);
    const poll_messages_request_t *poll = &asked.body.poll_messages_request;
    for (size_t i = 0; i < poll->cursors.count; i++)
        if (!memcmp(poll->cursors.items[i].group, self->group, GROUP_ID_BYTES))
            cursor = poll->cursors.items[i].cursor;
    message_wipe(&asked);
    buffer_free(&frame);
    return cursor;
}

/* The same of the first poll that comes once what is open was answered. */
static uint64_t next_polled_cursor(room_t *self)
{
    drain_polls(self);
    peer_time(&self->bob, 1000);
    return polled_cursor(self);
}

static size_t lines_like(room_t *self, const char *text)
{
    local_message_t message;
    buffer_t frame;
    local_history_request_t body = {.name = *holder_group_name(self->holder), .last = 100};
    peer_request(&self->bob, LOCAL_VERB_history, 71, &body);
    assert_true(peer_shown(&self->bob, MESSAGE_REPLY, LOCAL_VERB_history, &message, &frame));
    size_t found = 0;
    for (size_t i = 0; i < message.body.history_reply.lines.count; i++) {
        const local_line_record_t *line = &message.body.history_reply.lines.items[i];
        text_t said = line->kind == LINE_MESSAGE ? line->text : line->reason;
        found += said.size >= strlen(text) && memmem(said.data, said.size, text, strlen(text));
    }
    local_message_wipe(&message);
    buffer_free(&frame);
    return found;
}

static status_t send_status(room_t *self)
{
    local_send_request_t body = {.name = *holder_group_name(self->holder), .text = text_of("x")};
    peer_request(&self->bob, LOCAL_VERB_send, 90, &body);
    return peer_told(&self->bob, LOCAL_VERB_send);
}

/* Two of alice's texts that the backup doesn't have, and one of bob's that was acked and not read.
 */
static uint64_t lose_some(room_t *self, buffer_t *sealed)
{
    uint64_t end = self->sequence;
    restart(self, 1);
    settle(self);
    assert_int_equal(peer_asked(&self->bob, VERB_restored, NULL, NULL), 0);
    alice_says(self, "a");
    prove_alice(self, true);
    alice_says(self, "b");
    uint64_t id = bob_sends(self, 80, "mine", sealed);
    peer_reply(&self->bob, VERB_send, id, STATUS_OK,
               &(send_reply_t){.sequence = self->sequence + 1, .time_ms = 1});
    settle(self);
    return end;
}

static void the_group_goes_on_behind_what_is_here(void **state)
{
    room_t *self = *state;
    buffer_t sealed = {0};
    uint64_t id, end = lose_some(self, &sealed);
    restart(self, 2);
    assert_int_equal(polled_cursor(self), SIZE_MAX); /* nothing is read until it is known */
    assert_int_equal(peer_asked(&self->bob, VERB_send, NULL, NULL), 0);
    answer_restored(self, 1, STATUS_OK, end, holder_epoch(self->holder));
    char told[64];
    snprintf(told, sizeof told, "messages %llu to %llu exist only here",
             (unsigned long long)end + 1, (unsigned long long)self->sequence);
    assert_int_equal(lines_like(self, told), 1);
    assert_true(resent(self, &sealed, &id)); /* with the same bytes */
    peer_reply(&self->bob, VERB_send, id, STATUS_OK, &(send_reply_t){.sequence = end + 1});
    push_event(self, end + 1, EVENT_MESSAGE, "bob", buffer_view(&sealed));
    self->sequence = end + 1;
    alice_says(self, "c");
    restart(self, 2);
    assert_int_equal(peer_asked(&self->bob, VERB_restored, NULL, NULL), 0);
    assert_int_equal(next_polled_cursor(self), end + 2);
    static const char *const texts[] = {"a", "b", "mine", "c"};
    for (size_t i = 0; i < 4; i++)
        assert_true(lines_like(self, texts[i]) >= 1);
    assert_int_equal(lines_like(self, "mine"), 1);
    assert_int_equal(lines_like(self, "WARNING"), 0);
    buffer_free(&sealed);
}

static void nothing_lost_is_told_as_that(void **state)
{
    room_t *self = *state;
    restart(self, 1);
    settle(self);
    restart(self, 2);
    answer_restored(self, 1, STATUS_OK, self->sequence, holder_epoch(self->holder));
    assert_int_equal(lines_like(self, "it has all that this device has"), 1);
    assert_int_equal(next_polled_cursor(self), self->sequence);
}

static void keys_never_go_back(void **state)
{
    room_t *self = *state;
    buffer_t sealed = {0};
    uint64_t end = lose_some(self, &sealed);
    restart(self, 2);
    answer_restored(self, 1, STATUS_OK, end, holder_epoch(self->holder) - 1);
    assert_int_equal(lines_like(self, "older key of this group"), 1);
    assert_int_equal(send_status(self), STATUS_OUT_OF_STEP);
    restart(self, 2); /* told once, and not asked again */
    assert_int_equal(peer_asked(&self->bob, VERB_restored, NULL, NULL), 0);
    assert_int_equal(peer_asked(&self->bob, VERB_send, NULL, NULL), 0);
    assert_int_equal(next_polled_cursor(self), SIZE_MAX);
    assert_int_equal(lines_like(self, "older key of this group"), 1);
    restart(self, 3); /* a better backup */
    answer_restored(self, 1, STATUS_OK, self->sequence, holder_epoch(self->holder));
    assert_int_equal(lines_like(self, "it has all that this device has"), 1);
    uint64_t id;
    assert_true(resent(self, &sealed, &id));
    buffer_free(&sealed);
}

/* A text that waited for a new key: once it can't be sent, nobody is to be woken for it. */
static void a_stopped_group_wakes_nobody(void **state)
{
    room_t *self = *state;
    peer_t *bob = &self->bob;
    buffer_t sealed = {0};
    restart(self, 1);
    settle(self);
    uint64_t id = bob_sends(self, 80, "later", &sealed);
    peer_reply(bob, VERB_send, id, STATUS_REKEY_DUE, NULL);
    peer_link(bob, LINK_DOWN);
    memset(bob->incarnation, 2, INCARNATION_BYTES);
    peer_login(bob);
    answer_restored(self, 1, STATUS_UNKNOWN_GROUP, 0, 0);
    peer_time(bob, 60000);
    drain_polls(self);
    assert_true(bob->core->ops->deadline(bob->core) > bob->now.boot_ms);
    buffer_free(&sealed);
}

static void what_the_broker_does_not_know_stops_the_group(void **state)
{
    static const struct {
        status_t status;
        const char *told;
    } cases[] = {{STATUS_UNKNOWN_GROUP, "doesn't know this group"},
                 {STATUS_NOT_MEMBER, "doesn't know this group"},
                 {STATUS_NOT_FOUND, "can't say what it lost"}};
    room_t *self = *state;
    restart(self, 1);
    settle(self);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t before = lines_like(self, cases[i].told);
        restart(self, (uint8_t)(2 + i));
        answer_restored(self, 1, cases[i].status, 0, 0);
        assert_int_equal(lines_like(self, cases[i].told), before + 1);
        assert_int_equal(send_status(self), STATUS_OUT_OF_STEP);
        assert_int_equal(next_polled_cursor(self), SIZE_MAX);
    }
    name_t name = *holder_group_name(self->holder); /* the way out */
    peer_request(&self->bob, LOCAL_VERB_leave, 81, &(local_leave_request_t){.name = name});
    peer_answer(&self->bob, VERB_leave, STATUS_NOT_MEMBER, NULL);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_leave), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(the_group_goes_on_behind_what_is_here),
        ROOM_TEST(nothing_lost_is_told_as_that),
        ROOM_TEST(keys_never_go_back),
        ROOM_TEST(what_the_broker_does_not_know_stops_the_group),
        ROOM_TEST(a_stopped_group_wakes_nobody),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("restores", tests, NULL, NULL);
}
