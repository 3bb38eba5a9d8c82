/* SPDX-License-Identifier: MPL-2.0 */
/* Traced actions: the trace context goes into the frame of that action, each time it is sent, and
 * sealed into the text; nothing else carries it. */
#include "client/core/member.h"
#include "tests/unit/client/core_room.h"

#include <sodium.h>

static const trace_context_t trace = {.trace_id = {1, 2, 3}, .span_id = {4}, .flags = 1};
static const trace_context_t none;
static const char traceparent[] = "00-01020300000000000000000000000000-0400000000000000-01";

/* Takes the oldest request of that verb out, and compares its traceparent ("": none). */
static uint64_t asked_with(peer_t *peer, verb_t verb, const char *expected, message_t *out,
                           buffer_t *frame)
{
    uint64_t id = peer_asked(peer, verb, out, frame);
    assert_int_not_equal(id, 0);
    assert_int_equal(out->traceparent.size, strlen(expected));
    assert_memory_equal(out->traceparent.data, expected, strlen(expected));
    return id;
}

static uint64_t asks_with(peer_t *peer, verb_t verb, const char *expected)
{
    message_t asked;
    buffer_t frame;
    uint64_t id = asked_with(peer, verb, expected, &asked, &frame);
    message_wipe(&asked);
    buffer_free(&frame);
    return id;
}

/* Bob types a text; what leaves is compared, and opened by alice. */
static void bob_says(room_t *self, const trace_context_t *with)
{
    self->bob.trace = *with;
    local_send_request_t body = {.name = *holder_group_name(self->holder), .text = text_of("hi")};
    peer_request(&self->bob, LOCAL_VERB_send, 70, &body);
    self->bob.trace = none;
}

/* The text leaves, once more; the id of the request. sealed: the bytes. */
static uint64_t bob_sent(room_t *self, const trace_context_t *with, buffer_t *sealed)
{
    message_t asked;
    buffer_t frame;
    const char *expected = trace_context_exists(with) ? traceparent : "";
    uint64_t id = asked_with(&self->bob, VERB_send, expected, &asked, &frame);
    bytes_t bytes = asked.body.send_request.sealed;
    buffer_clear(sealed);
    buffer_append(sealed, bytes.data, bytes.size);
    message_wipe(&asked);
    buffer_free(&frame);
    return id;
}

static void alice_opens(room_t *self, const buffer_t *sealed, const trace_context_t *with)
{
    opened_message_t opened;
    assert_int_equal(group_state_open(self->alice_keys, buffer_view(sealed),
                                      identity_key(self->bob.identity), &opened),
                     STATUS_OK);
    trace_context_t found = message_fields_trace(buffer_view(&opened.fields));
    assert_memory_equal(&found, with, sizeof found);
    opened_message_wipe(&opened);
}

/* The traceparent of the next line that is shown. */
static void expect_traced(room_t *self, message_kind_t kind, local_verb_t verb,
                          const char *expected)
{
    local_message_t message;
    buffer_t frame;
    assert_true(peer_shown(&self->bob, kind, verb, &message, &frame));
    const local_line_record_t *line = kind == MESSAGE_PUSH
                                          ? &message.body.line_push.lines.items[0]
                                          : &message.body.history_reply.lines.items[0];
    assert_int_equal(line->kind, LINE_MESSAGE);
    assert_int_equal(line->traceparent.size, strlen(expected));
    assert_memory_equal(line->traceparent.data, expected, strlen(expected));
    local_message_wipe(&message);
    buffer_free(&frame);
}

static void expect_last_traced(room_t *self, const char *expected)
{
    local_history_request_t last = {.name = *holder_group_name(self->holder), .last = 1};
    peer_request(&self->bob, LOCAL_VERB_history, 80, &last);
    expect_traced(self, MESSAGE_REPLY, LOCAL_VERB_history, expected);
}

