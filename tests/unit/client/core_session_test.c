/* SPDX-License-Identifier: MPL-2.0 */
/* The session: its whole table, its retries, and what ends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <string.h>

#include "client/core/session.h"
#include "client/keys/identity.h"

typedef struct {
    session_t session;
    identity_t *identity;
    effects_t effects;
    moment_t now;
    unsigned ready, pushed, traced;
    unsigned answered;
    status_t last_status;
    uint64_t last_subject;
    status_t cause;
} bench_t;

static void on_ready(void *owner, moment_t now, effects_t *effects)
{
    (void)now;
    (void)effects;
    ((bench_t *)owner)->ready++;
}

static void on_answered(void *owner, moment_t now, const call_t *call, status_t status,
                        const message_t *reply, effects_t *effects)
{
    (void)now;
    (void)reply;
    (void)effects;
    bench_t *self = owner;
    self->answered++;
    self->last_status = status;
    self->last_subject = call->subject;
}

static void on_pushed(void *owner, moment_t now, const message_t *push, effects_t *effects)
{
    (void)now;
    (void)push;
    (void)effects;
    ((bench_t *)owner)->pushed++;
}

static void on_reachable(void *owner, moment_t now, status_t cause, const char *reason,
                         effects_t *effects)
{
    (void)now;
    (void)effects;
    assert_true((cause == STATUS_OK) == (reason[0] == '\0'));
    ((bench_t *)owner)->cause = cause;
}

static void on_trace(void *owner, session_state_t from, session_event_t event, session_state_t to)
{
    assert_string_not_equal(session_state_name(from), "?");
    assert_string_not_equal(session_state_name(to), "?");
    assert_string_not_equal(session_event_name(event), "?");
    ((bench_t *)owner)->traced++;
}

static const session_owner_t owner = {on_ready, on_answered, on_pushed, on_reachable, on_trace};

static void bench_start(bench_t *self)
{
    *self = (bench_t){0};
    name_t name;
    assert_int_equal(name_parse(&name, "ada"), STATUS_OK);
    self->identity = identity_new(&name);
    session_config_t config = {.ops = &owner,
                               .owner = self,
                               .identity = self->identity,
                               .purpose = PURPOSE_EVENTS,
                               .call_deadline_ms = 5000};
    session_init(&self->session, &config);
    session_start(&self->session, self->now, &self->effects);
    assert_int_equal(self->effects.link, LINK_OPEN);
}

static void bench_end(bench_t *self)
{
    session_wipe(&self->session);
    effects_wipe(&self->effects);
    identity_destroy(&self->identity);
}

/* Takes the frames of the step; returns how many there were, and the first one's id. */
static size_t take(bench_t *self, verb_t *verb, uint64_t *id)
{
    size_t count = self->effects.frames.count;
    if (count) {
        message_t message = {0};
        bytes_t frame = buffer_view(&self->effects.frames.items[0].bytes);
        assert_int_equal(message_read(&message, &frame, 1u << MESSAGE_REQUEST), STATUS_OK);
        *verb = message.verb;
        *id = message.id;
        message_wipe(&message);
    }
    effects_wipe(&self->effects);
    return count;
}

static void reply(bench_t *self, verb_t verb, uint64_t id, status_t status, const void *body)
{
    buffer_t frame = {0};
    message_write_reply(&frame, verb, id, status, body);
    session_frame(&self->session, self->now, buffer_view(&frame), &self->effects);
    buffer_free(&frame);
}

/* Answers the handshake's open step. */
static void step(bench_t *self, status_t status)
{
    verb_t verb;
    uint64_t id;
    static const hello_reply_t hello = {.version = PROTOCOL_VERSION_MAX};
    assert_int_equal(take(self, &verb, &id), 1);
    reply(self, verb, id, status, verb == VERB_hello ? &hello : NULL);
}

static void up(bench_t *self)
{
    static const uint8_t key[KEY_BYTES] = {1};
    effects_wipe(&self->effects);
    session_link(&self->session, self->now, LINK_UP, key, &self->effects);
}

