/* SPDX-License-Identifier: MPL-2.0 */
/* A store with one record that can't be read: whoever needs it is told STORE_FAILED, whoever
 * doesn't is served as ever, and nothing is taken for what it isn't. Each record of a used store in
 * turn. */
#include "tests/unit/broker/rules_setting.h"

#include "broker/rules/records.h"

typedef struct {
    setting_t *setting;
    person_t dave;
} bench_t;

static bench_t *bench_new(void)
{
    bench_t *self = mem_zalloc(1, sizeof *self);
    void *setting;
    (void)set_up_with_bob(&setting);
    self->setting = setting;
    setting_fill(self->setting, &self->dave, 1);
    return self;
}

static void bench_free(bench_t *self)
{
    void *setting = self->setting;
    person_free(&self->dave);
    free(self);
    (void)tear_down(&setting);
}

typedef struct {
    size_t index;
    buffer_t key, value; /* of the index-th record, if there is one */
} pick_t;

static bool pick_record(void *context, const store_record_t *record)
{
    pick_t *self = context;
    if (self->index--)
        return true;
    buffer_append(&self->key, record->key, record->key_size);
    buffer_append(&self->value, record->value, record->value_size);
    return false;
}

static void put(store_t *store, const buffer_t *key, bytes_t value)
{
    store_unit_t unit;
    status_t outcome;
    store_unit_init(&unit);
    store_unit_put(&unit, key->data, key->size, value.data, value.size);
    assert_int_equal(store_write(store, &unit, 1, &outcome), STATUS_OK);
    assert_int_equal(outcome, STATUS_OK);
    store_unit_wipe(&unit);
}

/* --- What is asked, and what may come of it --------------------------------------------------- */

typedef struct {
    bool has_failed; /* somebody was told STORE_FAILED */
} answers_t;

static void expect(answers_t *self, status_t status, status_t whole)
{
    if (status == STATUS_STORE_FAILED)
        self->has_failed = true;
    else
        assert_string_equal(status_name(status), status_name(whole));
}

/* False if that person can't log in. */
static bool log_in(answers_t *self, person_t *person)
{
    status_t events = person_login(person, &person->events, PURPOSE_EVENTS);
    status_t duties = person_login(person, &person->duties, PURPOSE_DUTIES);
    expect(self, events, STATUS_OK);
    expect(self, duties, STATUS_OK);
    return !events && !duties;
}

static void ask_reads(answers_t *self, const room_t *room, person_t *person)
{
    whois_request_t whois = {.name = person->name};
    expect(self, link_ask(&person->events, VERB_whois, &whois), STATUS_OK);
    lookup_request_t lookup = {.name = room->name};
    expect(self, link_ask(&person->events, VERB_lookup, &lookup), STATUS_OK);
    expect(self, link_ask(&person->events, VERB_groups, NULL), STATUS_OK);
    expect(self, link_ask(&person->events, VERB_poll_keys, NULL), STATUS_OK);
    expect(self, link_ask(&person->duties, VERB_poll_joins, NULL), STATUS_OK);
    expect(self, link_ask(&person->duties, VERB_poll_leaves, NULL), STATUS_OK);
}

static void ask_member_reads(answers_t *self, const room_t *room, person_t *person)
{
    message_t reply = {0};
    status_t status = room_poll(room, &person->events, 0, POLL_BUDGET_MAX_BYTES, &reply);
    expect(self, status, STATUS_OK);
    if (!status)
        expect(self, (status_t)reply.body.poll_messages_reply.states.items[0].status, STATUS_OK);
    message_wipe(&reply);
    roster_request_t page = {.count = 10};
    memcpy(page.group, room->group, GROUP_ID_BYTES);
    expect(self, link_ask(&person->events, VERB_roster, &page), STATUS_OK);
    for (uint32_t leaf = 0; leaf < 3; leaf++) {
        roster_proof_request_t proof = {.leaf = leaf};
        memcpy(proof.group, room->group, GROUP_ID_BYTES);
        expect(self, link_ask(&person->events, VERB_roster_proof, &proof), STATUS_OK);
    }
}

/* Alice lets carol in and dave go; bob writes in the new epoch, says his last words again, and
 * leaves. */
static void ask_writes(answers_t *self, bench_t *bench, bool is_alice_in, bool is_bob_in)
{
    setting_t *setting = bench->setting;
    room_t *room = &setting->room;
    if (is_bob_in)
        expect(self, room_send(room, &setting->bob, 1, NULL), STATUS_OK); /* again */
    if (is_alice_in) {
        for (uint64_t epoch = 0; epoch < 3; epoch++) { /* late by some commits */
            room_t past = *room;
            past.epoch = epoch;
            expect(self, draft_send(draft_new(&past, &setting->alice), &past, &setting->alice),
                   STATUS_STALE_EPOCH);
        }
        buffer_t request = room_join_request(room, &setting->carol);
        draft_t *draft = draft_new(room, &setting->alice);
        draft_remove(draft, room_find(room, &bench->dave)->leaf);
        draft_add(draft, &setting->carol, buffer_view(&request));
        expect(self, draft_send(draft, room, &setting->alice), STATUS_OK);
        buffer_free(&request);
    }
    if (is_bob_in) {
        status_t whole = room->epoch == 4 ? STATUS_OK : STATUS_REKEY_DUE;
        expect(self, room_send(room, &setting->bob, 2, NULL), whole);
        expect(self, room_leave(room, &setting->bob, NULL), STATUS_OK);
    }
}