static void test_a_send_carries_its_trace_outside_and_inside(void **state)
{
    room_t *self = *state;
    buffer_t sealed = {0};
    expect_line(self, "!joined", NULL);
    bob_says(self, &trace);
    uint64_t id = bob_sent(self, &trace, &sealed);
    alice_opens(self, &sealed, &trace);
    send_reply_t reply = {.sequence = self->sequence + 1, .time_ms = 5};
    peer_reply(&self->bob, VERB_send, id, STATUS_OK, &reply);
    local_message_t told;
    buffer_t frame;
    assert_true(peer_shown(&self->bob, MESSAGE_REPLY, LOCAL_VERB_send, &told, &frame));
    assert_int_equal(told.body.send_reply.traceparent.size, strlen(traceparent));
    assert_memory_equal(told.body.send_reply.traceparent.data, traceparent, strlen(traceparent));
    local_message_wipe(&told);
    buffer_free(&frame);
    push_event(self, ++self->sequence, EVENT_MESSAGE, "bob", buffer_view(&sealed));
    expect_traced(self, MESSAGE_PUSH, LOCAL_VERB_line, traceparent);
    expect_last_traced(self, traceparent);
    buffer_free(&sealed);
}

static void test_without_it_nothing_is_added(void **state)
{
    room_t *self = *state;
    buffer_t sealed = {0};
    expect_line(self, "!joined", NULL);
    bob_says(self, &trace);
    uint64_t id = bob_sent(self, &trace, &sealed);
    push_event(self, ++self->sequence, EVENT_MESSAGE, "bob", buffer_view(&sealed));
    peer_reply(&self->bob, VERB_send, id, STATUS_OK, &(send_reply_t){.sequence = self->sequence});
    expect_last_traced(self, traceparent);
    bob_says(self, &none);
    (void)bob_sent(self, &none, &sealed);
    alice_opens(self, &sealed, &none);
    push_event(self, ++self->sequence, EVENT_MESSAGE, "bob", buffer_view(&sealed));
    expect_last_traced(self, "");
    buffer_free(&sealed);
}

static void test_polls_carry_none(void **state)
{
    room_t *self = *state;
    bob_says(self, &trace);
    peer_time(&self->bob, 1000);
    asks_with(&self->bob, VERB_poll_messages, "");
    asks_with(&self->bob, VERB_poll_keys, "");
}

/* After a timeout, after a crash, and sealed again in a new epoch. */
static void test_each_attempt_carries_the_same(void **state)
{
    room_t *self = *state;
    buffer_t first = {0}, again = {0};
    bob_says(self, &trace);
    (void)bob_sent(self, &trace, &first);
    peer_time(&self->bob, 5000);
    peer_login(&self->bob);
    (void)bob_sent(self, &trace, &again);
    assert_int_equal(again.size, first.size);
    assert_memory_equal(again.data, first.data, first.size);
    peer_stop(&self->bob);
    peer_start(&self->bob);
    peer_login(&self->bob);
    uint64_t id = bob_sent(self, &trace, &again);
    assert_memory_equal(again.data, first.data, first.size);
    peer_reply(&self->bob, VERB_send, id, STATUS_STALE_EPOCH, NULL);
    drain_polls(self);
    adopt(self, &(commit_plan_t){0});
    push_event(self, ++self->sequence, EVENT_COMMIT, "alice", buffer_view(&self->last_commit));
    commit_outcome_t outcome;
    assert_int_equal(
        group_state_apply_commit(self->alice_keys, buffer_view(&self->last_commit), &outcome),
        STATUS_OK);
    (void)bob_sent(self, &trace, &again);
    assert_memory_not_equal(again.data, first.data, first.size);
    alice_opens(self, &again, &trace);
    buffer_free(&first);
    buffer_free(&again);
}