static void log_in(bench_t *self)
{
    up(self);
    step(self, STATUS_OK);
    step(self, STATUS_OK);
    step(self, STATUS_OK);
    assert_int_equal(self->session.state, SESSION_READY);
}

static uint64_t call(bench_t *self, uint64_t subject)
{
    return session_call(&self->session, self->now, VERB_lookup, NULL, subject, NULL,
                        &self->effects);
}

static void test_table(void **state)
{
    (void)state;
    /* Rows: states. Columns: START UP CONNECTED DOWN WRONG_BROKER ANSWER LATER REFUSAL LOGIN_AGAIN
     * REPLACED FAULT DEADLINE */
    static const char *const expected[SESSION_STATE_COUNT] = {
        "x...........", /* CLOSED */
        ".x.xx......x", /* OPENING */
        "..xxxxxx..xx", /* GREETING */
        "..xxxxxx..xx", /* CHALLENGING */
        "..xxxxxx..xx", /* LOGGING_IN */
        "..xxx...xxxx", /* READY */
        "...........x", /* RESTING */
        "............", /* STOPPED */
    };
    for (int from = 0; from < SESSION_STATE_COUNT; from++) {
        assert_int_equal(strlen(expected[from]), SESSION_EVENT_COUNT);
        for (int event = 0; event < SESSION_EVENT_COUNT; event++)
            if (session_accepts((session_state_t)from, (session_event_t)event) !=
                (expected[from][event] == 'x'))
                fail_msg("%s x %s", session_state_name((session_state_t)from),
                         session_event_name((session_event_t)event));
    }
}

static void test_login(void **state)
{
    (void)state;
    bench_t self;
    bench_start(&self);
    log_in(&self);
    assert_int_equal(self.ready, 1);
    assert_int_equal(self.cause, STATUS_OK);
    assert_true(self.traced >= 5);
    bench_end(&self);
}

static void test_event_out_of_place_is_rejected(void **state)
{
    (void)state;
    bench_t self;
    bench_start(&self);
    session_link(&self.session, self.now, LINK_CONNECTED, NULL, &self.effects);
    assert_int_equal(self.session.rejected, 1);
    assert_int_equal(self.session.state, SESSION_OPENING);
    bench_end(&self);
}

static void test_calls_are_answered_once(void **state)
{
    (void)state;
    bench_t self;
    bench_start(&self);
    log_in(&self);
    effects_wipe(&self.effects);
    uint64_t id = call(&self, 42);
    assert_int_equal(self.effects.frames.count, 1);
    reply(&self, VERB_lookup, id, STATUS_UNKNOWN_GROUP, NULL);
    reply(&self, VERB_lookup, id, STATUS_OK, NULL);
    reply(&self, VERB_lookup, id + 9, STATUS_OK, NULL);
    reply(&self, VERB_whois, id, STATUS_OK, NULL);
    assert_int_equal(self.answered, 1);
    assert_int_equal(self.last_subject, 42);
    assert_int_equal(self.last_status, STATUS_UNKNOWN_GROUP);
    bench_end(&self);
}

static void test_timeout_opens_anew_and_sends_again_oldest_first(void **state)
{
    (void)state;
    bench_t self;
    bench_start(&self);
    log_in(&self);
    uint64_t first = call(&self, 1);
    (void)call(&self, 2);
    effects_wipe(&self.effects);
    self.now.boot_ms += 5000;
    assert_true(session_deadline(&self.session) <= self.now.boot_ms);
    session_time(&self.session, self.now, &self.effects);
    assert_int_equal(self.effects.link, LINK_OPEN);
    assert_int_equal(self.effects.frames.count, 0);
    assert_int_equal(self.answered, 0);
    up(&self);
    step(&self, STATUS_OK);
    step(&self, STATUS_OK);
    step(&self, STATUS_OK);
    verb_t verb;
    uint64_t id;
    assert_int_equal(take(&self, &verb, &id), 2);
    assert_int_equal(id, first);
    bench_end(&self);
}

