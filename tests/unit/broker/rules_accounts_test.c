/* SPDX-License-Identifier: MPL-2.0 */
/* Connections, accounts and sessions, and what a malformed frame is answered with. */
#include "tests/unit/broker/rules_room.h"

typedef struct {
    world_t *world;
    person_t alice;
} setting_t;

static int set_up(void **state)
{
    setting_t *self = mem_zalloc(1, sizeof *self);
    self->world = world_new();
    person_arrive(&self->alice, self->world, "alice");
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    setting_t *self = *state;
    person_free(&self->alice);
    world_free(self->world);
    free(self);
    return 0;
}

static void hello_comes_first(void **state)
{
    setting_t *self = *state;
    link_t link;
    link_open(&link, self->world);
    challenge_request_t challenge = {.name = self->alice.name};
    groups_request_t groups = {0};
    assert_int_equal(link_ask(&link, VERB_challenge, &challenge), STATUS_HELLO_FIRST);
    assert_int_equal(link_ask(&link, VERB_groups, &groups), STATUS_HELLO_FIRST);
    hello_request_t hello = {.version_min = 2, .version_max = 9};
    assert_int_equal(link_ask(&link, VERB_hello, &hello), STATUS_UNSUPPORTED_VERSION);
    assert_int_equal(link_ask(&link, VERB_challenge, &challenge), STATUS_HELLO_FIRST);
    hello = (hello_request_t){.version_min = 1, .version_max = 9};
    message_t reply = {0};
    assert_int_equal(link_call(&link, VERB_hello, &hello, &reply), STATUS_OK);
    assert_int_equal(reply.body.hello_reply.version, 1);
    assert_int_equal(reply.body.hello_reply.time_ms, self->world->now_ms);
    assert_int_equal(reply.body.hello_reply.frame_max_bytes, FRAME_MAX_BYTES);
    assert_false(sodium_is_zero(reply.body.hello_reply.incarnation, INCARNATION_BYTES));
    message_wipe(&reply);
    assert_int_equal(link_ask(&link, VERB_groups, &groups), STATUS_NOT_LOGGED_IN);
    link_close(&link);
}

static void registration_is_signed_and_kept(void **state)
{
    setting_t *self = *state;
    link_t *link = &self->alice.events;
    person_t bob;
    person_make(&bob, self->world, "bob");
    register_request_t request = person_registration(&bob);
    buffer_t before = world_dump(self->world);
    request.signature[3] ^= 1;
    assert_int_equal(link_ask(link, VERB_register, &request), STATUS_BAD_SIGNATURE);
    request.signature[3] ^= 1;
    request.name = (name_t){""};
    assert_int_equal(link_ask(link, VERB_register, &request), STATUS_BAD_NAME);
    request = person_registration(&bob);
    memset(request.identity_key, 0, KEY_BYTES);
    assert_int_equal(link_ask(link, VERB_register, &request), STATUS_BAD_KEY);
    buffer_t after = world_dump(self->world);
    assert_true(dump_equal(&before, &after));
    request = person_registration(&bob);
    assert_int_equal(link_ask(link, VERB_register, &request), STATUS_OK);
    assert_int_equal(link_ask(link, VERB_register, &request), STATUS_OK);
    person_t thief;
    person_make(&thief, self->world, "bob");
    request = person_registration(&thief);
    assert_int_equal(link_ask(link, VERB_register, &request), STATUS_NAME_TAKEN);
    whois_request_t whois = {.name = bob.name};
    message_t reply = {0};
    assert_int_equal(link_call(link, VERB_whois, &whois, &reply), STATUS_OK);
    assert_memory_equal(reply.body.whois_reply.identity_key, bob.public_key, KEY_BYTES);
    assert_int_equal(reply.body.whois_reply.since_ms, self->world->now_ms);
    message_wipe(&reply);
    assert_int_equal(name_parse(&whois.name, "nobody"), STATUS_OK);
    assert_int_equal(link_ask(link, VERB_whois, &whois), STATUS_UNKNOWN_USER);
    buffer_free(&before);
    buffer_free(&after);
}