static void test_a_text_never_sealed_keeps_it_over_a_crash(void **state)
{
    room_t *self = *state;
    buffer_t sealed = {0};
    peer_link(&self->bob, LINK_DOWN);
    bob_says(self, &trace);
    peer_stop(&self->bob);
    peer_start(&self->bob);
    peer_login(&self->bob);
    (void)bob_sent(self, &trace, &sealed);
    alice_opens(self, &sealed, &trace);
    buffer_free(&sealed);
}

static void test_a_receiver_sees_the_creation_context(void **state)
{
    room_t *self = *state;
    expect_line(self, "!joined", NULL);
    self->alice_trace = trace;
    alice_says(self, "before she is proven");
    peer_stop(&self->bob);
    peer_start(&self->bob);
    peer_login(&self->bob);
    prove_alice(self, true);
    expect_last_traced(self, traceparent);
    alice_says(self, "after that");
    expect_last_traced(self, traceparent);
    self->alice_trace = none;
    alice_says(self, "untraced");
    expect_last_traced(self, "");
}

/* It lies under the same seal as the text. */
static void test_a_changed_creation_context_is_not_read(void **state)
{
    room_t *self = *state;
    expect_line(self, "!joined", NULL);
    alice_says(self, "one");
    prove_alice(self, true);
    expect_line(self, "one", NULL);
    self->alice_trace = trace;
    buffer_t sealed = {0};
    alice_seals(self, "two", self->alice_number++, &sealed);
    /* header, signature, type, number, length, content (time and text), tag, length: the ids */
    size_t at = 1 + 3 + MESSAGE_SALT_BYTES + SIGNATURE_BYTES + 3 + 4 + 2;
    for (size_t i = 0; i < TRACE_CONTEXT_BYTES; i++) {
        sealed.data[at + i] ^= 1;
        push_event(self, ++self->sequence, EVENT_MESSAGE, "alice", buffer_view(&sealed));
        expect_line(self, "!undecryptable", NULL);
        sealed.data[at + i] ^= 1;
    }
    push_event(self, ++self->sequence, EVENT_MESSAGE, "alice", buffer_view(&sealed));
    expect_traced(self, MESSAGE_PUSH, LOCAL_VERB_line, traceparent);
    buffer_free(&sealed);
}

static void test_joining_and_leaving_are_traced(void **state)
{
    room_t *self = *state;
    name_t other;
    assert_int_equal(name_parse(&other, "other"), STATUS_OK);
    self->bob.trace = trace;
    peer_request(&self->bob, LOCAL_VERB_join, 71, &(local_join_request_t){.name = other});
    self->bob.trace = none;
    lookup_reply_t lookup = {.epoch = 1, .creator = *identity_name(self->alice), .group = {8}};
    memcpy(lookup.creator_key, identity_key(self->alice), KEY_BYTES);
    uint64_t id = asks_with(&self->bob, VERB_lookup, traceparent);
    peer_reply(&self->bob, VERB_lookup, id, STATUS_OK, &lookup);
    id = asks_with(&self->bob, VERB_join, traceparent);
    peer_reply(&self->bob, VERB_join, id, STATUS_OK, NULL);
    peer_time(&self->bob, 60000); /* asked again by itself: no action of the user */
    peer_login(&self->bob);
    asks_with(&self->bob, VERB_lookup, "");

    self->bob.trace = trace;
    local_leave_request_t body = {.name = *holder_group_name(self->holder)};
    peer_request(&self->bob, LOCAL_VERB_leave, 72, &body);
    asks_with(&self->bob, VERB_leave, traceparent);
}

static void test_closing_the_account_is_traced(void **state)
{
    room_t *self = *state;
    self->bob.trace = trace;
    peer_request(&self->bob, LOCAL_VERB_unregister, 71, NULL);
    uint64_t id = asks_with(&self->bob, VERB_leave, traceparent);
    peer_reply(&self->bob, VERB_leave, id, STATUS_ALREADY_LEFT, NULL);
    asks_with(&self->bob, VERB_unregister, traceparent);
}

