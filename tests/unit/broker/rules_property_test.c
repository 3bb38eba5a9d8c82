/* SPDX-License-Identifier: MPL-2.0 */
/* Random people doing random things on a store that fails at random: what must hold after every
 * turn. */
#include <stdio.h>

#include "broker/rules/check.h"
#include "broker/rules/records.h"
#include "tests/unit/broker/rules_room.h"

enum { PEOPLE = 6, STEPS = 1200, ACKED_MAX = STEPS + 8 };

typedef struct {
    uint64_t sequence;
    uint8_t hash[HASH_BYTES]; /* of the payload */
} acked_t;

typedef struct {
    world_t *world;
    person_t people[PEOPLE]; /* [0] is the admin */
    bool left[PEOPLE];       /* by a leave that no commit has served */
    room_t room;
    uint32_t generation[PEOPLE];
    uint64_t salt;
    uint64_t random;
    buffer_t last_sealed[PEOPLE];
    acked_t acked[ACKED_MAX];
    size_t acked_count;
    unsigned done[8]; /* by kind of step, to see that all were taken */
} play_t;

static uint32_t draw(play_t *self, uint32_t bound)
{
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return (uint32_t)(self->random >> 33) % bound;
}

static void restart(play_t *self)
{
    world_restart(self->world);
    for (size_t i = 0; i < PEOPLE; i++)
        person_login_both(&self->people[i]);
}

/* Asks until there is an answer; a failed write is settled by asking again. A refusal must leave
 * the store as it was. */
static status_t insist(play_t *self, link_t *link, verb_t verb, const void *body, message_t *reply)
{
    if (draw(self, 12) == 0)
        store_memory_fail_next_write(self->world->store, draw(self, 2));
    for (;;) {
        buffer_t before = world_dump(self->world);
        status_t status = link_call(link, verb, body, reply);
        if (status == STATUS_TIMED_OUT) {
            assert_int_equal(self->world->last_outcome, STATUS_STORE_FAILED);
            assert_int_equal(store_reopen(self->world->store), STATUS_OK);
            rules_reset_caches(self->world->rules);
            if (draw(self, 4) == 0)
                restart(self);
            buffer_free(&before);
            continue;
        }
        buffer_t after = world_dump(self->world);
        assert_true(status == STATUS_OK || dump_equal(&before, &after));
        buffer_free(&before);
        buffer_free(&after);
        return status;
    }
}

static void remember(play_t *self, uint64_t sequence, bytes_t payload)
{
    acked_t *acked = &self->acked[self->acked_count++];
    assert_true(self->acked_count <= ACKED_MAX);
    acked->sequence = sequence;
    crypto_generichash(acked->hash, HASH_BYTES, payload.data, payload.size, NULL, 0);
}

static void step_send(play_t *self, size_t who)
{
    person_t *person = &self->people[who];
    const roster_member_t *member = room_find(&self->room, person);
    buffer_t sealed = sealed_bytes(self->room.epoch, member ? member->leaf : 0,
                                   ++self->generation[who], ++self->salt, 20 + draw(self, 500));
    send_request_t send = {.sealed = buffer_view(&sealed)};
    memcpy(send.group, self->room.group, GROUP_ID_BYTES);
    message_t reply = {0};
    status_t status = insist(self, &person->events, VERB_send, &send, &reply);
    if (!member)
        assert_int_equal(status, STATUS_NOT_MEMBER);
    else if (self->left[who])
        assert_int_equal(status, STATUS_ALREADY_LEFT);
    else
        assert_true(status == STATUS_OK || status == STATUS_REKEY_DUE);
    if (status == STATUS_OK) {
        remember(self, reply.body.send_reply.sequence, send.sealed);
        buffer_free(&self->last_sealed[who]);
        self->last_sealed[who] = sealed;
        sealed = (buffer_t){0};
        self->done[0]++;
    }
    message_wipe(&reply);
    buffer_free(&sealed);
}

static void step_send_again(play_t *self, size_t who)
{
    person_t *person = &self->people[who];
    if (self->last_sealed[who].size == 0 || !room_find(&self->room, person))
        return;
    send_request_t send = {.sealed = buffer_view(&self->last_sealed[who])};
    message_t reply = {0};
    uint8_t hash[HASH_BYTES];
    memcpy(send.group, self->room.group, GROUP_ID_BYTES);
    crypto_generichash(hash, HASH_BYTES, send.sealed.data, send.sealed.size, NULL, 0);
    assert_int_equal(insist(self, &person->events, VERB_send, &send, &reply), STATUS_OK);
    for (size_t i = 0; i < self->acked_count; i++)
        if (memcmp(self->acked[i].hash, hash, HASH_BYTES) == 0)
            assert_int_equal(reply.body.send_reply.sequence, self->acked[i].sequence);
    self->done[1]++;
    message_wipe(&reply);
}

