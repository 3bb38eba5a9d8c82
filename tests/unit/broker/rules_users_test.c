/* SPDX-License-Identifier: MPL-2.0 */
/* Who may register, and what the operator does to accounts. */
#include "broker/rules/users.h"
#include "tests/unit/broker/rules_setting.h"

enum { HOUR_MS = 3600000 };

static status_t ask_register(world_t *world, const person_t *person, const uint8_t *invite)
{
    link_t link;
    register_request_t plain = person_registration(person);
    register_invited_request_t invited = {.name = plain.name};
    memcpy(invited.identity_key, plain.identity_key, KEY_BYTES);
    memcpy(invited.signature, plain.signature, SIGNATURE_BYTES);
    if (invite)
        memcpy(invited.invite, invite, INVITE_BYTES);
    link_open(&link, world);
    assert_int_equal(link_hello(&link), STATUS_OK);
    status_t status = invite ? link_ask(&link, VERB_register_invited, &invited)
                             : link_ask(&link, VERB_register, &plain);
    link_close(&link);
    return status;
}

static void invite_for(setting_t *self, const person_t *person, uint8_t out[static INVITE_BYTES])
{
    assert_int_equal(
        users_invite(self->world->store, &person->name, self->world->now_ms, HOUR_MS, out),
        STATUS_OK);
}

static void an_invite_lets_one_name_in_once(void **state)
{
    setting_t *self = *state;
    person_t dave, erin, other;
    uint8_t first[INVITE_BYTES], invite[INVITE_BYTES], wrong[INVITE_BYTES];
    person_make(&dave, self->world, "dave");
    person_make(&erin, self->world, "erin");
    person_make(&other, self->world, "dave");
    rules_set_registration(self->world->rules, REGISTRATION_INVITE);
    assert_int_equal(ask_register(self->world, &dave, NULL), STATUS_INVITE_NEEDED);
    memset(wrong, 1, sizeof wrong);
    assert_int_equal(ask_register(self->world, &dave, wrong), STATUS_BAD_INVITE);
    invite_for(self, &dave, first);
    invite_for(self, &dave, invite);
    assert_int_equal(ask_register(self->world, &dave, first), STATUS_BAD_INVITE); /* void */
    assert_int_equal(ask_register(self->world, &erin, invite), STATUS_BAD_INVITE);
    assert_int_equal(ask_register(self->world, &dave, invite), STATUS_OK);
    assert_int_equal(ask_register(self->world, &dave, invite), STATUS_OK); /* the answer was lost */
    assert_int_equal(ask_register(self->world, &dave, NULL), STATUS_OK);
    assert_int_equal(ask_register(self->world, &other, invite), STATUS_NAME_TAKEN);
    assert_int_equal(
        users_invite(self->world->store, &dave.name, self->world->now_ms, HOUR_MS, invite),
        STATUS_NAME_TAKEN);
    assert_true(sodium_is_zero(invite, sizeof invite));
}

static void an_invite_expires(void **state)
{
    setting_t *self = *state;
    person_t dave;
    uint8_t invite[INVITE_BYTES];
    person_make(&dave, self->world, "dave");
    rules_set_registration(self->world->rules, REGISTRATION_INVITE);
    invite_for(self, &dave, invite);
    world_pass(self->world, HOUR_MS);
    assert_int_equal(ask_register(self->world, &dave, invite), STATUS_BAD_INVITE);
    rules_set_registration(self->world->rules, REGISTRATION_OPEN);
    assert_int_equal(ask_register(self->world, &dave, NULL), STATUS_OK); /* no longer kept for it */
}

static void an_invited_name_is_kept_where_all_may_register(void **state)
{
    setting_t *self = *state;
    person_t dave, thief;
    uint8_t invite[INVITE_BYTES];
    person_make(&dave, self->world, "dave");
    person_make(&thief, self->world, "dave");
    invite_for(self, &dave, invite);
    assert_int_equal(ask_register(self->world, &thief, NULL), STATUS_INVITE_NEEDED);
    assert_int_equal(ask_register(self->world, &dave, invite), STATUS_OK);
}

static void closed_is_closed(void **state)
{
    setting_t *self = *state;
    person_t dave;
    uint8_t invite[INVITE_BYTES];
    person_make(&dave, self->world, "dave");
    invite_for(self, &dave, invite);
    rules_set_registration(self->world->rules, REGISTRATION_CLOSED);
    assert_int_equal(ask_register(self->world, &dave, NULL), STATUS_REGISTRATION_CLOSED);
    assert_int_equal(ask_register(self->world, &dave, invite), STATUS_REGISTRATION_CLOSED);
    assert_int_equal(ask_register(self->world, &self->alice, NULL), STATUS_OK); /* is in already */
}

