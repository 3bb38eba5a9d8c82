/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's rules on a store in memory, and people who talk to them with rightly signed requests. */
#ifndef CONCLAVE_TESTS_UNIT_BROKER_RULES_FIXTURE_H
#define CONCLAVE_TESTS_UNIT_BROKER_RULES_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "broker/rules/rules.h"
#include "broker/store/store_memory.h"
#include "proto/commit.h"
#include "proto/memory.h"
#include "proto/message.h"
#include "proto/requests.h"
#include "proto/roster.h"
#include "proto/sealed_message.h"
#include "proto/statement.h"

/* --- A broker whose clock stands still between turns ------------------------------------------ */

typedef struct {
    store_t *store;
    rules_t *rules;
    rules_config_t config;
    uint8_t broker_key[KEY_BYTES];
    uint64_t now_ms;
    uint64_t mono_ms;
    uint32_t next_routing_id;
    bool tick_each_turn;
    status_t last_outcome;
} world_t;

static inline void world_restart(world_t *self)
{
    rules_destroy(&self->rules);
    self->rules = rules_new(self->store, &self->config);
    assert_int_equal(rules_open(self->rules), STATUS_OK);
}

static inline world_t *world_new(void)
{
    world_t *self = mem_zalloc(1, sizeof *self);
    assert_true(sodium_init() >= 0);
    self->store = store_memory_new();
    randombytes_buf(self->broker_key, KEY_BYTES);
    self->config = rules_config_default(self->broker_key);
    self->now_ms = 1700000000000;
    self->mono_ms = 5000;
    world_restart(self);
    return self;
}

static inline void world_free(world_t *self)
{
    rules_destroy(&self->rules);
    store_destroy(&self->store);
    free(self);
}

static inline void world_pass(world_t *self, uint64_t ms)
{
    self->now_ms += ms;
    self->mono_ms += ms;
}

static inline void world_begin(world_t *self)
{
    rules_begin(self->rules, self->now_ms, self->mono_ms);
}

/* Ends the turn: prepares, writes, finishes. */
static inline status_t world_finish(world_t *self)
{
    const store_unit_t *units;
    status_t status = STATUS_OK, outcome = STATUS_OK;
    if (self->tick_each_turn)
        rules_tick(self->rules);
    size_t count = rules_prepare(self->rules, &units);
    if (count > 0) {
        status = store_write(self->store, units, count, &outcome);
        if (status == STATUS_OK)
            status = outcome;
    }
    rules_finish(self->rules, status);
    self->last_outcome = status;
    return status;
}

static inline void world_tick(world_t *self)
{
    world_begin(self);
    rules_tick(self->rules);
    (void)world_finish(self);
}

/* All records but cursors, one after another: to see that nothing changed. */
static inline bool dump_record(void *context, const store_record_t *record)
{
    if (record->key[0] == 'k')
        return true;
    buffer_lp(context, record->key, record->key_size);
    buffer_lp(context, record->value, record->value_size);
    return true;
}

static inline buffer_t world_dump(world_t *self)
{
    buffer_t out = {0};
    store_range_t all = {0};
    assert_int_equal(store_range(self->store, &all, dump_record, &out), STATUS_OK);
    return out;
}

static inline bool dump_equal(const buffer_t *a, const buffer_t *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/* --- Connections ------------------------------------------------------------------------------ */

typedef struct {
    world_t *world;
    rules_peer_t address;
    uint8_t token[TOKEN_BYTES];
    size_t token_size;
    uint64_t next_id;
    buffer_t inbox; /* the frames of the last turn, one after another */
    size_t frames;
    size_t largest_frame;
} link_t;

static inline void link_open(link_t *self, world_t *world)
{
    *self = (link_t){.world = world};
    self->address.id_size = 5;
    put_u32(self->address.id + 1, ++world->next_routing_id);
    randombytes_buf(self->address.curve_key, KEY_BYTES);
}

static inline void link_close(link_t *self)
{
    buffer_free(&self->inbox);
}

/* Collects the released frames of one peer; call it for each before the next turn. */
static inline void link_collect(link_t **links, size_t count)
{
    rules_output_t output;
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&links[i]->inbox);
        links[i]->frames = links[i]->largest_frame = 0;
    }
    while (rules_next_output(links[0]->world->rules, &output)) {
        assert_true(output.frame.size <= FRAME_MAX_BYTES);
        assert_true(output.replies + output.pushes <= FRAME_MAX_MESSAGES);
        for (size_t i = 0; i < count; i++)
            if (memcmp(links[i]->address.id, output.peer->id, output.peer->id_size) == 0) {
                buffer_append(&links[i]->inbox, output.frame.data, output.frame.size);
                links[i]->frames++;
                if (output.frame.size > links[i]->largest_frame)
                    links[i]->largest_frame = output.frame.size;
            }
    }
}

