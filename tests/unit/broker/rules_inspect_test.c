/* SPDX-License-Identifier: MPL-2.0 */
/* What an operator may ask of the rules. */
#include "tests/unit/broker/rules_setting.h"

#include "broker/rules/inspect.h"

static void what_waits_for_admins_is_counted_with_its_age(void **state)
{
    setting_t *self = *state;
    rules_pending_t pending;
    assert_int_equal(rules_pending(self->world->rules, &pending), STATUS_OK);
    assert_int_equal(pending.joins + pending.leaves, 0);
    assert_int_equal(pending.oldest_join_ms, 0);
    uint64_t first_ms = self->world->now_ms;
    assert_int_equal(room_ask_join(&self->room, &self->carol), STATUS_OK);
    world_pass(self->world, 5000);
    assert_int_equal(room_leave(&self->room, &self->bob, NULL), STATUS_OK);
    assert_int_equal(rules_pending(self->world->rules, &pending), STATUS_OK);
    assert_int_equal(pending.joins, 1);
    assert_int_equal(pending.leaves, 1);
    assert_int_equal(pending.oldest_join_ms, first_ms);
    assert_int_equal(pending.oldest_leave_ms, first_ms + 5000);
    assert_false(pending.is_cut);
}

static void groups_that_wait_come_first_and_slow_clients_show(void **state)
{
    setting_t *self = *state;
    rules_loads_t *loads = mem_zalloc(1, sizeof *loads);
    room_t other = {0};
    person_login_both(&self->alice);
    person_login_both(&self->bob);
    assert_int_equal(room_create(&other, &self->alice, "other", HOLD_DEFAULT_MS), STATUS_OK);
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 2, NULL, NULL), STATUS_OK);
    assert_int_equal(room_send(&self->room, &self->alice, 0, NULL), STATUS_OK);
    assert_int_equal(room_send(&self->room, &self->alice, 1, NULL), STATUS_OK);
    assert_int_equal(rules_loads(self->world->rules, loads), STATUS_OK);
    assert_int_equal(loads->group_count, 2);
    assert_string_equal(loads->groups[0].name.text, "room"); /* two are online there */
    assert_int_equal(loads->groups[0].online, 2);
    assert_int_equal(loads->groups[0].members, 2);
    assert_int_equal(loads->groups[0].sequence, 4);
    assert_string_equal(loads->slow[0].name.text, "bob");
    assert_int_equal(loads->slow[0].behind, 2);
    assert_int_equal(loads->slow[0].sessions, 2);
    uint64_t asked_ms = self->world->now_ms;
    assert_int_equal(room_ask_join(&other, &self->carol), STATUS_OK);
    assert_int_equal(rules_loads(self->world->rules, loads), STATUS_OK);
    assert_string_equal(loads->groups[0].name.text, "other");
    assert_int_equal(loads->groups[0].pending_joins, 1);
    assert_int_equal(loads->groups[0].oldest_join_ms, asked_ms);
    free(loads);
}

static const reader_record_t *reader_of_name(const rules_explained_t *explained, const char *name)
{
    for (size_t i = 0; i < explained->reply.readers.count; i++)
        if (strcmp(explained->readers[i].name.text, name) == 0)
            return &explained->readers[i];
    return NULL;
}

static void a_message_is_explained(void **state)
{
    setting_t *self = *state;
    rules_t *rules = self->world->rules;
    rules_explained_t *explained = mem_zalloc(1, sizeof *explained);
    uint64_t sequence;
    name_t room;
    assert_int_equal(name_parse(&room, "room"), STATUS_OK);
    assert_int_equal(room_send(&self->room, &self->alice, 0, &sequence), STATUS_OK);
    assert_int_equal(rules_explain(rules, &room, sequence, explained), STATUS_OK);
    assert_int_equal(explained->reply.kind, EVENT_MESSAGE);
    assert_string_equal(explained->reply.sender.text, "alice");
    assert_int_equal(explained->reply.epoch, 2);
    assert_int_equal(explained->reply.head, sequence);
    assert_true(explained->reply.size_bytes > 0);
    assert_int_equal(explained->reply.readers.count, 2);
    assert_true(reader_of_name(explained, "bob")->cursor < sequence);
    assert_null(reader_of_name(explained, "carol"));
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, sequence, NULL, NULL),
                     STATUS_OK);
    assert_int_equal(rules_explain(rules, &room, sequence, explained), STATUS_OK);
    assert_int_equal(reader_of_name(explained, "bob")->cursor, sequence);
    assert_int_equal(reader_of_name(explained, "bob")->online, 1);
    /* Who left reads up to the leave; who came later nothing from before. */
    assert_int_equal(room_leave(&self->room, &self->bob, NULL), STATUS_OK);
    assert_int_equal(rules_explain(rules, &room, sequence, explained), STATUS_OK);
    assert_int_equal(reader_of_name(explained, "bob")->until, sequence + 1);
    assert_int_equal(reader_of_name(explained, "alice")->until, 0);
    assert_int_equal(rules_explain(rules, &room, sequence + 1, explained), STATUS_OK);
    assert_int_equal(explained->reply.kind, EVENT_LEAVE);
    assert_int_equal(rules_explain(rules, &room, 1, explained), STATUS_OK);
    assert_int_equal(explained->reply.kind, EVENT_COMMIT);
    assert_null(reader_of_name(explained, "bob"));
    free(explained);
}

static void what_isn_t_there_is_said_to_be_so(void **state)
{
    setting_t *self = *state;
    rules_t *rules = self->world->rules;
    rules_explained_t *explained = mem_zalloc(1, sizeof *explained);
    buffer_t sealed = {0};
    name_t room, nowhere;
    assert_int_equal(name_parse(&room, "room"), STATUS_OK);
    assert_int_equal(name_parse(&nowhere, "nowhere"), STATUS_OK);
    assert_int_equal(rules_explain(rules, &nowhere, 1, explained), STATUS_UNKNOWN_GROUP);
    assert_int_equal(rules_explain(rules, &room, 0, explained), STATUS_NOT_FOUND);
    assert_int_equal(rules_explain(rules, &room, 3, explained), STATUS_NOT_FOUND);
    assert_int_equal(rules_read_sealed(rules, &room, 3, &sealed), STATUS_NOT_FOUND);
    assert_int_equal(sealed.size, 0);
    assert_int_equal(rules_read_sealed(rules, &room, 2, &sealed), STATUS_OK);
    assert_true(sealed.size > 0);
    buffer_free(&sealed);
    free(explained);
}

/* Asking changes nothing: neither the store nor what is in memory. */
static void asking_changes_nothing(void **state)
{
    setting_t *self = *state;
    rules_pending_t pending;
    rules_loads_t *loads = mem_zalloc(1, sizeof *loads);
    buffer_t before = world_dump(self->world);
    const rules_counters_t *counters = rules_counters(self->world->rules);
    uint64_t cached = counters->groups_cached;
    assert_int_equal(rules_pending(self->world->rules, &pending), STATUS_OK);
    assert_int_equal(rules_loads(self->world->rules, loads), STATUS_OK);
    buffer_t after = world_dump(self->world);
    assert_true(dump_equal(&before, &after));
    assert_int_equal(counters->groups_cached, cached);
    buffer_free(&before);
    buffer_free(&after);
    free(loads);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up_with_bob, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_waits_for_admins_is_counted_with_its_age),
        TEST(groups_that_wait_come_first_and_slow_clients_show),
        TEST(a_message_is_explained),
        TEST(what_isn_t_there_is_said_to_be_so),
        TEST(asking_changes_nothing),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