static void registration_is_rate_limited(void **state)
{
    setting_t *self = *state;
    link_t link;
    link_open(&link, self->world);
    assert_int_equal(link_hello(&link), STATUS_OK);
    challenge_request_t ask = {.name = self->alice.name};
    uint32_t burst = self->world->config.challenge_connection.burst;
    for (uint32_t i = 0; i < burst; i++)
        assert_int_equal(link_ask(&link, VERB_challenge, &ask), STATUS_OK);
    assert_int_equal(link_ask(&link, VERB_challenge, &ask), STATUS_RATE_LIMITED);
    register_request_t registration = person_registration(&self->alice);
    assert_int_equal(link_ask(&link, VERB_register, &registration), STATUS_RATE_LIMITED);
    world_pass(self->world, 1000);
    assert_int_equal(link_ask(&link, VERB_challenge, &ask), STATUS_OK);
    assert_int_equal(link_ask(&link, VERB_challenge, &ask), STATUS_RATE_LIMITED);
    link_close(&link);
}

static void a_challenge_works_once_here_and_soon(void **state)
{
    setting_t *self = *state;
    person_t *alice = &self->alice;
    link_t link, other;
    uint8_t challenge[CHALLENGE_BYTES];
    link_open(&link, self->world);
    link_open(&other, self->world);
    assert_int_equal(link_hello(&link), STATUS_OK);
    assert_int_equal(link_hello(&other), STATUS_OK);

    person_fetch_challenge(alice, &link, challenge);
    login_request_t login = person_login_request(alice, &other, challenge, PURPOSE_EVENTS);
    assert_int_equal(link_ask(&other, VERB_login, &login), STATUS_CHALLENGE_EXPIRED);
    login = person_login_request(alice, &link, challenge, PURPOSE_EVENTS);
    login.signature[0] ^= 1;
    assert_int_equal(link_ask(&link, VERB_login, &login), STATUS_BAD_SIGNATURE);
    login.signature[0] ^= 1;
    assert_int_equal(link_ask(&link, VERB_login, &login), STATUS_CHALLENGE_EXPIRED);

    person_fetch_challenge(alice, &link, challenge);
    login = person_login_request(alice, &link, challenge, PURPOSE_EVENTS);
    world_pass(self->world, CHALLENGE_LIFETIME_MS);
    assert_int_equal(link_ask(&link, VERB_login, &login), STATUS_CHALLENGE_EXPIRED);

    person_t nobody;
    person_make(&nobody, self->world, "nobody");
    person_fetch_challenge(&nobody, &link, challenge);
    login = person_login_request(&nobody, &link, challenge, PURPOSE_EVENTS);
    assert_int_equal(link_ask(&link, VERB_login, &login), STATUS_BAD_SIGNATURE);

    person_fetch_challenge(alice, &link, challenge);
    login = person_login_request(alice, &link, challenge, 3);
    assert_int_equal(link_ask(&link, VERB_login, &login), STATUS_BAD_TYPE);
    link_close(&link);
    link_close(&other);
}

static void a_token_is_good_on_its_connection_only(void **state)
{
    setting_t *self = *state;
    link_t *link = &self->alice.events;
    groups_request_t groups = {0};
    assert_int_equal(link_ask(link, VERB_groups, &groups), STATUS_OK);
    link_t other;
    link_open(&other, self->world);
    assert_int_equal(link_hello(&other), STATUS_OK);
    memcpy(other.token, link->token, TOKEN_BYTES);
    other.token_size = TOKEN_BYTES;
    assert_int_equal(link_ask(&other, VERB_groups, &groups), STATUS_WRONG_CONNECTION);
    other.token[0] ^= 1;
    assert_int_equal(link_ask(&other, VERB_groups, &groups), STATUS_BAD_TOKEN);
    other.token_size = 0;
    assert_int_equal(link_ask(&other, VERB_groups, &groups), STATUS_NOT_LOGGED_IN);
    /* Nor on one that has a session of its own. */
    link_t *third = &self->alice.duties;
    uint8_t own[TOKEN_BYTES];
    memcpy(own, third->token, TOKEN_BYTES);
    memcpy(third->token, link->token, TOKEN_BYTES);
    assert_int_equal(link_ask(third, VERB_groups, &groups), STATUS_WRONG_CONNECTION);
    memcpy(third->token, own, TOKEN_BYTES);
    /* The same routing id with another CURVE key is another connection. */
    rules_peer_t address = link->address;
    link->address.curve_key[0] ^= 1;
    assert_int_equal(link_hello(link), STATUS_OK);
    assert_int_equal(link_ask(link, VERB_groups, &groups), STATUS_BAD_TOKEN);
    link->address = address;
    assert_int_equal(link_ask(&self->alice.duties, VERB_groups, &groups), STATUS_OK);
    link_close(&other);
}

