/* SPDX-License-Identifier: MPL-2.0 */
/* For tests of the member core: a real group of two. bob is under test; alice (creator, admin) is
 * played by the test with real keys. */
#ifndef CONCLAVE_TESTS_UNIT_CLIENT_CORE_ROOM_H
#define CONCLAVE_TESTS_UNIT_CLIENT_CORE_ROOM_H

#include "tests/unit/client/core_peer.h"

#include <stdio.h>

#include "client/core/line_row.h"
#include "client/keys/commit_build.h"
#include "client/keys/group_state.h"
#include "client/keys/message_fields.h"
#include "proto/roster.h"

typedef struct {
    peer_t bob;
    identity_t *alice;
    holder_t *holder;
    group_state_t *alice_keys;
    uint8_t group[GROUP_ID_BYTES];
    buffer_t last_commit;
    buffer_t welcome;
    uint64_t sequence;
    uint64_t alice_number;
    trace_context_t alice_trace; /* of what she seals */
} room_t;

static inline void adopt(room_t *self, const commit_plan_t *plan)
{
    prepared_commit_t *prepared = NULL;
    assert_int_equal(commit_build(self->holder, self->alice, plan, &prepared), STATUS_OK);
    buffer_clear(&self->last_commit);
    buffer_append(&self->last_commit, prepared->commit.data, prepared->commit.size);
    buffer_clear(&self->welcome);
    if (prepared->welcome_count)
        buffer_append(&self->welcome, prepared->welcomes[0].sealed.data,
                      prepared->welcomes[0].sealed.size);
    assert_int_equal(holder_adopt(self->holder, &prepared), STATUS_OK);
}

static inline void found(room_t *self)
{
    name_t name;
    assert_int_equal(name_parse(&name, "room"), STATUS_OK);
    self->alice = peer_identity("alice");
    memset(self->group, 9, sizeof self->group);
    self->holder = holder_new(self->group, &name, self->alice);
    buffer_t request = {0};
    secret_t prekey;
    identity_make_join_request(self->alice, self->group, holder_transcript(self->holder), &request,
                               &prekey);
    served_request_t served;
    assert_int_equal(holder_check_request(self->holder, buffer_view(&request), &served), STATUS_OK);
    commit_role_t role = {0, ROLE_ADMIN};
    adopt(self, &(commit_plan_t){.adds = &served, .add_count = 1, .roles = &role, .role_count = 1});
    assert_int_equal(
        group_state_from_welcome(&self->alice_keys, self->alice, buffer_view(&self->welcome),
                                 buffer_view(&self->last_commit), buffer_view(&request), &prekey),
        STATUS_OK);
    buffer_free(&request);
    self->sequence = 1;
}

static inline void drain_polls(room_t *self)
{
    uint64_t id;
    while ((id = peer_asked(&self->bob, VERB_poll_keys, NULL, NULL)))
        peer_reply(&self->bob, VERB_poll_keys, id, STATUS_OK, NULL);
    while ((id = peer_asked(&self->bob, VERB_poll_messages, NULL, NULL)))
        peer_reply(&self->bob, VERB_poll_messages, id, STATUS_OK, NULL);
}

static inline void push_event(room_t *self, uint64_t sequence, uint64_t kind, const char *sender,
                              bytes_t payload)
{
    event_record_t event = {
        .sequence = sequence, .time_ms = 1000 + sequence, .kind = kind, .payload = payload};
    memcpy(event.group, self->group, GROUP_ID_BYTES);
    assert_int_equal(name_parse(&event.sender, sender), STATUS_OK);
    events_push_t push = {.events = {&event, 1}};
    buffer_t frame = {0};
    message_write_push(&frame, VERB_events, 1, &push);
    peer_frame(&self->bob, &frame);
    buffer_free(&frame);
}

/* Bob asks for a group of that name, and the broker leads him to this one. */
static inline void let_bob_in_as(room_t *self, const name_t *asked_name)
{
    name_t name = *holder_group_name(self->holder);
    peer_request(&self->bob, LOCAL_VERB_join, 50, &(local_join_request_t){.name = *asked_name});
    lookup_reply_t lookup = {.epoch = 1, .members = 1, .creator = *identity_name(self->alice)};
    memcpy(lookup.group, self->group, GROUP_ID_BYTES);
    memcpy(lookup.transcript, holder_transcript(self->holder), HASH_BYTES);
    memcpy(lookup.creator_key, identity_key(self->alice), KEY_BYTES);
    peer_answer(&self->bob, VERB_lookup, STATUS_OK, &lookup);
    message_t asked;
    buffer_t frame;
    uint64_t id = peer_asked(&self->bob, VERB_join, &asked, &frame);
    assert_int_not_equal(id, 0);
    served_request_t served;
    assert_int_equal(holder_check_request(self->holder, asked.body.join_request.request, &served),
                     STATUS_OK);
    adopt(self, &(commit_plan_t){.adds = &served, .add_count = 1});
    message_wipe(&asked);
    buffer_free(&frame);
    peer_reply(&self->bob, VERB_join, id, STATUS_OK, NULL);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_join), STATUS_OK);
    commit_outcome_t outcome;
    assert_int_equal(
        group_state_apply_commit(self->alice_keys, buffer_view(&self->last_commit), &outcome),
        STATUS_OK);
    drain_polls(self);
    peer_time(&self->bob, 1000);
    pending_key_record_t key = {.commit_sequence = ++self->sequence,
                                .sealed = buffer_view(&self->welcome)};
    memcpy(key.group, self->group, GROUP_ID_BYTES);
    key.group_name = name;
    peer_answer(&self->bob, VERB_poll_keys, STATUS_OK, &(poll_keys_reply_t){.keys = {&key, 1}});
    push_event(self, self->sequence, EVENT_COMMIT, "alice", buffer_view(&self->last_commit));
    drain_polls(self);
}