static void test_at_most_64_in_flight(void **state)
{
    (void)state;
    bench_t self;
    bench_start(&self);
    log_in(&self);
    effects_wipe(&self.effects);
    uint64_t first = call(&self, 0);
    for (uint64_t i = 1; i < 100; i++)
        (void)call(&self, i);
    assert_int_equal(self.effects.frames.count, IN_FLIGHT_MAX);
    effects_wipe(&self.effects);
    reply(&self, VERB_lookup, first, STATUS_OK, NULL);
    assert_int_equal(self.effects.frames.count, 1);
    bench_end(&self);
}

static void test_transient_refusal_waits(void **state)
{
    (void)state;
    static const status_t transient[] = {STATUS_RATE_LIMITED, STATUS_DRAINING, STATUS_STORE_FULL,
                                         STATUS_STORE_FAILED};
    for (size_t i = 0; i < 4; i++) {
        bench_t self;
        bench_start(&self);
        log_in(&self);
        uint64_t id = call(&self, 1);
        effects_wipe(&self.effects);
        reply(&self, VERB_lookup, id, transient[i], NULL);
        assert_int_equal(self.effects.frames.count, 0);
        assert_int_equal(self.answered, 0);
        uint64_t at = session_deadline(&self.session);
        assert_true(at > self.now.boot_ms && at <= self.now.boot_ms + 100);
        self.now.boot_ms = at;
        session_time(&self.session, self.now, &self.effects);
        assert_int_equal(self.effects.frames.count, 1);
        bench_end(&self);
    }
}

static void test_session_statuses_log_in_again(void **state)
{
    (void)state;
    static const status_t statuses[] = {STATUS_HELLO_FIRST, STATUS_NOT_LOGGED_IN, STATUS_BAD_TOKEN,
                                        STATUS_WRONG_CONNECTION, STATUS_SESSION_EXPIRED};
    for (size_t i = 0; i < 5; i++) {
        bench_t self;
        bench_start(&self);
        log_in(&self);
        uint64_t id = call(&self, 1);
        effects_wipe(&self.effects);
        reply(&self, VERB_lookup, id, statuses[i], NULL);
        assert_int_equal(self.effects.link, LINK_OPEN);
        assert_int_equal(self.answered, 0);
        bench_end(&self);
    }
}

static void test_replaced_stops_and_answers_all(void **state)
{
    (void)state;
    bench_t self;
    bench_start(&self);
    log_in(&self);
    (void)call(&self, 1);
    (void)call(&self, 2);
    buffer_t frame = {0};
    message_write_push(&frame, VERB_replaced, 1, NULL);
    session_frame(&self.session, self.now, buffer_view(&frame), &self.effects);
    buffer_free(&frame);
    assert_int_equal(self.session.state, SESSION_STOPPED);
    assert_int_equal(self.effects.link, LINK_CLOSE);
    assert_int_equal(self.cause, STATUS_REPLACED);
    assert_true(session_deadline(&self.session) <= self.now.boot_ms);
    session_time(&self.session, self.now, &self.effects);
    assert_int_equal(self.answered, 2);
    assert_int_equal(self.last_status, STATUS_REPLACED);
    assert_true(session_deadline(&self.session) == UINT64_MAX);
    bench_end(&self);
}

static void test_backoff_grows_to_five_seconds(void **state)
{
    (void)state;
    bench_t self;
    bench_start(&self);
    uint64_t longest = 0;
    for (int i = 0; i < 12; i++) {
        session_link(&self.session, self.now, LINK_DOWN, NULL, &self.effects);
        if (self.session.state == SESSION_RESTING) {
            uint64_t rest = session_deadline(&self.session) - self.now.boot_ms;
            assert_in_range(rest, 50, 5000);
            longest = rest > longest ? rest : longest;
            self.now.boot_ms += rest;
            session_time(&self.session, self.now, &self.effects);
        }
        assert_int_equal(self.session.state, SESSION_OPENING);
    }
    assert_true(longest >= 2500);
    bench_end(&self);
}