/* Sends one request within the current turn. */
static inline uint64_t link_send(link_t *self, verb_t verb, const void *body)
{
    buffer_t frame = {0};
    uint64_t id = ++self->next_id;
    message_write_request(&frame, verb, id, (bytes_t){self->token, self->token_size},
                          (text_t){"", 0}, body);
    rules_receive(self->world->rules, &self->address, buffer_view(&frame));
    buffer_free(&frame);
    return id;
}

/* Finds the reply with this id in the inbox. False: none came. The message points into the inbox. */
static inline bool link_reply(link_t *self, uint64_t id, message_t *out)
{
    bytes_t left = buffer_view(&self->inbox);
    while (left.size > 0) {
        assert_int_equal(message_read(out, &left, 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH),
                         STATUS_OK);
        if (out->kind == MESSAGE_REPLY && out->id == id)
            return true;
        message_wipe(out);
    }
    return false;
}

/* Pushes of a verb in the inbox, in order: the index-th. */
static inline bool link_push(link_t *self, verb_t verb, size_t index, message_t *out)
{
    bytes_t left = buffer_view(&self->inbox);
    while (left.size > 0) {
        assert_int_equal(message_read(out, &left, 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH),
                         STATUS_OK);
        if (out->kind == MESSAGE_PUSH && out->verb == verb && index-- == 0)
            return true;
        message_wipe(out);
    }
    return false;
}

/* One turn with one request. STATUS_TIMED_OUT: no reply. The reply lives until the link's next turn; wipe it. */
static inline status_t link_call(link_t *self, verb_t verb, const void *body, message_t *reply)
{
    world_begin(self->world);
    uint64_t id = link_send(self, verb, body);
    (void)world_finish(self->world);
    link_collect(&self, 1);
    return link_reply(self, id, reply) ? reply->status : STATUS_TIMED_OUT;
}

/* The same, for who needs only the status. */
static inline status_t link_ask(link_t *self, verb_t verb, const void *body)
{
    message_t reply = {0};
    status_t status = link_call(self, verb, body, &reply);
    message_wipe(&reply);
    return status;
}

/* --- People ----------------------------------------------------------------------------------- */

typedef struct {
    world_t *world;
    name_t name;
    uint8_t public_key[KEY_BYTES];
    uint8_t secret_key[crypto_sign_SECRETKEYBYTES];
    link_t events;
    link_t duties;
} person_t;

static inline void person_sign(const person_t *self, const buffer_t *statement,
                               uint8_t signature[SIGNATURE_BYTES])
{
    crypto_sign_detached(signature, NULL, statement->data, statement->size, self->secret_key);
}

static inline void person_make(person_t *self, world_t *world, const char *name)
{
    memset(self, 0, sizeof *self);
    self->world = world;
    assert_int_equal(name_parse(&self->name, name), STATUS_OK);
    crypto_sign_keypair(self->public_key, self->secret_key);
}

static inline status_t link_hello(link_t *self)
{
    hello_request_t hello = {.version_min = 1, .version_max = 1, .software = {"test", 4}};
    return link_ask(self, VERB_hello, &hello);
}

static inline register_request_t person_registration(const person_t *self)
{
    register_request_t request = {.name = self->name};
    buffer_t statement = {0};
    memcpy(request.identity_key, self->public_key, KEY_BYTES);
    statement_register(&statement, self->world->broker_key, self->name.text, self->public_key);
    person_sign(self, &statement, request.signature);
    buffer_free(&statement);
    return request;
}