static void step_bad_send(play_t *self, size_t who)
{
    uint32_t generation = draw(self, 2) ? 0 : self->generation[who];
    buffer_t sealed = sealed_bytes(self->room.epoch - draw(self, 2) + draw(self, 2), draw(self, 8),
                                   generation, ++self->salt, 40);
    send_request_t send = {.sealed = buffer_view(&sealed)};
    message_t reply = {0};
    memcpy(send.group, self->room.group, GROUP_ID_BYTES);
    if (insist(self, &self->people[who].events, VERB_send, &send, &reply) == STATUS_OK) {
        remember(self, reply.body.send_reply.sequence, send.sealed);
        if (generation > self->generation[who])
            self->generation[who] = generation;
    }
    message_wipe(&reply);
    buffer_free(&sealed);
}

static void step_join(play_t *self, size_t who)
{
    person_t *person = &self->people[who];
    buffer_t bytes = room_join_request(&self->room, person);
    join_request_t join = {.request = buffer_view(&bytes)};
    message_t reply = {0};
    memcpy(join.group, self->room.group, GROUP_ID_BYTES);
    status_t status = insist(self, &person->events, VERB_join, &join, &reply);
    bool current = room_find(&self->room, person) && !self->left[who];
    assert_int_equal(status, current ? STATUS_ALREADY_MEMBER : STATUS_OK);
    message_wipe(&reply);
    buffer_free(&bytes);
    self->done[2] += !current;
}

static bool somebody_else_is_in(const play_t *self)
{
    for (size_t who = 1; who < PEOPLE; who++)
        if (room_find(&self->room, &self->people[who]) && !self->left[who])
            return true;
    return false;
}

static void step_leave(play_t *self, size_t who)
{
    person_t *person = &self->people[who];
    const roster_member_t *member = room_find(&self->room, person);
    if (!member || self->left[who] || (who == 0 && !somebody_else_is_in(self)))
        return;
    buffer_t bytes = room_leave_statement(&self->room, person, member);
    leave_request_t leave = {.statement = buffer_view(&bytes)};
    message_t reply = {0};
    memcpy(leave.group, self->room.group, GROUP_ID_BYTES);
    status_t status = insist(self, &person->events, VERB_leave, &leave, &reply);
    if (who == 0) {
        assert_true(status == STATUS_LAST_ADMIN);
    } else {
        assert_int_equal(status, STATUS_OK);
        remember(self, reply.body.leave_reply.sequence, leave.statement);
        self->left[who] = true;
        self->done[3]++;
    }
    message_wipe(&reply);
    buffer_free(&bytes);
}

static size_t who_is(const play_t *self, const name_t *name)
{
    size_t who = 0;
    while (!name_equal(&self->people[who].name, name))
        who++;
    return who;
}

/* Serves some of what waits: removes some leavers, or kicks somebody, and adds some who ask and are
 * not in the tree. */
static void step_commit(play_t *self)
{
    person_t *admin = &self->people[0];
    message_t joins = {0}, reply = {0};
    poll_joins_request_t poll = {0};
    assert_int_equal(insist(self, &admin->duties, VERB_poll_joins, &poll, &joins), STATUS_OK);
    draft_t *draft = draft_new(&self->room, admin);
    for (size_t who = 1; who < PEOPLE; who++) {
        const roster_member_t *member = room_find(&draft->after, &self->people[who]);
        if (member && draw(self, 8) < (self->left[who] ? 6 : 1))
            draft_remove(draft, member->leaf);
    }
    for (size_t i = 0; i < joins.body.poll_joins_reply.joins.count; i++) {
        const pending_join_record_t *join = &joins.body.poll_joins_reply.joins.items[i];
        const person_t *person = &self->people[who_is(self, &join->name)];
        if (!room_find(&draft->after, person) && draw(self, 4) > 0)
            draft_add(draft, person, join->request);
    }
    bool spoiled = draw(self, 6) == 0;
    draft_seal(draft, admin, false);
    if (spoiled)
        draft->bytes.data[draw(self, (uint32_t)draft->bytes.size)] ^= 0x10;
    commit_request_t request = draft_request(draft);
    status_t status = insist(self, &admin->duties, VERB_commit, &request, &reply);
    /* The membership code alone is nothing the broker could check. */
    if (status == STATUS_OK) {
        remember(self, reply.body.commit_reply.sequence, request.commit);
        self->room = draft->after;
        for (size_t who = 0; who < PEOPLE; who++) {
            const roster_member_t *member = room_find(&self->room, &self->people[who]);
            bool added = member && member->epoch_added == self->room.epoch;
            if (!member || added)
                self->left[who] = false;
            if (!member)
                buffer_free(&self->last_sealed[who]);
        }
        self->done[4]++;
    } else {
        if (!spoiled)
            assert_string_equal(status_name(status), status_name(STATUS_OK));
        self->done[5]++;
    }
    message_wipe(&joins);
    message_wipe(&reply);
    draft_free(draft);
}