static void test_refused_login_stops(void **state)
{
    (void)state;
    bench_t self;
    bench_start(&self);
    up(&self);
    step(&self, STATUS_OK);
    step(&self, STATUS_OK);
    step(&self, STATUS_BAD_SIGNATURE);
    assert_int_equal(self.session.state, SESSION_STOPPED);
    assert_int_equal(self.cause, STATUS_BAD_SIGNATURE);
    bench_end(&self);
}

/* The body of another verb, read as a challenge, would send parts of this process's memory back. */
static void test_a_steps_id_with_another_verb_is_ignored(void **state)
{
    (void)state;
    bench_t self;
    bench_start(&self);
    up(&self);
    step(&self, STATUS_OK); /* hello; the challenge is asked for */
    verb_t verb;
    uint64_t id;
    assert_int_equal(take(&self, &verb, &id), 1);
    assert_int_equal(verb, VERB_challenge);
    event_record_t event = {.sequence = 1, .kind = EVENT_LEAVE};
    assert_int_equal(name_parse(&event.sender, "eve"), STATUS_OK);
    reply(&self, VERB_poll_messages, id, STATUS_OK,
          &(poll_messages_reply_t){.events = {&event, 1}});
    assert_int_equal(self.session.state, SESSION_CHALLENGING);
    assert_int_equal(self.effects.frames.count, 0);
    reply(&self, VERB_challenge, id, STATUS_OK, NULL);
    assert_int_equal(self.session.state, SESSION_LOGGING_IN);
    bench_end(&self);
}

static void test_a_version_that_was_not_offered_stops(void **state)
{
    (void)state;
    bench_t self;
    bench_start(&self);
    up(&self);
    verb_t verb;
    uint64_t id;
    assert_int_equal(take(&self, &verb, &id), 1);
    reply(&self, verb, id, STATUS_OK, &(hello_reply_t){.version = PROTOCOL_VERSION_MAX + 1});
    assert_int_equal(self.session.state, SESSION_STOPPED);
    assert_int_equal(self.session.stopped, STATUS_UNSUPPORTED_VERSION);
    bench_end(&self);
}

static void test_wrong_broker_is_said_and_tried_slowly(void **state)
{
    (void)state;
    bench_t self;
    bench_start(&self);
    session_link(&self.session, self.now, LINK_WRONG_BROKER, NULL, &self.effects);
    assert_int_equal(self.session.state, SESSION_RESTING);
    assert_int_equal(self.cause, STATUS_WRONG_BROKER);
    assert_true(session_deadline(&self.session) >= self.now.boot_ms + 2500);
    bench_end(&self);
}

static void test_rubbish_is_a_fault(void **state)
{
    (void)state;
    bench_t self;
    bench_start(&self);
    log_in(&self);
    static const uint8_t rubbish[] = {0x94, 0xc1, 0xff};
    session_frame(&self.session, self.now, (bytes_t){rubbish, sizeof rubbish}, &self.effects);
    assert_int_equal(self.session.faults, 1);
    assert_int_equal(self.session.state, SESSION_RESTING);
    bench_end(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_event_out_of_place_is_rejected),
        cmocka_unit_test(test_calls_are_answered_once),
        cmocka_unit_test(test_timeout_opens_anew_and_sends_again_oldest_first),
        cmocka_unit_test(test_at_most_64_in_flight),
        cmocka_unit_test(test_transient_refusal_waits),
        cmocka_unit_test(test_session_statuses_log_in_again),
        cmocka_unit_test(test_replaced_stops_and_answers_all),
        cmocka_unit_test(test_backoff_grows_to_five_seconds),
        cmocka_unit_test(test_refused_login_stops),
        cmocka_unit_test(test_wrong_broker_is_said_and_tried_slowly),
        cmocka_unit_test(test_rubbish_is_a_fault),
        cmocka_unit_test(test_a_steps_id_with_another_verb_is_ignored),
        cmocka_unit_test(test_a_version_that_was_not_offered_stops),
    };
    if (sodium_init() < 0)
        return 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
