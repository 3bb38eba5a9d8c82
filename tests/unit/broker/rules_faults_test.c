/* SPDX-License-Identifier: MPL-2.0 */
/* A store that fails, is full, or was written by a newer broker; what is swept; what a listener
 * hears. */
#include "tests/unit/broker/rules_setting.h"

static void what_all_have_read_is_swept(void **state)
{
    setting_t *self = *state;
    self->world->config.sweep_period_ms = 0;
    self->world->config.cursor_flush_period_ms = 0;
    world_restart(self->world);
    person_login_both(&self->alice);
    person_login_both(&self->bob);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(room_send(&self->room, &self->alice, i, NULL), STATUS_OK);
    assert_int_equal(room_poll_state(&self->room, &self->alice.events, 12, NULL, NULL), STATUS_OK);
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 7, NULL, NULL), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        world_pass(self->world, 10);
        world_tick(self->world);
    }
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 6, NULL, NULL), STATUS_GONE);
    size_t events;
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 7, NULL, &events), STATUS_OK);
    assert_int_equal(events, 5);
    assert_int_equal(rules_counters(self->world->rules)->events_swept, 7);
    /* A duties session acknowledges nothing. */
    assert_int_equal(room_poll_state(&self->room, &self->bob.duties, 12, NULL, NULL), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        world_pass(self->world, 10);
        world_tick(self->world);
    }
    assert_int_equal(rules_counters(self->world->rules)->events_swept, 7);
    /* In the end age sweeps it, read or not. */
    world_pass(self->world, self->world->config.retention_ms + 1);
    for (int i = 0; i < 3; i++)
        world_tick(self->world);
    person_login_both(&self->bob);
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 7, NULL, NULL), STATUS_GONE);
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 12, NULL, NULL), STATUS_OK);
}

static void a_failed_write_acknowledges_nothing(void **state)
{
    setting_t *self = *state;
    for (int applied = 0; applied < 2; applied++) {
        uint64_t sequence;
        uint32_t generation = (uint32_t)applied * 10;
        store_memory_fail_next_write(self->world->store, applied);
        assert_int_equal(room_send(&self->room, &self->bob, generation, NULL), STATUS_TIMED_OUT);
        assert_int_equal(self->world->last_outcome, STATUS_STORE_FAILED);
        /* While the store is closed reads fail, and say so. */
        uint64_t failed = rules_counters(self->world->rules)->reads_failed;
        assert_int_equal(room_send(&self->room, &self->bob, generation, NULL), STATUS_STORE_FAILED);
        assert_int_equal(rules_counters(self->world->rules)->reads_failed, failed + 1);
        assert_int_equal(store_reopen(self->world->store), STATUS_OK);
        rules_reset_caches(self->world->rules);
        assert_int_equal(room_send(&self->room, &self->bob, generation, &sequence), STATUS_OK);
        assert_int_equal(sequence, 3 + (uint64_t)applied);
        assert_int_equal(room_send(&self->room, &self->bob, generation, &sequence), STATUS_OK);
        assert_int_equal(sequence, 3 + (uint64_t)applied);
    }
}

static void a_session_opened_in_a_failed_turn_is_gone(void **state)
{
    setting_t *self = *state;
    link_t link;
    uint8_t challenge[CHALLENGE_BYTES];
    link_open(&link, self->world);
    assert_int_equal(link_hello(&link), STATUS_OK);
    person_fetch_challenge(&self->carol, &link, challenge);
    login_request_t login = person_login_request(&self->carol, &link, challenge, PURPOSE_EVENTS);
    buffer_t sealed = sealed_bytes(self->room.epoch, 1, 0, 0, 50);
    send_request_t send = {.sealed = buffer_view(&sealed)};
    memcpy(send.group, self->room.group, GROUP_ID_BYTES);
    uint64_t sessions = rules_counters(self->world->rules)->sessions;
    store_memory_fail_next_write(self->world->store, false);
    world_begin(self->world);
    uint64_t login_id = link_send(&link, VERB_login, &login);
    uint64_t send_id = link_send(&self->bob.events, VERB_send, &send);
    assert_int_equal(world_finish(self->world), STATUS_STORE_FAILED);
    link_t *links[] = {&link, &self->bob.events};
    link_collect(links, 2);
    message_t reply = {0};
    assert_false(link_reply(&link, login_id, &reply));
    assert_false(link_reply(&self->bob.events, send_id, &reply));
    /* carol's older session was replaced, and the newer one is gone */
    assert_int_equal(rules_counters(self->world->rules)->sessions, sessions - 1);
    assert_int_equal(store_reopen(self->world->store), STATUS_OK);
    assert_int_equal(person_login(&self->carol, &self->carol.events, PURPOSE_EVENTS), STATUS_OK);
    buffer_free(&sealed);
    link_close(&link);
}

