/* SPDX-License-Identifier: MPL-2.0 */
/* What screens and the other core may say wrongly to a member core: each is answered or ignored,
 * and the core goes on. */
#include "tests/unit/client/core_room.h"

#include <sodium.h>

#include "client/core/mail.h"

static void request_bytes(room_t *self, bytes_t frame)
{
    effects_t effects = {0};
    self->bob.core->ops->request(self->bob.core, self->bob.now, 1, frame, &effects);
    peer_take(&self->bob, &effects);
}

static void expect_alive(room_t *self)
{
    buffer_t sealed = {0};
    assert_int_equal(self->bob.fatal, STATUS_OK);
    assert_int_not_equal(bob_sends(self, 60, "still here", &sealed), 0);
    buffer_free(&sealed);
}

/* Whatever is cut off: the requester is told as soon as the request can be named, and no frame is
 * taken for what it isn't. */
static void test_broken_requests_are_answered_with_why(void **state)
{
    room_t *self = *state;
    buffer_t frame = {0};
    local_send_request_t body = {.name = *holder_group_name(self->holder), .text = text_of("cut")};
    local_write_request(&frame, LOCAL_VERB_send, 61, NULL, &body);
    size_t told = 0;
    for (size_t size = 0; size < frame.size; size++) {
        frames_wipe(&self->bob.screens);
        request_bytes(self, (bytes_t){frame.data, size});
        assert_int_equal(peer_asked(&self->bob, VERB_send, NULL, NULL), 0);
        status_t status = peer_told(&self->bob, LOCAL_VERB_send);
        told += status == STATUS_MALFORMED;
        assert_true(status == STATUS_MALFORMED || status == STATUS_INVALID); /* not told */
    }
    assert_int_not_equal(told, 0);
    assert_int_equal(peer_rows(&self->bob, ROW_OUTBOX), 0);
    buffer_clear(&frame);
    local_write_reply(&frame, LOCAL_VERB_send, 61, STATUS_OK, NULL);
    frames_wipe(&self->bob.screens);
    request_bytes(self, buffer_view(&frame)); /* a screen doesn't answer */
    assert_int_equal(peer_rows(&self->bob, ROW_OUTBOX), 0);
    expect_alive(self);
    buffer_free(&frame);
}

static void test_requests_without_a_name_or_a_text_are_refused(void **state)
{
    room_t *self = *state;
    static const local_verb_t named[] = {LOCAL_VERB_create,  LOCAL_VERB_join, LOCAL_VERB_leave,
                                         LOCAL_VERB_members, LOCAL_VERB_send, LOCAL_VERB_pending};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        peer_request(&self->bob, named[i], 62, NULL);
        assert_int_equal(peer_told(&self->bob, named[i]), STATUS_BAD_NAME);
    }
    local_send_request_t body = {.name = *holder_group_name(self->holder)};
    peer_request(&self->bob, LOCAL_VERB_send, 63, &body);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_send), STATUS_INVALID);
    expect_alive(self);
}

static void test_only_so_many_requests_wait(void **state)
{
    room_t *self = *state;
    name_t name;
    status_t told = STATUS_INVALID; /* not told */
    size_t asked = 0;
    assert_int_equal(name_parse(&name, "nowhere"), STATUS_OK);
    for (; told == STATUS_INVALID && asked <= 1024; asked++) {
        peer_request(&self->bob, LOCAL_VERB_join, 100 + asked,
                     &(local_join_request_t){.name = name});
        told = peer_told(&self->bob, LOCAL_VERB_join);
    }
    assert_int_equal(told, STATUS_TOO_MANY);
    assert_int_equal(asked, 1025);
}

static void mail_bytes(room_t *self, bytes_t bytes)
{
    effects_t effects = {0};
    self->bob.core->ops->mail(self->bob.core, self->bob.now, bytes, &effects);
    peer_take(&self->bob, &effects);
}

static void test_rubbish_from_the_other_core_is_ignored(void **state)
{
    room_t *self = *state;
    static const uint8_t rubbish[] = {0xff, 1, 2};
    mail_bytes(self, (bytes_t){rubbish, sizeof rubbish});
    static const mail_kind_t kinds[] = {
        MAIL_PASS,    /* not for a member */
        MAIL_WAITING, /* answers that nobody asked for */
        MAIL_CREATED, MAIL_PASSED, MAIL_SERVED,
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        mail_t mail = {.kind = kinds[i], .group = {1, 2, 3}, .number = 999};
        buffer_t bytes = {0};
        mail_write(&mail, &bytes);
        mail_bytes(self, buffer_view(&bytes));
        buffer_free(&bytes);
    }
    expect_alive(self);
}

/* The one that asked gets it, words of the two keys and all. */
static void test_what_waits_goes_to_the_screen_that_asked(void **state)
{
    room_t *self = *state;
    name_t name = *holder_group_name(self->holder);
    mail_waiting_t waiting = {.name = *identity_name(self->alice), .task = TASK_JOINS};
    memcpy(waiting.identity_key, identity_key(self->alice), KEY_BYTES);
    peer_request(&self->bob, LOCAL_VERB_pending, 69, &(local_pending_request_t){.name = name});
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_pending), STATUS_NOT_ADMIN);
    commit_role_t role = {1, ROLE_ADMIN};
    adopt(self, &(commit_plan_t){.roles = &role, .role_count = 1});
    push_event(self, ++self->sequence, EVENT_COMMIT, "alice", buffer_view(&self->last_commit));
    frames_wipe(&self->bob.mail);
    for (uint64_t id = 70; id < 72; id++)
        peer_request(&self->bob, LOCAL_VERB_pending, id, &(local_pending_request_t){.name = name});
    assert_int_equal(self->bob.mail.count, 2);
    mail_t question;
    assert_int_equal(mail_read(&question, buffer_view(&self->bob.mail.items[1].bytes)), STATUS_OK);
    buffer_t list = {0}, bytes = {0};
    mail_waiting_write(&waiting, &list);
    mail_t answer = {.kind = MAIL_WAITING, .number = question.number, .bytes = buffer_view(&list)};
    mail_write(&answer, &bytes);
    mail_bytes(self, buffer_view(&bytes));
    local_message_t message;
    buffer_t frame;
    assert_true(peer_shown(&self->bob, MESSAGE_REPLY, LOCAL_VERB_pending, &message, &frame));
    assert_int_equal(message.id, 71);
    const local_pending_reply_t *reply = &message.body.pending_reply;
    assert_int_equal(reply->pending.count, 1);
    assert_string_equal(reply->pending.items[0].name.text, "alice");
    assert_int_not_equal(reply->pending.items[0].words.size, 0);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_pending), STATUS_INVALID);
    local_message_wipe(&message);
    buffer_free(&frame);
    buffer_free(&list);
    buffer_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(test_broken_requests_are_answered_with_why),
        ROOM_TEST(test_requests_without_a_name_or_a_text_are_refused),
        ROOM_TEST(test_only_so_many_requests_wait),
        ROOM_TEST(test_rubbish_from_the_other_core_is_ignored),
        ROOM_TEST(test_what_waits_goes_to_the_screen_that_asked),
    };
    if (sodium_init() < 0)
        return 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