/* The member core asks the admin core, whose request it is. */
static void test_creating_is_traced(void **state)
{
    room_t *self = *state;
    name_t name;
    assert_int_equal(name_parse(&name, "new"), STATUS_OK);
    self->bob.trace = trace;
    frames_wipe(&self->bob.mail);
    peer_request(&self->bob, LOCAL_VERB_create, 71, &(local_create_request_t){.name = name});
    assert_int_equal(self->bob.mail.count, 1);
    peer_t admin = {.make = admin_core_new, .now = self->bob.now};
    admin.identity = self->bob.identity;
    admin.vault = vault_memory_new();
    peer_start(&admin);
    peer_login(&admin);
    effects_t effects = {0};
    admin.core->ops->mail(admin.core, admin.now, buffer_view(&self->bob.mail.items[0].bytes),
                          &effects);
    peer_take(&admin, &effects);
    asks_with(&admin, VERB_create, traceparent);
    asks_with(&admin, VERB_poll_joins, "");
    admin.identity = NULL; /* bob's */
    peer_wipe(&admin);
}

static void test_rows_with_and_without(void **state)
{
    (void)state;
    outbox_entry_t entry = {.index = 3}, read;
    buffer_append(&entry.text, "hi", 2);
    buffer_t row = {0};
    outbox_row_write(&entry, &row);
    assert_int_equal(row.data[0], 1); /* as it was before there were traces */
    row.data[0] = 2;
    assert_int_equal(outbox_row_read(&read, buffer_view(&row)), STATUS_DAMAGED_FILE);
    row.data[0] = 3;
    assert_int_equal(outbox_row_read(&read, buffer_view(&row)), STATUS_NEWER_FORMAT);
    buffer_clear(&row);
    entry.trace = trace;
    outbox_row_write(&entry, &row);
    assert_int_equal(outbox_row_read(&read, buffer_view(&row)), STATUS_OK);
    assert_memory_equal(&read.trace, &trace, sizeof trace);
    outbox_entry_wipe(&read);
    memset(row.data + row.size - TRACE_CONTEXT_BYTES, 0, TRACE_CONTEXT_BYTES);
    assert_int_equal(outbox_row_read(&read, buffer_view(&row)), STATUS_DAMAGED_FILE);
    buffer_clear(&row);
    outbox_entry_wipe(&entry);

    local_line_record_t line = {.kind = LINE_MESSAGE}, again = {0};
    line_row_write(&line, &row);
    assert_int_equal(row.data[0], 1);
    buffer_clear(&row);
    line.traceparent = text_of(traceparent);
    line_row_write(&line, &row);
    assert_int_equal(row.data[0], 2);
    assert_int_equal(line_row_read(&again, buffer_view(&row)), STATUS_OK);
    assert_int_equal(again.traceparent.size, strlen(traceparent));
    row.data[0] = 1; /* with bytes left over */
    assert_int_equal(line_row_read(&again, buffer_view(&row)), STATUS_DAMAGED_FILE);
    row.data[0] = 3;
    assert_int_equal(line_row_read(&again, buffer_view(&row)), STATUS_NEWER_FORMAT);
    buffer_free(&row);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        ROOM_TEST(test_a_send_carries_its_trace_outside_and_inside),
        ROOM_TEST(test_without_it_nothing_is_added),
        ROOM_TEST(test_polls_carry_none),
        ROOM_TEST(test_each_attempt_carries_the_same),
        ROOM_TEST(test_a_text_never_sealed_keeps_it_over_a_crash),
        ROOM_TEST(test_a_receiver_sees_the_creation_context),
        ROOM_TEST(test_a_changed_creation_context_is_not_read),
        ROOM_TEST(test_joining_and_leaving_are_traced),
        ROOM_TEST(test_closing_the_account_is_traced),
        ROOM_TEST(test_creating_is_traced),
        cmocka_unit_test(test_rows_with_and_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