static void sessions_end(void **state)
{
    setting_t *self = *state;
    person_t *alice = &self->alice;
    groups_request_t groups = {0};
    logout_request_t logout = {0};
    world_pass(self->world, self->world->config.idle_ms - 1);
    assert_int_equal(link_ask(&alice->events, VERB_groups, &groups), STATUS_OK);
    world_pass(self->world, 1);
    assert_int_equal(link_ask(&alice->duties, VERB_groups, &groups), STATUS_SESSION_EXPIRED);
    assert_int_equal(link_ask(&alice->duties, VERB_groups, &groups), STATUS_SESSION_EXPIRED);
    assert_int_equal(link_ask(&alice->events, VERB_logout, &logout), STATUS_OK);
    assert_int_equal(link_ask(&alice->events, VERB_groups, &groups), STATUS_NOT_LOGGED_IN);

    assert_int_equal(person_login(alice, &alice->events, PURPOSE_EVENTS), STATUS_OK);
    uint64_t step = self->world->config.idle_ms / 2;
    for (uint64_t lived = 0; lived + step < self->world->config.absolute_ms; lived += step) {
        world_pass(self->world, step);
        assert_int_equal(link_ask(&alice->events, VERB_groups, &groups), STATUS_OK);
    }
    world_pass(self->world, step);
    world_tick(self->world);
    assert_int_equal(rules_counters(self->world->rules)->sessions, 0);
    assert_int_equal(link_ask(&alice->events, VERB_groups, &groups), STATUS_SESSION_EXPIRED);
}

static void lifetimes_can_change(void **state)
{
    setting_t *self = *state;
    person_t *alice = &self->alice;
    const rules_config_t *config = &self->world->config;
    groups_request_t groups = {0};
    world_pass(self->world, config->idle_ms - 1);
    rules_set_lifetimes(self->world->rules, config->idle_ms * 2, config->retention_ms);
    world_pass(self->world, config->idle_ms);
    assert_int_equal(link_ask(&alice->events, VERB_groups, &groups), STATUS_OK);
    world_pass(self->world, 1000);
    rules_set_lifetimes(self->world->rules, 1000, config->retention_ms);
    assert_int_equal(link_ask(&alice->events, VERB_groups, &groups), STATUS_SESSION_EXPIRED);
}

static void a_newer_session_replaces_the_older(void **state)
{
    setting_t *self = *state;
    person_t *alice = &self->alice;
    link_t older = alice->events, newer;
    uint8_t challenge[CHALLENGE_BYTES];
    groups_request_t groups = {0};
    message_t message = {0};
    memset(&alice->events, 0, sizeof alice->events);
    link_open(&newer, self->world);
    assert_int_equal(link_hello(&newer), STATUS_OK);
    person_fetch_challenge(alice, &newer, challenge);
    login_request_t login = person_login_request(alice, &newer, challenge, PURPOSE_EVENTS);
    world_begin(self->world);
    (void)link_send(&newer, VERB_login, &login);
    (void)world_finish(self->world);
    link_t *both[] = {&older, &newer};
    link_collect(both, 2);
    assert_true(link_push(&older, VERB_replaced, 0, &message));
    assert_int_equal(message.body.replaced_push.purpose, PURPOSE_EVENTS);
    message_wipe(&message);
    assert_int_equal(link_ask(&older, VERB_groups, &groups), STATUS_REPLACED);
    assert_int_equal(link_ask(&alice->duties, VERB_groups, &groups), STATUS_OK);
    rules_peer_gone(self->world->rules, newer.address.id, newer.address.id_size);
    assert_int_equal(rules_counters(self->world->rules)->sessions, 1);
    link_close(&older);
    link_close(&newer);
}