static void a_full_disk_refuses_writes_and_serves_reads(void **state)
{
    setting_t *self = *state;
    uint64_t sequence;
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 2, NULL, NULL), STATUS_OK);
    store_memory_set_full(self->world->store, true);
    buffer_t before = world_dump(self->world);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(room_send(&self->room, &self->bob, 0, NULL), STATUS_STORE_FULL);
        assert_int_equal(room_poll_state(&self->room, &self->bob.events, 0, NULL, NULL), STATUS_OK);
        world_pass(self->world, 10);
    }
    /* One attempt only: then writes are refused without asking the store. */
    assert_int_equal(rules_counters(self->world->rules)->writes_failed, 1);
    buffer_t after = world_dump(self->world);
    assert_true(dump_equal(&before, &after));
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 2, NULL, NULL), STATUS_OK);
    store_memory_set_full(self->world->store, false);
    world_pass(self->world, self->world->config.full_probe_ms);
    assert_int_equal(room_send(&self->room, &self->bob, 0, &sequence), STATUS_OK);
    assert_int_equal(sequence, 3);
    buffer_free(&before);
    buffer_free(&after);
}

/* What all have read goes although the disk is full, or it would stay so for ever. */
static void a_full_disk_is_swept(void **state)
{
    setting_t *self = *state;
    self->world->config.sweep_period_ms = 0;
    self->world->config.cursor_flush_period_ms = 0;
    world_restart(self->world);
    person_login_both(&self->alice);
    person_login_both(&self->bob);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(room_send(&self->room, &self->alice, i, NULL), STATUS_OK);
    store_memory_set_full(self->world->store, true);
    assert_int_equal(room_send(&self->room, &self->bob, 0, NULL), STATUS_STORE_FULL);
    assert_int_equal(room_poll_state(&self->room, &self->alice.events, 12, NULL, NULL), STATUS_OK);
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 12, NULL, NULL), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        world_pass(self->world, 10);
        world_tick(self->world);
    }
    assert_int_equal(rules_counters(self->world->rules)->events_swept, 12);
    /* That the sweep was written doesn't mean that there is room for others. */
    assert_int_equal(rules_counters(self->world->rules)->writes_failed, 1);
    assert_int_equal(room_send(&self->room, &self->bob, 0, NULL), STATUS_STORE_FULL);
    assert_int_equal(rules_counters(self->world->rules)->writes_failed, 1);
}

static void reads_before_the_first_write_of_a_full_turn_are_answered(void **state)
{
    setting_t *self = *state;
    whois_request_t whois = {.name = self->bob.name};
    buffer_t sealed = sealed_bytes(self->room.epoch, 1, 0, 0, 50);
    send_request_t send = {.sealed = buffer_view(&sealed)};
    memcpy(send.group, self->room.group, GROUP_ID_BYTES);
    store_memory_set_full(self->world->store, true);
    world_begin(self->world);
    uint64_t early = link_send(&self->bob.events, VERB_whois, &whois);
    uint64_t sent = link_send(&self->bob.events, VERB_send, &send);
    uint64_t late = link_send(&self->bob.events, VERB_whois, &whois);
    assert_int_equal(world_finish(self->world), STATUS_STORE_FULL);
    link_t *links[] = {&self->bob.events};
    link_collect(links, 1);
    const struct {
        uint64_t id;
        status_t expected;
    } answers[] = {{early, STATUS_OK}, {sent, STATUS_STORE_FULL}, {late, STATUS_STORE_FULL}};
    for (size_t i = 0; i < 3; i++) {
        message_t reply = {0};
        assert_true(link_reply(&self->bob.events, answers[i].id, &reply));
        assert_int_equal(reply.status, answers[i].expected);
        message_wipe(&reply);
    }
    buffer_free(&sealed);
}