static answers_t ask_everything(bench_t *bench)
{
    setting_t *setting = bench->setting;
    answers_t answers = {0};
    bool is_alice_in = log_in(&answers, &setting->alice);
    bool is_bob_in = log_in(&answers, &setting->bob);
    if (is_alice_in)
        ask_reads(&answers, &setting->room, &setting->alice);
    if (is_bob_in) {
        ask_reads(&answers, &setting->room, &setting->bob);
        ask_member_reads(&answers, &setting->room, &setting->bob);
    }
    ask_writes(&answers, bench, is_alice_in, is_bob_in);
    return answers;
}

/* --- The tests -------------------------------------------------------------------------------- */

static void a_whole_store_fails_nobody(void **state)
{
    (void)state;
    bench_t *bench = bench_new();
    world_restart(bench->setting->world);
    answers_t answers = ask_everything(bench);
    assert_false(answers.has_failed);
    assert_int_equal(bench->setting->room.epoch, 4);
    bench_free(bench);
}

/* Returns false if there are fewer records. */
static bool damage_one(size_t index, bool keep, bool *failed, char *kind)
{
    bench_t *bench = bench_new();
    world_t *world = bench->setting->world;
    pick_t pick = {.index = index};
    store_range_t all = {0};
    assert_int_equal(store_range(world->store, &all, pick_record, &pick), STATUS_OK);
    bool is_there = pick.key.size > 0;
    if (is_there) {
        *kind = (char)pick.key.data[0];
        put(world->store, &pick.key, (bytes_t){pick.value.data, keep ? pick.value.size - 1 : 0});
        rules_destroy(&world->rules);
        world->rules = rules_new(world->store, &world->config);
        status_t opened = rules_open(world->rules);
        *failed = opened != STATUS_OK || ask_everything(bench).has_failed;
        world_tick(world); /* the sweep meets it too */
    }
    buffer_free(&pick.key);
    buffer_free(&pick.value);
    bench_free(bench);
    return is_there;
}

/* The kinds of records whose damage somebody was told of, in order. keep: only the last byte goes,
 * or else all of the value. */
static void damage_each(bool keep, char out[static 32])
{
    bool told[128] = {false}, failed = false;
    char kind = 0;
    size_t count = 0, size = 0;
    for (; damage_one(count, keep, &failed, &kind); count++)
        told[kind & 0x7f] |= failed;
    assert_in_range(count, 20, 200);
    for (size_t i = 0; i < 128; i++)
        if (told[i])
            out[size++] = (char)i;
    out[size] = 0;
}

static void each_record_in_turn(void **state)
{
    (void)state;
    char told[32];
    /* all but those whose keys say everything (f, q, u), and cursors */
    damage_each(false, told);
    assert_string_equal(told, "!acehjlmnrsvw");
    /* what ends in bytes that only clients can read may be shorter */
    damage_each(true, told);
    assert_string_equal(told, "!achlmnrs");
}

static bool damage_cursors(void *context, const store_record_t *record)
{
    store_unit_t *unit = context;
    if (record->key[0] == KEY_CURSOR)
        store_unit_put(unit, record->key, record->key_size, "x", 1);
    return true;
}

/* Alice and bob have read all; their cursors are written. */
static void read_all(setting_t *self)
{
    world_t *world = self->world;
    world->config.sweep_period_ms = world->config.retention_ms;
    world_restart(world);
    world_tick(world); /* sweeps before there is anything to sweep, and not again */
    person_login_both(&self->alice);
    person_login_both(&self->bob);
    assert_int_equal(room_poll_state(&self->room, &self->alice.events, 2, NULL, NULL), STATUS_OK);
    assert_int_equal(room_poll_state(&self->room, &self->bob.events, 2, NULL, NULL), STATUS_OK);
    world_pass(world, 10);
    world_tick(world);
}

static uint64_t sweep(world_t *world)
{
    world->config.sweep_period_ms = 0;
    world_restart(world);
    for (int i = 0; i < 3; i++) {
        world_pass(world, 10);
        world_tick(world);
    }
    return rules_counters(world->rules)->events_swept;
}

static void damage_all_cursors(store_t *store)
{
    store_unit_t unit;
    status_t outcome;
    store_range_t all = {0};
    store_unit_init(&unit);
    assert_int_equal(store_range(store, &all, damage_cursors, &unit), STATUS_OK);
    assert_int_equal(store_write(store, &unit, 1, &outcome), STATUS_OK);
    store_unit_wipe(&unit);
}

/* Whom an event waits for is not known then; a poll writes the cursor anew. */
static void an_unreadable_cursor_keeps_every_event(void **state)
{
    setting_t *self = *state;
    self->world->config.cursor_flush_period_ms = 0;
    read_all(self);
    damage_all_cursors(self->world->store);
    assert_int_equal(sweep(self->world), 0);
    read_all(self);
    assert_int_equal(sweep(self->world), 2);
}

/* Or a group of which nobody comes back would grow for ever. */
static void age_sweeps_past_an_unreadable_cursor(void **state)
{
    setting_t *self = *state;
    self->world->config.cursor_flush_period_ms = 0;
    read_all(self);
    damage_all_cursors(self->world->store);
    world_pass(self->world, self->world->config.retention_ms + 1);
    assert_int_equal(sweep(self->world), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_store_fails_nobody),
        cmocka_unit_test(each_record_in_turn),
        cmocka_unit_test_setup_teardown(an_unreadable_cursor_keeps_every_event, set_up_with_bob,
                                        tear_down),
        cmocka_unit_test_setup_teardown(age_sweeps_past_an_unreadable_cursor, set_up_with_bob,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