static void an_account_can_be_given_up(void **state)
{
    setting_t *self = *state;
    person_t *alice = &self->alice;
    unregister_request_t request = {0};
    buffer_t statement = {0};
    statement_unregister(&statement, self->world->broker_key, "alice");
    person_sign(alice, &statement, request.signature);
    request.signature[9] ^= 1;
    assert_int_equal(link_ask(&alice->events, VERB_unregister, &request), STATUS_BAD_SIGNATURE);
    request.signature[9] ^= 1;
    room_t *room = mem_alloc(sizeof *room);
    assert_int_equal(room_create(room, alice, "room", 0), STATUS_OK);
    assert_int_equal(link_ask(&alice->events, VERB_unregister, &request), STATUS_STILL_MEMBER);
    assert_int_equal(room_leave(room, alice, NULL), STATUS_OK);
    assert_int_equal(link_ask(&alice->events, VERB_unregister, &request), STATUS_OK);
    assert_int_equal(link_ask(&alice->events, VERB_unregister, &request), STATUS_NOT_LOGGED_IN);
    register_request_t again = person_registration(alice);
    assert_int_equal(link_ask(&alice->events, VERB_register, &again), STATUS_NAME_TAKEN);
    assert_int_equal(person_login(alice, &alice->events, PURPOSE_EVENTS), STATUS_BAD_SIGNATURE);
    free(room);
    buffer_free(&statement);
}

static uint64_t note_who(void *context, const trace_record_t *record)
{
    name_t *who = context;
    if (record->step == TRACE_ACCEPTED)
        who[record->verb] = record->user;
    return 0;
}

static void who_ended_a_session_is_named(void **state)
{
    setting_t *self = *state;
    name_t who[COUNTED_VERBS] = {0};
    self->world->config.listen = note_who;
    self->world->config.listen_context = who;
    world_restart(self->world);
    person_login_both(&self->alice);
    assert_string_equal(who[VERB_login].text, "alice");
    logout_request_t logout = {0};
    assert_int_equal(link_ask(&self->alice.duties, VERB_logout, &logout), STATUS_OK);
    assert_string_equal(who[VERB_logout].text, "alice");
    unregister_request_t request = {0};
    buffer_t statement = {0};
    statement_unregister(&statement, self->world->broker_key, "alice");
    person_sign(&self->alice, &statement, request.signature);
    assert_int_equal(link_ask(&self->alice.events, VERB_unregister, &request), STATUS_OK);
    assert_string_equal(who[VERB_unregister].text, "alice");
    self->world->config.listen = NULL;
    world_restart(self->world);
    buffer_free(&statement);
}

/* Sends bytes as a frame and returns the status of the only reply. */
static status_t answer_to(link_t *link, const void *bytes, size_t size, verb_t verb, uint64_t id)
{
    world_begin(link->world);
    rules_receive(link->world->rules, &link->address, (bytes_t){bytes, size});
    (void)world_finish(link->world);
    link_collect(&link, 1);
    message_t reply = {0};
    assert_true(link_reply(link, id, &reply));
    assert_int_equal(reply.verb, verb);
    status_t status = reply.status;
    message_wipe(&reply);
    return status;
}

/* The reply carries the verb that nobody knows, so reading it says so. */
static void answer_to_unknown_verb(link_t *link)
{
    static const uint8_t frame[] = {0x96, 0x00, 0x63, 0x07, 0xc4, 0x00, 0xa0, 0x90};
    world_begin(link->world);
    rules_receive(link->world->rules, &link->address, (bytes_t){frame, sizeof frame});
    (void)world_finish(link->world);
    link_collect(&link, 1);
    static const uint8_t answer[] = {0x95, 0x01, 0x63, 0x07, STATUS_UNKNOWN_VERB, 0x90};
    assert_int_equal(link->inbox.size, sizeof answer);
    assert_memory_equal(link->inbox.data, answer, sizeof answer);
    assert_int_equal(rules_counters(link->world->rules)->answered[VERB_none][STATUS_UNKNOWN_VERB],
                     1);
}

static void bad_frames_are_answered(void **state)
{
    setting_t *self = *state;
    link_t *link = &self->alice.events;
    buffer_t before = world_dump(self->world);
    assert_int_equal(answer_to(link, "", 0, VERB_none, 0), STATUS_MALFORMED);
    assert_int_equal(answer_to(link, "\xc1", 1, VERB_none, 0), STATUS_MALFORMED);
    answer_to_unknown_verb(link);
    /* whois with a number where the name belongs */
    assert_int_equal(answer_to(link, "\x96\x00\x07\x09\xc4\x00\xa0\x91\x05", 9, VERB_whois, 9),
                     STATUS_BAD_TYPE);
    /* a name outside the alphabet */
    assert_int_equal(answer_to(link,
                               "\x96\x00\x07\x0a\xc4\x00\xa0\x91\xa3"
                               "A/b",
                               12, VERB_whois, 10),
                     STATUS_BAD_NAME);
    uint8_t *large = mem_zalloc(1, FRAME_MAX_BYTES + 1);
    assert_int_equal(answer_to(link, large, FRAME_MAX_BYTES + 1, VERB_none, 0), STATUS_TOO_LARGE);
    free(large);
    buffer_t after = world_dump(self->world);
    assert_true(dump_equal(&before, &after));
    assert_true(rules_counters(self->world->rules)->answered[VERB_whois][STATUS_BAD_TYPE] == 1);
    buffer_free(&before);
    buffer_free(&after);
}