static void who_is_disabled_is_out_at_once(void **state)
{
    setting_t *self = *state;
    person_t nobody;
    person_make(&nobody, self->world, "nobody");
    store_t *store = self->world->store;
    assert_int_equal(users_enable(store, &nobody.name, false), STATUS_UNKNOWN_USER);
    assert_int_equal(users_enable(store, &self->bob.name, false), STATUS_OK);
    rules_end_sessions(self->world->rules, &self->bob.name);
    assert_int_equal(room_send(&self->room, &self->bob, 1, NULL), STATUS_NOT_LOGGED_IN);
    assert_int_equal(person_login(&self->bob, &self->bob.events, PURPOSE_EVENTS), STATUS_DISABLED);
    person_make(&nobody, self->world, "bob"); /* only who holds the key is told */
    assert_int_equal(person_login(&nobody, &nobody.events, PURPOSE_EVENTS), STATUS_BAD_SIGNATURE);
    person_free(&nobody);
    whois_request_t whois = {.name = self->bob.name};
    assert_int_equal(link_ask(&self->alice.events, VERB_whois, &whois), STATUS_OK);
    assert_int_equal(users_enable(store, &self->bob.name, true), STATUS_OK);
    assert_int_equal(person_login(&self->bob, &self->bob.events, PURPOSE_EVENTS), STATUS_OK);
    assert_int_equal(room_send(&self->room, &self->bob, 1, NULL), STATUS_OK);
}

static void the_key_of_a_member_stays(void **state)
{
    setting_t *self = *state;
    store_t *store = self->world->store;
    uint64_t now_ms = self->world->now_ms;
    uint8_t invite[INVITE_BYTES];
    assert_int_equal(users_reset(store, &self->bob.name, now_ms, HOUR_MS, invite),
                     STATUS_STILL_MEMBER);
    assert_int_equal(room_ask_join(&self->room, &self->carol), STATUS_OK);
    assert_int_equal(users_reset(store, &self->carol.name, now_ms, HOUR_MS, invite),
                     STATUS_STILL_MEMBER); /* waits to be let in */
    assert_int_equal(person_login(&self->bob, &self->bob.events, PURPOSE_EVENTS), STATUS_OK);
}

static void a_reset_name_takes_another_key(void **state)
{
    setting_t *self = *state;
    store_t *store = self->world->store;
    uint64_t now_ms = self->world->now_ms;
    person_t again, thief;
    uint8_t invite[INVITE_BYTES];
    person_make(&again, self->world, "carol");
    person_make(&thief, self->world, "carol");
    assert_int_equal(users_reset(store, &self->carol.name, now_ms, HOUR_MS, invite), STATUS_OK);
    assert_int_equal(person_login(&self->carol, &self->carol.events, PURPOSE_EVENTS),
                     STATUS_BAD_SIGNATURE);
    assert_int_equal(ask_register(self->world, &self->carol, NULL), STATUS_INVITE_NEEDED);
    assert_int_equal(ask_register(self->world, &thief, NULL), STATUS_INVITE_NEEDED);
    assert_int_equal(ask_register(self->world, &again, invite), STATUS_OK);
    assert_int_equal(ask_register(self->world, &thief, invite), STATUS_NAME_TAKEN);
    assert_int_equal(person_login(&again, &again.events, PURPOSE_EVENTS), STATUS_OK);
    assert_int_equal(person_login(&self->carol, &self->carol.events, PURPOSE_EVENTS),
                     STATUS_BAD_SIGNATURE);
    person_free(&again);
}

static void the_list_comes_in_pages(void **state)
{
    setting_t *self = *state;
    store_t *store = self->world->store;
    user_entry_record_t entries[2];
    user_list_reply_t page = {.users = {entries, 0}};
    name_t none = {0};
    person_t dave;
    uint8_t invite[INVITE_BYTES];
    person_make(&dave, self->world, "dave");
    invite_for(self, &dave, invite);
    assert_int_equal(users_enable(store, &self->bob.name, false), STATUS_OK);
    assert_int_equal(users_list(store, &none, false, 2, &page), STATUS_OK);
    assert_int_equal(page.users.count, 2);
    assert_int_equal(page.more, 1);
    assert_string_equal(entries[0].name.text, "bob");
    assert_int_equal(entries[0].state, USER_DISABLED);
    assert_int_equal(entries[0].groups, 1);
    assert_string_equal(entries[1].name.text, "alice");
    assert_int_equal(entries[1].state, USER_ALIVE);
    assert_int_equal(users_list(store, &self->alice.name, false, 2, &page), STATUS_OK);
    assert_int_equal(page.users.count, 1);
    assert_int_equal(page.more, 0);
    assert_string_equal(entries[0].name.text, "carol");
    assert_int_equal(users_list(store, &none, true, 2, &page), STATUS_OK);
    assert_int_equal(page.users.count, 1);
    assert_string_equal(entries[0].name.text, "dave");
    assert_int_equal(entries[0].state, USER_INVITED);
    assert_int_equal(entries[0].until_ms, self->world->now_ms + HOUR_MS);
}

#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, set_up_with_bob, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(an_invite_lets_one_name_in_once),
        IN_ROOM(an_invite_expires),
        IN_ROOM(an_invited_name_is_kept_where_all_may_register),
        IN_ROOM(closed_is_closed),
        IN_ROOM(who_is_disabled_is_out_at_once),
        IN_ROOM(the_key_of_a_member_stays),
        IN_ROOM(a_reset_name_takes_another_key),
        IN_ROOM(the_list_comes_in_pages),
    };
    return cmocka_run_group_tests_name("users", tests, NULL, NULL);
}