static inline void person_fetch_challenge(const person_t *self, link_t *link,
                                          uint8_t out[CHALLENGE_BYTES])
{
    challenge_request_t ask = {.name = self->name};
    message_t reply = {0};
    assert_int_equal(link_call(link, VERB_challenge, &ask, &reply), STATUS_OK);
    memcpy(out, reply.body.challenge_reply.challenge, CHALLENGE_BYTES);
    message_wipe(&reply);
}

static inline login_request_t person_login_request(const person_t *self, const link_t *link,
                                                   const uint8_t challenge[CHALLENGE_BYTES],
                                                   uint8_t purpose)
{
    login_request_t login = {.name = self->name, .purpose = purpose};
    buffer_t statement = {0};
    memcpy(login.challenge, challenge, CHALLENGE_BYTES);
    statement_login(&statement, self->world->broker_key, self->name.text, challenge,
                    link->address.curve_key, purpose);
    person_sign(self, &statement, login.signature);
    buffer_free(&statement);
    return login;
}

/* Hello, challenge and login on a new connection. */
static inline status_t person_login(person_t *self, link_t *link, uint8_t purpose)
{
    uint8_t challenge[CHALLENGE_BYTES];
    message_t reply = {0};
    link_close(link);
    link_open(link, self->world);
    assert_int_equal(link_hello(link), STATUS_OK);
    person_fetch_challenge(self, link, challenge);
    login_request_t login = person_login_request(self, link, challenge, purpose);
    status_t status = link_call(link, VERB_login, &login, &reply);
    if (status == STATUS_OK) {
        memcpy(link->token, reply.body.login_reply.token, TOKEN_BYTES);
        link->token_size = TOKEN_BYTES;
    }
    message_wipe(&reply);
    return status;
}

static inline void person_login_both(person_t *self)
{
    assert_int_equal(person_login(self, &self->events, PURPOSE_EVENTS), STATUS_OK);
    assert_int_equal(person_login(self, &self->duties, PURPOSE_DUTIES), STATUS_OK);
}

/* Registered and logged in for both purposes. */
static inline void person_arrive(person_t *self, world_t *world, const char *name)
{
    person_make(self, world, name);
    register_request_t registration = person_registration(self);
    link_open(&self->events, world);
    assert_int_equal(link_hello(&self->events), STATUS_OK);
    assert_int_equal(link_ask(&self->events, VERB_register, &registration), STATUS_OK);
    person_login_both(self);
}

static inline void person_free(person_t *self)
{
    link_close(&self->events);
    link_close(&self->duties);
}

/* --- Groups, as an admin without any keys sees them ------------------------------------------- */

enum { ROOM_LEAVES_MAX = 64, ROOM_DEPTH_MAX = 6 };

typedef struct {
    bool held;
    roster_member_t member;
} room_leaf_t;

typedef struct {
    uint8_t group[GROUP_ID_BYTES];
    name_t name;
    uint64_t epoch;
    uint8_t transcript[HASH_BYTES];
    unsigned depth;
    room_leaf_t leaves[ROOM_LEAVES_MAX];
    uint8_t nodes[ROOM_DEPTH_MAX + 1][ROOM_LEAVES_MAX][HASH_BYTES];
} room_t;

static inline void room_load_node(void *context, unsigned level, uint32_t index,
                                  uint8_t out[HASH_BYTES])
{
    memcpy(out, ((room_t *)context)->nodes[level][index], HASH_BYTES);
}

static inline void room_store_node(void *context, unsigned level, uint32_t index,
                                   const uint8_t hash[HASH_BYTES])
{
    memcpy(((room_t *)context)->nodes[level][index], hash, HASH_BYTES);
}

static inline roster_nodes_t room_nodes(room_t *self)
{
    return (roster_nodes_t){self, room_load_node, room_store_node};
}

static inline void room_start(room_t *self, const char *name, const person_t *creator)
{
    memset(self, 0, sizeof *self);
    randombytes_buf(self->group, GROUP_ID_BYTES);
    assert_int_equal(name_parse(&self->name, name), STATUS_OK);
    transcript_start(self->transcript, self->group, creator->public_key, name);
}