static void what_stands_before_a_fault_is_carried_out(void **state)
{
    setting_t *self = *state;
    link_t *link = &self->alice.events;
    whois_request_t whois = {.name = self->alice.name};
    buffer_t frame = {0};
    message_t reply = {0};
    message_write_request(&frame, VERB_whois, 501, (bytes_t){NULL, 0}, (text_t){"", 0}, &whois);
    buffer_append(&frame, "\xc1", 1);
    message_write_request(&frame, VERB_whois, 502, (bytes_t){NULL, 0}, (text_t){"", 0}, &whois);
    world_begin(self->world);
    rules_receive(self->world->rules, &link->address, buffer_view(&frame));
    assert_int_equal(world_finish(self->world), STATUS_OK);
    link_collect(&link, 1);
    assert_int_equal(link->frames, 1);
    assert_true(link_reply(link, 501, &reply));
    assert_int_equal(reply.status, STATUS_OK);
    message_wipe(&reply);
    assert_true(link_reply(link, 0, &reply));
    assert_int_equal(reply.status, STATUS_MALFORMED);
    message_wipe(&reply);
    assert_false(link_reply(link, 502, &reply));
    buffer_free(&frame);
}

static void more_than_are_allowed_in_flight_are_refused(void **state)
{
    setting_t *self = *state;
    link_t *link = &self->alice.events;
    whois_request_t whois = {.name = self->alice.name};
    uint64_t ids[IN_FLIGHT_MAX + 1];
    message_t reply = {0};
    world_begin(self->world);
    for (size_t i = 0; i <= IN_FLIGHT_MAX; i++)
        ids[i] = link_send(link, VERB_whois, &whois);
    (void)world_finish(self->world);
    link_collect(&link, 1);
    assert_true(link_reply(link, ids[IN_FLIGHT_MAX - 1], &reply));
    assert_int_equal(reply.status, STATUS_OK);
    message_wipe(&reply);
    assert_true(link_reply(link, ids[IN_FLIGHT_MAX], &reply));
    assert_int_equal(reply.status, STATUS_TOO_MANY);
    message_wipe(&reply);
}

static void peers_are_bounded(void **state)
{
    setting_t *self = *state;
    self->world->config.peers_max = 4;
    world_restart(self->world);
    person_login_both(&self->alice);
    for (int i = 0; i < 20; i++) {
        link_t link;
        link_open(&link, self->world);
        assert_int_equal(link_hello(&link), STATUS_OK);
        link_close(&link);
    }
    groups_request_t groups = {0};
    assert_int_equal(link_ask(&self->alice.events, VERB_groups, &groups), STATUS_OK);
    assert_true(rules_counters(self->world->rules)->peers <= 4);
}

static void draining_refuses_what_changes_things(void **state)
{
    setting_t *self = *state;
    link_t *link = &self->alice.events;
    rules_drain(self->world->rules);
    room_t *room = mem_alloc(sizeof *room);
    assert_int_equal(room_create(room, &self->alice, "room", 0), STATUS_DRAINING);
    free(room);
    poll_keys_request_t poll = {0};
    assert_int_equal(link_ask(link, VERB_poll_keys, &poll), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(hello_comes_first),
        TEST(registration_is_signed_and_kept),
        TEST(registration_is_rate_limited),
        TEST(a_challenge_works_once_here_and_soon),
        TEST(a_token_is_good_on_its_connection_only),
        TEST(sessions_end),
        TEST(lifetimes_can_change),
        TEST(a_newer_session_replaces_the_older),
        TEST(an_account_can_be_given_up),
        TEST(who_ended_a_session_is_named),
        TEST(bad_frames_are_answered),
        TEST(what_stands_before_a_fault_is_carried_out),
        TEST(more_than_are_allowed_in_flight_are_refused),
        TEST(peers_are_bounded),
        TEST(draining_refuses_what_changes_things),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
