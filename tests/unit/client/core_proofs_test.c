/* SPDX-License-Identifier: MPL-2.0 */
/* Events of people whose place in the group isn't proven yet: what resolves them, what doesn't, and
 * how many may wait. Carol is in before bob; he hears of her first from the broker. */
#include "tests/unit/client/core_room.h"

#include <sodium.h>

typedef struct {
    room_t room; /* first: the fixture's functions take it */
    identity_t *carol;
    group_state_t *carol_keys;
} den_t;

static const leaf_index_t carol_leaf = {1}, bob_leaf = {2};

static void let_carol_in(den_t *self)
{
    room_t *room = &self->room;
    self->carol = peer_identity("carol");
    buffer_t request = {0};
    secret_t prekey;
    identity_make_join_request(self->carol, room->group, holder_transcript(room->holder), &request,
                               &prekey);
    served_request_t served;
    assert_int_equal(holder_check_request(room->holder, buffer_view(&request), &served), STATUS_OK);
    adopt(room, &(commit_plan_t){.adds = &served, .add_count = 1});
    bytes_t commit = buffer_view(&room->last_commit);
    assert_int_equal(group_state_from_welcome(&self->carol_keys, self->carol,
                                              buffer_view(&room->welcome), commit,
                                              buffer_view(&request), &prekey),
                     STATUS_OK);
    commit_outcome_t outcome;
    assert_int_equal(group_state_apply_commit(room->alice_keys, commit, &outcome), STATUS_OK);
    room->sequence = 2;
    buffer_free(&request);
}

static int set_up_den(void **state)
{
    den_t *self = mem_zalloc(1, sizeof *self);
    room_t *room = &self->room;
    *state = self;
    room->bob = (peer_t){.make = member_core_new, .now = {1700000000000u, 1000}};
    room->bob.identity = peer_identity("bob");
    room->bob.vault = vault_memory_new();
    found(room);
    let_carol_in(self);
    peer_start(&room->bob);
    peer_login(&room->bob);
    drain_polls(room);
    peer_request(&room->bob, LOCAL_VERB_subscribe, 49, &(local_subscribe_request_t){.unshown = 1});
    let_bob_in(room);
    commit_outcome_t outcome;
    assert_int_equal(
        group_state_apply_commit(self->carol_keys, buffer_view(&room->last_commit), &outcome),
        STATUS_OK);
    drain_polls(room);
    frames_wipe(&room->bob.screens);
    return 0;
}

static int tear_down_den(void **state)
{
    den_t *self = *state;
    identity_destroy(&self->carol);
    group_state_destroy(&self->carol_keys);
    return tear_down(state);
}

/* As carol's device would, signed by whoever holds it. */
static void carol_seals(den_t *self, const identity_t *signer, const char *text, uint64_t number,
                        buffer_t *out)
{
    buffer_t content = {0};
    assert_int_equal(text_content_write(5, text_of(text), &content), STATUS_OK);
    message_body_t body = {
        .type = MESSAGE_TYPE_TEXT, .number = number, .content = buffer_view(&content)};
    assert_int_equal(group_state_seal(self->carol_keys, signer, &body, out, NULL), STATUS_OK);
    buffer_wipe(&content);
}

static void carol_says(den_t *self, const char *text, uint64_t number)
{
    buffer_t sealed = {0};
    carol_seals(self, self->carol, text, number, &sealed);
    push_event(&self->room, ++self->room.sequence, EVENT_MESSAGE, "carol", buffer_view(&sealed));
    buffer_free(&sealed);
}

static void carol_leaves(den_t *self, const identity_t *signer, uint64_t epoch_added)
{
    buffer_t statement = {0};
    identity_make_leave(signer, self->room.group, carol_leaf.value, epoch_added, &statement);
    push_event(&self->room, ++self->room.sequence, EVENT_LEAVE, "carol", buffer_view(&statement));
    buffer_free(&statement);
}

/* What an honest broker answers when it is asked for carol's proof: the lists are views into it. */
typedef struct {
    roster_entry_record_t entry;
    hash_record_t hashes[2];
    roster_proof_reply_t reply;
} carols_proof_t;

static void make_proof(den_t *self, carols_proof_t *out)
{
    const roster_table_t *roster = holder_roster(self->room.holder);
    const roster_member_t *carol = roster_table_get(roster, carol_leaf);
    *out = (carols_proof_t){.entry = {.leaf = carol->leaf,
                                      .name = carol->name,
                                      .epoch_added = carol->epoch_added,
                                      .role = carol->role}};
    memcpy(out->entry.identity_key, carol->identity_key, KEY_BYTES);
    static const uint8_t nobody[HASH_BYTES];
    roster_leaf_hash(out->hashes[0].hash, roster_table_get(roster, leaf_index(0)));
    roster_leaf_hash(out->hashes[1].hash, roster_table_get(roster, bob_leaf));
    roster_node_hash(out->hashes[1].hash, out->hashes[1].hash, nobody);
    out->reply = (roster_proof_reply_t){.epoch = holder_epoch(self->room.holder),
                                        .entries = {&out->entry, 1},
                                        .proof = {out->hashes, 2}};
}

static void answer_proof(den_t *self, const carols_proof_t *proof)
{
    peer_answer(&self->room.bob, VERB_roster_proof, STATUS_OK, &proof->reply);
}

static void prove_carol(den_t *self)
{
    carols_proof_t proof;
    make_proof(self, &proof);
    answer_proof(self, &proof);
}