static inline buffer_t room_join_request(const room_t *self, const person_t *person)
{
    join_t join = {.name = person->name};
    uint8_t secret[KEY_BYTES];
    buffer_t statement = {0}, out = {0};
    memcpy(join.group, self->group, GROUP_ID_BYTES);
    memcpy(join.identity_key, person->public_key, KEY_BYTES);
    memcpy(join.transcript, self->transcript, HASH_BYTES);
    crypto_box_keypair(join.prekey, secret);
    join_request_statement(&join, &statement);
    person_sign(person, &statement, join.signature);
    join_request_write_signed_part(&join, &out);
    buffer_append(&out, join.signature, SIGNATURE_BYTES);
    buffer_free(&statement);
    return out;
}

/* A commit being put together, and what it will make of the room. */
typedef struct {
    room_t after;
    commit_t commit;
    commit_add_t adds[8];
    commit_removal_t removals[8];
    commit_refresh_t refreshes[8];
    commit_role_t roles[8];
    welcome_record_t welcomes[16];
    size_t welcome_count;
    buffer_t bytes;
} draft_t;

static inline draft_t *draft_new(const room_t *room, const person_t *committer)
{
    draft_t *self = mem_zalloc(1, sizeof *self);
    self->after = *room;
    self->commit = (commit_t){.epoch = room->epoch,
                              .adds = self->adds,
                              .removals = self->removals,
                              .refreshes = self->refreshes,
                              .roles = self->roles};
    memcpy(self->commit.group, room->group, GROUP_ID_BYTES);
    memcpy(self->commit.transcript, room->transcript, HASH_BYTES);
    randombytes_buf(self->commit.random, COMMIT_RANDOM_BYTES);
    for (uint32_t leaf = 0; leaf < ROOM_LEAVES_MAX; leaf++)
        if (room->leaves[leaf].held && name_equal(&room->leaves[leaf].member.name, &committer->name))
            self->commit.committer = leaf;
    return self;
}

static inline void draft_set_leaf(draft_t *self, uint32_t leaf, const roster_member_t *member)
{
    roster_nodes_t nodes = room_nodes(&self->after);
    self->after.leaves[leaf].held = member != NULL;
    if (member)
        self->after.leaves[leaf].member = *member;
    roster_set(&nodes, self->after.depth, leaf, member);
}

/* Call draft_remove before draft_add: freed leaves are then not used again. */
static inline void draft_remove(draft_t *self, uint32_t leaf)
{
    const roster_member_t *member = &self->after.leaves[leaf].member;
    commit_removal_t *removal = &self->removals[self->commit.removal_count++];
    removal->leaf = leaf;
    removal->name = member->name;
    memcpy(removal->identity_key, member->identity_key, KEY_BYTES);
    draft_set_leaf(self, leaf, NULL);
}

static inline bool draft_leaf_is_free(const draft_t *self, uint32_t leaf)
{
    for (size_t i = 0; i < self->commit.removal_count; i++)
        if (self->removals[i].leaf == leaf)
            return false;
    return !self->after.leaves[leaf].held;
}

static inline uint32_t draft_add(draft_t *self, const person_t *person, bytes_t request)
{
    uint32_t leaf = 0;
    while (!draft_leaf_is_free(self, leaf))
        leaf++;
    roster_nodes_t nodes = room_nodes(&self->after);
    while (leaf >= (1u << self->after.depth))
        roster_grow(&nodes, self->after.depth++);
    commit_add_t *add = &self->adds[self->commit.add_count++];
    add->leaf = leaf;
    add->name = person->name;
    memcpy(add->identity_key, person->public_key, KEY_BYTES);
    join_request_hash(add->request_hash, request);
    roster_member_t member = {
        .leaf = leaf, .name = person->name, .epoch_added = self->commit.epoch + 1};
    memcpy(member.identity_key, person->public_key, KEY_BYTES);
    draft_set_leaf(self, leaf, &member);
    self->welcomes[self->welcome_count++] = (welcome_record_t){
        .recipient = person->name, .sealed = {(const uint8_t *)"sealed welcome", 14}};
    return leaf;
}