static void nothing_new_needs_no_write(void **state)
{
    setting_t *self = *state;
    poll_keys_request_t keys = {0};
    poll_joins_request_t joins = {0};
    poll_leaves_request_t leaves = {0};
    uint64_t writes = store_memory_write_count(self->world->store);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(room_poll_state(&self->room, &self->alice.events, 2, NULL, NULL),
                         STATUS_OK);
        assert_int_equal(link_ask(&self->alice.events, VERB_poll_keys, &keys), STATUS_OK);
        assert_int_equal(link_ask(&self->alice.duties, VERB_poll_joins, &joins), STATUS_OK);
        assert_int_equal(link_ask(&self->alice.duties, VERB_poll_leaves, &leaves), STATUS_OK);
    }
    assert_int_equal(store_memory_write_count(self->world->store), writes);
}

static uint64_t count_step(void *context, const trace_record_t *record)
{
    size_t *steps = context;
    steps[record->step]++;
    return 0;
}

static void a_listener_hears_every_step(void **state)
{
    setting_t *self = *state;
    size_t steps[TRACE_STEP_COUNT] = {0};
    self->world->config.listen = count_step;
    self->world->config.listen_context = steps;
    world_restart(self->world);
    person_login_both(&self->alice);
    assert_int_equal(steps[TRACE_SESSION_OPENED], 2);
    assert_int_equal(room_poll_state(&self->room, &self->alice.events, 0, NULL, NULL), STATUS_OK);
    assert_int_equal(steps[TRACE_FETCHED], 1);
    assert_int_equal(room_send(&self->room, &self->alice, 0, NULL), STATUS_OK);
    assert_int_equal(steps[TRACE_APPENDED], 1);
    assert_int_equal(steps[TRACE_STORED], 1);
    assert_int_equal(steps[TRACE_PUSHED], 1);
    room_t nowhere = self->room;
    nowhere.group[3] ^= 1;
    assert_int_equal(room_send(&nowhere, &self->alice, 1, NULL), STATUS_UNKNOWN_GROUP);
    assert_int_equal(steps[TRACE_REFUSED], 1);
    assert_int_equal(rules_counters(self->world->rules)->answered[VERB_send][STATUS_UNKNOWN_GROUP],
                     1);
    self->world->config.listen = NULL;
    world_restart(self->world);
    assert_int_equal(steps[TRACE_SESSION_ENDED], 0); /* the listener may have gone by then */
}

typedef struct {
    size_t pushed;
    size_t fetched;
    uint64_t fanned_out; /* to so many members */
} deliveries_t;

static uint64_t count_deliveries(void *context, const trace_record_t *record)
{
    deliveries_t *self = context;
    self->pushed += record->step == TRACE_PUSHED;
    self->fetched += record->step == TRACE_FETCHED;
    if (record->step == TRACE_FANNED_OUT)
        self->fanned_out = record->count;
    return 0;
}

/* Who asked in the same turn has it by that: it was pushed to the others only. */
static void what_a_poll_of_the_turn_took_was_not_pushed(void **state)
{
    setting_t *self = *state;
    deliveries_t deliveries = {0};
    self->world->config.listen = count_deliveries;
    self->world->config.listen_context = &deliveries;
    world_restart(self->world);
    uint64_t head;
    person_login_both(&self->alice);
    assert_int_equal(room_poll_state(&self->room, &self->alice.events, 0, &head, NULL), STATUS_OK);
    assert_int_equal(room_poll_state(&self->room, &self->alice.events, head, &head, NULL),
                     STATUS_OK);
    deliveries = (deliveries_t){0};
    assert_int_equal(room_send(&self->room, &self->alice, 0, NULL), STATUS_OK);
    assert_int_equal(deliveries.pushed, 1);
    assert_int_equal(deliveries.fanned_out, 1);

    cursor_record_t cursor = {.cursor = head + 1};
    buffer_t sealed =
        sealed_bytes(self->room.epoch, room_find(&self->room, &self->alice)->leaf, 1, 1, 100);
    send_request_t send = {.sealed = buffer_view(&sealed)};
    memcpy(send.group, self->room.group, GROUP_ID_BYTES);
    memcpy(cursor.group, self->room.group, GROUP_ID_BYTES);
    const poll_messages_request_t poll = {.cursors = {&cursor, 1},
                                          .budget_bytes = POLL_BUDGET_MAX_BYTES};
    deliveries = (deliveries_t){.fanned_out = 99};
    world_begin(self->world);
    link_send(&self->alice.events, VERB_send, &send);
    link_send(&self->alice.events, VERB_poll_messages, &poll);
    assert_int_equal(world_finish(self->world), STATUS_OK);
    buffer_free(&sealed);
    assert_int_equal(deliveries.fetched, 1);
    assert_int_equal(deliveries.pushed, 0);
    assert_int_equal(deliveries.fanned_out, 0);
    self->world->config.listen = NULL;
    world_restart(self->world);
}