static void test_proofs_that_are_none(void **state)
{
    den_t *self = *state;
    static carols_proof_t proofs[6];
    for (size_t i = 0; i < 6; i++)
        make_proof(self, &proofs[i]);
    proofs[0].entry.name = (name_t){0};
    proofs[1].entry.role = 0x100 + proofs[1].entry.role; /* the same in its lowest byte */
    proofs[2].reply.proof.count = 1;                     /* as in a smaller group */
    proofs[3].reply.entries.count = 0;
    proofs[4].entry.leaf = bob_leaf.value;
    proofs[5].reply.epoch++;
    peer_answer(&self->room.bob, VERB_roster, STATUS_NOT_FOUND, NULL); /* it'd run out of time */
    carol_says(self, "who am I", 1);
    for (size_t i = 0; i < 6; i++) {
        answer_proof(self, &proofs[i]);
        assert_int_equal(peer_rows(&self->room.bob, ROW_WAITING), 1);
        drain_polls(&self->room);
        peer_time(&self->room.bob, 1000); /* asked once more */
    }
    frames_wipe(&self->room.bob.screens);
    prove_carol(self);
    expect_line(&self->room, "who am I", NULL);
    assert_int_equal(peer_rows(&self->room.bob, ROW_WAITING), 0);
}

static void test_a_leave_is_believed_once_its_leaf_is_proven(void **state)
{
    den_t *self = *state;
    room_t *room = &self->room;
    const roster_member_t *carol = roster_table_get(holder_roster(room->holder), carol_leaf);
    carol_leaves(self, self->carol, carol->epoch_added);
    prove_carol(self);
    expect_line(room, "!left", NULL);
    buffer_t sealed = {0};
    carol_seals(self, self->carol, "and another thing", 1,
                &sealed); /* whoever has left isn't heard */
    push_event(room, ++room->sequence, EVENT_MESSAGE, "carol", buffer_view(&sealed));
    expect_line(room, "!undecryptable", NULL);
    buffer_free(&sealed);
}

static void test_a_forged_leave_stays_a_placeholder(void **state)
{
    den_t *self = *state;
    const roster_member_t *carol = roster_table_get(holder_roster(self->room.holder), carol_leaf);
    carol_leaves(self, self->room.alice, carol->epoch_added); /* not her signature */
    carol_leaves(self, self->carol, carol->epoch_added - 1);  /* of an earlier membership */
    prove_carol(self);
    expect_line(&self->room, "!undecryptable|!undecryptable", NULL);
    carol_says(self, "I am here", 1);
    expect_line(&self->room, "I am here", NULL);
}

/* One who was there before the one who is now: the proof shows that she can't have said it. */
static void test_a_message_that_another_signed_stays_a_placeholder(void **state)
{
    den_t *self = *state;
    identity_t *mallory = peer_identity("mallory");
    buffer_t sealed = {0};
    carol_seals(self, mallory, "carol here", 1, &sealed);
    push_event(&self->room, ++self->room.sequence, EVENT_MESSAGE, "carol", buffer_view(&sealed));
    prove_carol(self);
    expect_line(&self->room, "!undecryptable", NULL);
    buffer_free(&sealed);
    identity_destroy(&mallory);
}

/* Bounded, the oldest going first; over a restart too. Whoever is dropped keeps the placeholder. */
static void test_only_so_many_wait(void **state)
{
    den_t *self = *state;
    room_t *room = &self->room;
    for (uint64_t number = 1; number <= 1025; number++)
        carol_says(self, number == 1 ? "the first" : "another", number);
    assert_int_equal(peer_rows(&room->bob, ROW_WAITING), 1024);
    peer_stop(&room->bob);
    peer_start(&room->bob);
    peer_login(&room->bob);
    drain_polls(room);
    prove_carol(self);
    assert_int_equal(peer_rows(&room->bob, ROW_WAITING), 0);
    local_message_t message;
    buffer_t frame;
    local_history_request_t body = {.name = *holder_group_name(room->holder), .last = 1000};
    peer_request(&room->bob, LOCAL_VERB_history, 71, &body);
    body.before = room->sequence - 900;
    peer_request(&room->bob, LOCAL_VERB_history, 72, &body);
    size_t shown = 0, hidden = 0;
    while (peer_shown(&room->bob, MESSAGE_REPLY, LOCAL_VERB_history, &message, &frame)) {
        for (size_t i = 0; i < message.body.history_reply.lines.count; i++) {
            const local_line_record_t *line = &message.body.history_reply.lines.items[i];
            bool is_overlap = message.id == 71 && line->sequence < room->sequence - 900;
            shown += !is_overlap && line->kind == LINE_MESSAGE;
            bool is_placeholder =
                line->notice.size == strlen(NOTICE_UNDECRYPTABLE) &&
                !memcmp(line->notice.data, NOTICE_UNDECRYPTABLE, line->notice.size);
            hidden += !is_overlap && is_placeholder;
        }
        local_message_wipe(&message);
        buffer_free(&frame);
    }
    assert_int_equal(shown, 1024);
    assert_int_equal(hidden, 1);
}

#define DEN_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_den, tear_down_den)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEN_TEST(test_proofs_that_are_none),
        DEN_TEST(test_a_leave_is_believed_once_its_leaf_is_proven),
        DEN_TEST(test_a_forged_leave_stays_a_placeholder),
        DEN_TEST(test_a_message_that_another_signed_stays_a_placeholder),
        DEN_TEST(test_only_so_many_wait),
    };
    if (sodium_init() < 0)
        return 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