static void step_poll(play_t *self, size_t who)
{
    message_t reply = {0};
    cursor_record_t cursor = {.cursor = draw(self, 40)};
    memcpy(cursor.group, self->room.group, GROUP_ID_BYTES);
    poll_messages_request_t poll = {.cursors = {&cursor, 1}, .budget_bytes = draw(self, 20000)};
    assert_int_equal(insist(self, &self->people[who].events, VERB_poll_messages, &poll, &reply),
                     STATUS_OK);
    const poll_messages_reply_t *body = &reply.body.poll_messages_reply;
    for (size_t i = 1; i < body->events.count; i++)
        assert_int_equal(body->events.items[i].sequence, body->events.items[i - 1].sequence + 1);
    self->done[6] += body->events.count > 0;
    message_wipe(&reply);
}

/* --- What must hold in the store -------------------------------------------------------------- */

typedef struct {
    play_t *play;
    uint64_t sequence; /* of the last event seen */
    uint64_t head;
    uint32_t members;
    uint32_t leaves_due;
    uint32_t pending_joins;
    uint8_t depth;
    head_t record;
    bool names[PEOPLE];
    room_t *room; /* rebuilt from the stored leaves */
    uint8_t stored_root[HASH_BYTES];
    size_t found;
} check_t;

static void check_event(check_t *self, const store_record_t *record)
{
    event_t event;
    uint8_t hash[HASH_BYTES];
    assert_true(event_read(&event, (bytes_t){record->value, record->value_size}));
    assert_int_equal(get_u64(record->key + record->key_size - 8), ++self->sequence);
    crypto_generichash(hash, HASH_BYTES, event.payload.data, event.payload.size, NULL, 0);
    for (size_t i = 0; i < self->play->acked_count; i++)
        if (self->play->acked[i].sequence == self->sequence) {
            assert_memory_equal(self->play->acked[i].hash, hash, HASH_BYTES);
            self->found++;
        }
}

static void check_leaf(check_t *self, const store_record_t *record)
{
    leaf_record_t leaf;
    assert_true(leaf_record_read(&leaf, (bytes_t){record->value, record->value_size}));
    roster_member_t member = {.leaf = get_u32(record->key + record->key_size - 4),
                              .name = leaf.name,
                              .epoch_added = leaf.epoch_added,
                              .role = leaf.role};
    memcpy(member.identity_key, leaf.identity_key, KEY_BYTES);
    size_t who = who_is(self->play, &leaf.name);
    assert_false(self->names[who]);
    self->names[who] = true;
    self->members += !self->play->left[who];
    self->leaves_due += self->play->left[who];
    roster_nodes_t nodes = room_nodes(self->room);
    roster_set(&nodes, self->depth, member.leaf, &member);
}

static void check_node(check_t *self, const store_record_t *record)
{
    const uint8_t *key = record->key + 1 + GROUP_ID_BYTES;
    if (key[0] == self->depth && get_u32(key + 1) == 0)
        assert_true(bytes_record_read(self->stored_root, HASH_BYTES,
                                      (bytes_t){record->value, record->value_size}));
    assert_true(key[0] <= self->depth);
}

static bool check_record(void *context, const store_record_t *record)
{
    check_t *self = context;
    switch (record->key[0]) {
    case KEY_EVENT:
        check_event(self, record);
        break;
    case KEY_LEAF:
        check_leaf(self, record);
        break;
    case KEY_NODE:
        check_node(self, record);
        break;
    case KEY_JOIN:
        self->pending_joins++;
        break;
    default:
        break;
    }
    return true;
}