static inline void draft_set_role(draft_t *self, uint32_t leaf, uint8_t role)
{
    self->roles[self->commit.role_count++] = (commit_role_t){leaf, role};
    roster_member_t member = self->after.leaves[leaf].member;
    member.role = role;
    draft_set_leaf(self, leaf, &member);
}

/* Signs what is there; may be called again after a change by a test. The roster root is not touched if keep_root. */
static inline void draft_seal(draft_t *self, const person_t *committer, bool keep_root)
{
    roster_nodes_t nodes = room_nodes(&self->after);
    buffer_t statement = {0};
    self->commit.depth = (uint8_t)self->after.depth;
    if (!keep_root)
        roster_root(&nodes, self->after.depth, self->commit.roster_root);
    randombytes_buf(self->commit.tag, HASH_BYTES);
    randombytes_buf(self->commit.mac, HASH_BYTES);
    buffer_clear(&self->bytes);
    commit_write_body(&self->commit, &self->bytes);
    transcript_extend(self->after.transcript, self->commit.transcript, buffer_view(&self->bytes));
    statement_commit(&statement, self->commit.group, self->after.transcript, self->commit.tag);
    person_sign(committer, &statement, self->commit.signature);
    commit_write_trailer(&self->commit, &self->bytes);
    buffer_free(&statement);
    self->after.epoch = self->commit.epoch + 1;
}

static inline commit_request_t draft_request(draft_t *self)
{
    commit_request_t request = {.commit = buffer_view(&self->bytes),
                                .welcomes = {self->welcomes, self->welcome_count}};
    memcpy(request.group, self->commit.group, GROUP_ID_BYTES);
    return request;
}

static inline void draft_free(draft_t *self)
{
    buffer_free(&self->bytes);
    free(self);
}

/* Seals and sends a draft; on success the room moves on. Frees the draft. */
static inline status_t draft_send(draft_t *self, room_t *room, person_t *committer)
{
    draft_seal(self, committer, false);
    commit_request_t request = draft_request(self);
    status_t status = link_ask(&committer->duties, VERB_commit, &request);
    if (status == STATUS_OK)
        *room = self->after;
    draft_free(self);
    return status;
}

static inline create_request_t room_create_request(const room_t *room, const draft_t *draft,
                                                   const buffer_t *request)
{
    static welcome_record_t welcome;
    welcome = draft->welcomes[0];
    create_request_t create = {.name = room->name,
                               .hold_ms = HOLD_DEFAULT_MS,
                               .request = buffer_view(request),
                               .commit = buffer_view(&draft->bytes),
                               .welcomes = {&welcome, 1}};
    memcpy(create.group, room->group, GROUP_ID_BYTES);
    return create;
}

static inline status_t room_create(room_t *room, person_t *creator, const char *name,
                                   uint64_t hold_ms)
{
    room_start(room, name, creator);
    buffer_t request = room_join_request(room, creator);
    draft_t *draft = draft_new(room, creator);
    draft_add(draft, creator, buffer_view(&request));
    draft_set_role(draft, 0, ROLE_ADMIN);
    draft_seal(draft, creator, false);
    create_request_t create = room_create_request(room, draft, &request);
    create.hold_ms = hold_ms;
    status_t status = link_ask(&creator->duties, VERB_create, &create);
    if (status == STATUS_OK)
        *room = draft->after;
    draft_free(draft);
    buffer_free(&request);
    return status;
}

static inline status_t room_ask_join(const room_t *room, person_t *person)
{
    buffer_t bytes = room_join_request(room, person);
    join_request_t join = {.request = buffer_view(&bytes)};
    memcpy(join.group, room->group, GROUP_ID_BYTES);
    status_t status = link_ask(&person->events, VERB_join, &join);
    buffer_free(&bytes);
    return status;
}

/* Asks and is let in at once. */
static inline void room_let_in(room_t *room, person_t *admin, person_t *person)
{
    assert_int_equal(room_ask_join(room, person), STATUS_OK);
    buffer_t bytes = room_join_request(room, person);
    draft_t *draft = draft_new(room, admin);
    draft_add(draft, person, buffer_view(&bytes));
    assert_int_equal(draft_send(draft, room, admin), STATUS_OK);
    buffer_free(&bytes);
}

