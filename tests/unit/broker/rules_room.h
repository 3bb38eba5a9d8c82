/* SPDX-License-Identifier: MPL-2.0 */
/* Groups as people without any keys see them: rosters, commits, join requests, leaves and messages
 * that only look sealed. */
#ifndef CONCLAVE_TESTS_UNIT_BROKER_RULES_ROOM_H
#define CONCLAVE_TESTS_UNIT_BROKER_RULES_ROOM_H

#include "tests/unit/broker/rules_fixture.h"

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
        if (room->leaves[leaf].held &&
            name_equal(&room->leaves[leaf].member.name, &committer->name))
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
    size_t at = self->commit.removal_count++;
    for (; at > 0 && self->removals[at - 1].leaf > leaf; at--)
        self->removals[at] = self->removals[at - 1];
    commit_removal_t *removal = &self->removals[at];
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

/* Signs what is there; may be called again after a change by a test. The roster root is not touched
 * if keep_root. */
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
static inline buffer_t sealed_bytes(uint64_t epoch, uint32_t leaf, uint32_t generation,
                                    uint64_t tag, size_t size)
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