static bool find_head(void *context, const store_record_t *record)
{
    check_t *self = context;
    assert_true(head_read(&self->record, (bytes_t){record->value, record->value_size}));
    return true;
}

static void check_store(play_t *self)
{
    check_t check = {.play = self, .room = mem_zalloc(1, sizeof(room_t))};
    store_range_t heads = {.from = "h", .from_size = 1, .to = "i", .to_size = 1};
    store_range_t all = {0};
    assert_int_equal(store_range(self->world->store, &heads, find_head, &check), STATUS_OK);
    check.depth = check.record.depth;
    check.sequence = check.record.first_sequence - 1;
    assert_int_equal(store_range(self->world->store, &all, check_record, &check), STATUS_OK);
    roster_nodes_t nodes = room_nodes(check.room);
    uint8_t root[HASH_BYTES];
    roster_root(&nodes, check.depth, root);
    assert_memory_equal(root, check.stored_root, HASH_BYTES);
    assert_int_equal(check.sequence, check.record.sequence);
    for (size_t i = 0; i < self->acked_count; i++)
        check.found += self->acked[i].sequence < check.record.first_sequence; /* swept */
    assert_int_equal(check.found, self->acked_count);
    assert_int_equal(check.members, check.record.members);
    assert_int_equal(check.leaves_due, check.record.leaves_due);
    assert_int_equal(check.pending_joins, check.record.pending_joins);
    assert_int_equal(check.record.admins, 1);
    assert_int_equal(check.record.epoch, self->room.epoch);
    assert_memory_equal(check.record.transcript, self->room.transcript, HASH_BYTES);
    free(check.room);
}

static void step(play_t *self)
{
    size_t who = draw(self, PEOPLE);
    world_pass(self->world, draw(self, 5000));
    switch (draw(self, 12)) {
    case 0:
    case 1:
    case 2:
        step_send(self, who);
        break;
    case 3:
        step_send_again(self, who);
        break;
    case 4:
        step_bad_send(self, who);
        break;
    case 5:
    case 6:
        step_join(self, who);
        break;
    case 7:
        step_leave(self, who);
        break;
    case 8:
    case 9:
        step_commit(self);
        break;
    case 10:
        step_poll(self, who);
        break;
    default:
        if (draw(self, 8) == 0) {
            restart(self);
            self->done[7]++;
        } else {
            world_tick(self->world);
            if (self->world->last_outcome != STATUS_OK) {
                assert_int_equal(store_reopen(self->world->store), STATUS_OK);
                rules_reset_caches(self->world->rules);
            }
        }
    }
}

static void tell_problem(void *context, const char *key, const char *reason)
{
    (void)context;
    fail_msg("%s: %s", key, reason);
}

static void play(uint64_t seed)
{
    play_t *self = mem_zalloc(1, sizeof *self);
    self->world = world_new();
    self->random = seed * 0x9e3779b97f4a7c15u + 1;
    self->world->config.membership_user.burst = 0;
    self->world->config.idle_ms = self->world->config.absolute_ms = UINT64_MAX;
    self->world->config.cached_members_max = 2;
    self->world->config.sweep_period_ms = 0;
    self->world->config.cursor_flush_period_ms = 0;
    world_restart(self->world);
    for (size_t i = 0; i < PEOPLE; i++) {
        char name[] = {'u', (char)('0' + i), 0};
        person_arrive(&self->people[i], self->world, name);
    }
    assert_int_equal(room_create(&self->room, &self->people[0], "room", 10000), STATUS_OK);
    for (size_t i = 0; i < STEPS; i++) {
        step(self);
        check_store(self);
    }
    check_counts_t counts;
    assert_int_equal(
        check_run(self->world->store, self->world->broker_key, tell_problem, NULL, &counts),
        STATUS_OK);
    for (size_t i = 0; i < sizeof self->done / sizeof self->done[0]; i++)
        assert_true(self->done[i] > 0);
    for (size_t i = 0; i < PEOPLE; i++) {
        person_free(&self->people[i]);
        buffer_free(&self->last_sealed[i]);
    }
    world_free(self->world);
    free(self);
}

static void it_holds_whatever_happens(void **state)
{
    (void)state;
    const char *chosen = getenv("RULES_SEED");
    uint64_t first = chosen ? strtoull(chosen, NULL, 10) : 1;
    for (uint64_t seed = first; seed < first + (chosen ? 1 : 3); seed++) {
        printf("RULES_SEED=%llu\n", (unsigned long long)seed);
        play(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_holds_whatever_happens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