enum { FIRST_NAME = 100 };

static uint64_t name_pushes(void *context, const trace_record_t *record)
{
    uint64_t *pushes = context;
    return record->step == TRACE_PUSHED ? FIRST_NAME + (*pushes)++ : 0;
}

/* So that who can't send it can say what of. */
static void a_frame_knows_what_its_pushes_were_called(void **state)
{
    setting_t *self = *state;
    world_t *world = self->world;
    uint64_t pushes = 0;
    rules_listen(world->rules, name_pushes, &pushes);
    person_login_both(&self->alice);
    person_login_both(&self->bob);
    assert_int_equal(room_poll_state(&self->room, &self->alice.events, 0, NULL, NULL), STATUS_OK);
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 0, NULL, NULL), STATUS_OK);
    for (unsigned heard = 0; heard < 2; heard++) {
        buffer_t sealed = sealed_bytes(self->room.epoch, 0, heard, heard, 100);
        send_request_t send = {.sealed = buffer_view(&sealed)};
        memcpy(send.group, self->room.group, GROUP_ID_BYTES);
        rules_listen(world->rules, heard ? name_pushes : NULL, &pushes);
        pushes = 0;
        world_begin(world);
        link_send(&self->alice.events, VERB_send, &send);
        join_request_t nothing = {0}; /* refused: a reply that is no push */
        link_send(&self->bob.events, VERB_join, &nothing);
        assert_int_equal(world_finish(world), STATUS_OK);
        rules_output_t output;
        size_t told = 0;
        while (rules_next_output(world->rules, &output)) {
            assert_int_equal(output.told_count, heard ? output.pushes : 0);
            for (size_t i = 0; i < output.told_count; i++) {
                assert_int_equal(output.told[i].verb, VERB_events);
                assert_in_range(output.told[i].step, FIRST_NAME, FIRST_NAME + pushes - 1);
                told += output.told[i].step;
            }
        }
        assert_int_equal(pushes, heard ? 2 : 0); /* alice gets her own, too */
        assert_int_equal(told, heard ? 2 * FIRST_NAME + 1 : 0);
        buffer_free(&sealed);
    }
    rules_listen(world->rules, NULL, NULL);
}

static void a_newer_store_is_refused(void **state)
{
    setting_t *self = *state;
    store_unit_t unit;
    status_t outcome;
    store_unit_init(&unit);
    store_unit_put(&unit, "!", 1, "\x02whatever", 9);
    assert_int_equal(store_write(self->world->store, &unit, 1, &outcome), STATUS_OK);
    store_unit_wipe(&unit);
    rules_t *rules = rules_new(self->world->store, &self->world->config);
    assert_int_equal(rules_open(rules), STATUS_NEWER_FORMAT);
    rules_destroy(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_with_bob, tear_down)
        TEST(what_all_have_read_is_swept),
        TEST(a_failed_write_acknowledges_nothing),
        TEST(a_session_opened_in_a_failed_turn_is_gone),
        TEST(a_full_disk_refuses_writes_and_serves_reads),
        TEST(a_full_disk_is_swept),
        TEST(reads_before_the_first_write_of_a_full_turn_are_answered),
        TEST(nothing_new_needs_no_write),
        TEST(a_listener_hears_every_step),
        TEST(what_a_poll_of_the_turn_took_was_not_pushed),
        TEST(a_frame_knows_what_its_pushes_were_called),
        TEST(a_newer_store_is_refused),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