static inline void let_bob_in(room_t *self)
{
    let_bob_in_as(self, holder_group_name(self->holder));
}

static inline int set_up(void **state)
{
    room_t *self = mem_zalloc(1, sizeof *self);
    *state = self;
    self->bob = (peer_t){.make = member_core_new, .now = {1700000000000u, 1000}};
    self->bob.identity = peer_identity("bob");
    self->bob.vault = vault_memory_new();
    found(self);
    peer_start(&self->bob);
    peer_login(&self->bob);
    drain_polls(self);
    peer_request(&self->bob, LOCAL_VERB_subscribe, 49, &(local_subscribe_request_t){.unshown = 1});
    let_bob_in(self);
    self->alice_number = 1;
    return 0;
}

static inline int tear_down(void **state)
{
    room_t *self = *state;
    peer_wipe(&self->bob);
    group_state_destroy(&self->alice_keys);
    holder_destroy(&self->holder);
    identity_destroy(&self->alice);
    buffer_free(&self->last_commit);
    buffer_free(&self->welcome);
    free(self);
    return 0;
}

/* The next line shown, as "text" or "!notice"; *late may be NULL. */
static inline void expect_line(room_t *self, const char *expected, bool *late)
{
    local_message_t message;
    buffer_t frame;
    if (!peer_shown(&self->bob, MESSAGE_PUSH, LOCAL_VERB_line, &message, &frame)) {
        assert_null(expected);
        return;
    }
    const local_line_push_t *push = &message.body.line_push;
    char seen[512] = "";
    for (size_t i = 0; i < push->lines.count; i++) {
        const local_line_record_t *line = &push->lines.items[i];
        size_t used = strlen(seen);
        bool is_notice = line->kind == LINE_NOTICE;
        text_t text = is_notice ? line->notice : line->text;
        snprintf(seen + used, sizeof seen - used, "%s%s%.*s", i ? "|" : "", is_notice ? "!" : "",
                 (int)text.size, text.data);
    }
    if (late)
        *late = push->late != 0;
    local_message_wipe(&message);
    buffer_free(&frame);
    assert_non_null(expected);
    assert_string_equal(seen, expected);
}

static inline void alice_seals(room_t *self, const char *text, uint64_t number, buffer_t *out)
{
    buffer_t content = {0}, fields = {0};
    assert_int_equal(text_content_write(5, text_of(text), &content), STATUS_OK);
    message_fields_write(&self->alice_trace, &fields);
    message_body_t body = {.type = MESSAGE_TYPE_TEXT,
                           .number = number,
                           .content = buffer_view(&content),
                           .fields = buffer_view(&fields)};
    assert_int_equal(group_state_seal(self->alice_keys, self->alice, &body, out, NULL), STATUS_OK);
    buffer_wipe(&content);
    buffer_wipe(&fields);
}

static inline void alice_says(room_t *self, const char *text)
{
    buffer_t sealed = {0};
    alice_seals(self, text, self->alice_number++, &sealed);
    push_event(self, ++self->sequence, EVENT_MESSAGE, "alice", buffer_view(&sealed));
    buffer_free(&sealed);
}

/* The roster has two leaves: alice's proof is bob's leaf hash. */
static inline void prove_alice(room_t *self, bool is_true)
{
    uint64_t id = peer_asked(&self->bob, VERB_roster_proof, NULL, NULL);
    assert_int_not_equal(id, 0);
    const roster_member_t *alice = roster_table_get(holder_roster(self->holder), leaf_index(0));
    const roster_member_t *bob = roster_table_get(holder_roster(self->holder), leaf_index(1));
    roster_entry_record_t entry = {
        .leaf = 0, .name = alice->name, .epoch_added = alice->epoch_added, .role = alice->role};
    memcpy(entry.identity_key, alice->identity_key, KEY_BYTES);
    if (!is_true)
        entry.identity_key[0] ^= 1;
    hash_record_t proof;
    roster_leaf_hash(proof.hash, bob);
    roster_proof_reply_t reply = {
        .epoch = holder_epoch(self->holder), .entries = {&entry, 1}, .proof = {&proof, 1}};
    peer_reply(&self->bob, VERB_roster_proof, id, STATUS_OK, &reply);
}

/* Bob types; the sealed bytes that leave, moved to *sealed. */
static inline uint64_t bob_sends(room_t *self, uint64_t request, const char *text, buffer_t *sealed)
{
    local_send_request_t body = {.name = *holder_group_name(self->holder), .text = text_of(text)};
    peer_request(&self->bob, LOCAL_VERB_send, request, &body);
    message_t asked;
    buffer_t frame;
    uint64_t id = peer_asked(&self->bob, VERB_send, &asked, &frame);
    if (!id)
        return 0;
    buffer_clear(sealed);
    buffer_append(sealed, asked.body.send_request.sealed.data, asked.body.send_request.sealed.size);
    message_wipe(&asked);
    buffer_free(&frame);
    return id;
}

static inline bool resent(room_t *self, const buffer_t *sealed, uint64_t *id)
{
    message_t asked;
    buffer_t frame;
    *id = peer_asked(&self->bob, VERB_send, &asked, &frame);
    assert_int_not_equal(*id, 0);
    bytes_t bytes = asked.body.send_request.sealed;
    bool is_same = bytes.size == sealed->size && !memcmp(bytes.data, sealed->data, bytes.size);
    message_wipe(&asked);
    buffer_free(&frame);
    return is_same;
}

#define ROOM_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