static inline const roster_member_t *room_find(const room_t *room, const person_t *person)
{
    for (uint32_t leaf = 0; leaf < ROOM_LEAVES_MAX; leaf++)
        if (room->leaves[leaf].held && name_equal(&room->leaves[leaf].member.name, &person->name))
            return &room->leaves[leaf].member;
    return NULL;
}

static inline buffer_t room_leave_statement(const room_t *room, const person_t *person,
                                            const roster_member_t *member)
{
    leave_t leave = {.leaf = member->leaf, .epoch_added = member->epoch_added};
    buffer_t statement = {0}, out = {0};
    memcpy(leave.group, room->group, GROUP_ID_BYTES);
    leave_statement(&leave, &statement);
    person_sign(person, &statement, leave.signature);
    leave_write(&leave, &out);
    buffer_free(&statement);
    return out;
}

static inline status_t room_leave(const room_t *room, person_t *person, uint64_t *sequence)
{
    buffer_t bytes = room_leave_statement(room, person, room_find(room, person));
    leave_request_t leave = {.statement = buffer_view(&bytes)};
    message_t reply = {0};
    memcpy(leave.group, room->group, GROUP_ID_BYTES);
    status_t status = link_call(&person->events, VERB_leave, &leave, &reply);
    if (sequence && status == STATUS_OK)
        *sequence = reply.body.leave_reply.sequence;
    message_wipe(&reply);
    buffer_free(&bytes);
    return status;
}

/* --- Messages --------------------------------------------------------------------------------- */

/* A sealed message that only looks like one; the same tag gives the same bytes. */
static inline buffer_t sealed_bytes(uint64_t epoch, uint32_t leaf, uint32_t generation, uint64_t tag,
                                    size_t size)
{
    message_header_t header = {.epoch = epoch, .leaf = leaf, .generation = generation};
    buffer_t out = {0};
    put_u64(header.salt, tag);
    message_header_write(&header, &out);
    memset(buffer_extend(&out, size), 0x5a, size);
    return out;
}

static inline status_t room_send_bytes(const room_t *room, person_t *person, bytes_t sealed,
                                       uint64_t *sequence)
{
    send_request_t send = {.sealed = sealed};
    message_t reply = {0};
    memcpy(send.group, room->group, GROUP_ID_BYTES);
    status_t status = link_call(&person->events, VERB_send, &send, &reply);
    if (sequence)
        *sequence = status == STATUS_OK ? reply.body.send_reply.sequence : 0;
    message_wipe(&reply);
    return status;
}

static inline status_t room_send(const room_t *room, person_t *person, uint32_t generation,
                                 uint64_t *sequence)
{
    const roster_member_t *member = room_find(room, person);
    buffer_t sealed =
        sealed_bytes(room->epoch, member ? member->leaf : 0, generation, generation, 100);
    status_t status = room_send_bytes(room, person, buffer_view(&sealed), sequence);
    buffer_free(&sealed);
    return status;
}

/* Polls one group on a link. The reply is the caller's to wipe. */
static inline status_t room_poll(const room_t *room, link_t *link, uint64_t cursor,
                                 uint64_t budget_bytes, message_t *reply)
{
    cursor_record_t item = {.cursor = cursor};
    memcpy(item.group, room->group, GROUP_ID_BYTES);
    poll_messages_request_t poll = {.cursors = {&item, 1}, .budget_bytes = budget_bytes};
    return link_call(link, VERB_poll_messages, &poll, reply);
}

/* The state's status and the head, and how many events came. */
static inline status_t room_poll_state(const room_t *room, link_t *link, uint64_t cursor,
                                       uint64_t *head, size_t *events)
{
    message_t reply = {0};
    assert_int_equal(room_poll(room, link, cursor, POLL_BUDGET_MAX_BYTES, &reply), STATUS_OK);
    const poll_messages_reply_t *body = &reply.body.poll_messages_reply;
    assert_int_equal(body->states.count, 1);
    status_t status = (status_t)body->states.items[0].status;
    if (head)
        *head = body->states.items[0].head;
    if (events)
        *events = body->events.count;
    message_wipe(&reply);
    return status;
}

#endif
