/* SPDX-License-Identifier: MPL-2.0 */
/* A member's state against forged, truncated, spliced and replayed bytes: each has its status, and
 * none changes anything. */
#include "tests/unit/client/keys_trio.h"

#include "client/keys/key_schedule.h"
#include "proto/roster.h"
#include "proto/statement.h"

static prepared_commit_t *removal_of_bob(group_t *self)
{
    leaf_index_t leaf = {1};
    commit_plan_t plan = {.removals = &leaf, .removal_count = 1};
    prepared_commit_t *prepared;
    assert_status(commit_build(self->holder, self->people[0]->identity, &plan, &prepared), OK);
    return prepared;
}

static status_t try_commit(group_state_t *state, bytes_t bytes)
{
    buffer_t before = {0}, after = {0};
    commit_outcome_t outcome;
    state_flatten(state, &before);
    status_t status = group_state_apply_commit(state, bytes, &outcome);
    state_flatten(state, &after);
    if (status)
        assert_same(&before, &after);
    buffer_free(&before);
    buffer_free(&after);
    return status;
}

static status_t try_message(group_state_t *state, bytes_t bytes, const identity_t *sender)
{
    buffer_t before = {0}, after = {0};
    opened_message_t opened;
    state_flatten(state, &before);
    status_t status = group_state_open(state, bytes, sender ? identity_key(sender) : NULL, &opened);
    state_flatten(state, &after);
    if (status && status != STATUS_UNPROVEN) {
        assert_same(&before, &after);
        assert_null(opened.content.data);
    }
    opened_message_wipe(&opened);
    buffer_free(&before);
    buffer_free(&after);
    return status;
}

static void test_forged_commits(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    prepared_commit_t *prepared = removal_of_bob(&self);
    buffer_t *bytes = &prepared->commit;
    for (size_t at = 0; at < bytes->size; at++) {
        bytes->data[at] ^= 0x04;
        assert_int_not_equal(try_commit(reader(&self), buffer_view(bytes)), STATUS_OK);
        bytes->data[at] ^= 0x04;
    }
    for (size_t size = 0; size < bytes->size; size++)
        assert_status(try_commit(reader(&self), (bytes_t){bytes->data, size}), BAD_COMMIT);
    bytes->data[bytes->size - 1] ^= 1;
    assert_status(try_commit(reader(&self), buffer_view(bytes)), BAD_SIGNATURE);
    bytes->data[bytes->size - 1] ^= 1;
    uint8_t *mac = bytes->data + bytes->size - SIGNATURE_BYTES - 1;
    *mac ^= 1;
    assert_status(try_commit(reader(&self), buffer_view(bytes)), BAD_MAC);
    *mac ^= 1;
    assert_status(try_commit(reader(&self), buffer_view(bytes)), OK);
    prepared_commit_destroy(&prepared);
    group_stop(&self);
}

/* An insider with the membership key and the admin's own signature gets past the outer checks. */
static void resign(group_t *self, commit_t *commit, buffer_t *out)
{
    buffer_clear(out);
    commit_write_body(commit, out);
    uint8_t transcript[HASH_BYTES];
    transcript_extend(transcript, commit->transcript, buffer_view(out));
    membership_code(commit->mac, holder_membership(self->holder), transcript, commit->tag);
    identity_sign_commit(self->people[0]->identity, commit->group, transcript, commit->tag,
                         commit->signature);
    commit_write_trailer(commit, out);
}

static void test_wrong_inner_parts(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    prepared_commit_t *prepared = removal_of_bob(&self);
    commit_t commit;
    assert_status(commit_parse(&commit, buffer_view(&prepared->commit)), OK);
    buffer_t bytes = {0};

    resign(&self, &commit, &bytes); /* honest, but the tag */
    assert_status(try_commit(reader(&self), buffer_view(&bytes)), OK);
    person_destroy(self.people[2]);
    self.people[2] = NULL;

    prepared_commit_destroy(&prepared);
    commit_wipe(&commit);
    buffer_free(&bytes);
    self.people[2] = person_new(2);
    group_stop(&self);

    group_start(&self);
    prepared = removal_of_bob(&self);
    assert_status(commit_parse(&commit, buffer_view(&prepared->commit)), OK);
    commit.tag[0] ^= 1;
    resign(&self, &commit, &bytes);
    assert_status(try_commit(reader(&self), buffer_view(&bytes)), BAD_CONFIRMATION);
    commit.tag[0] ^= 1;
    size_t wraps = commit.wrap_count;
    assert_true(wraps > 0);
    for (size_t i = 0; i < wraps; i++)
        commit.wraps[i].sealed[5] ^= 1;
    resign(&self, &commit, &bytes);
    assert_status(try_commit(reader(&self), buffer_view(&bytes)), BAD_SEAL);
    commit.wrap_count = 0;
    resign(&self, &commit, &bytes);
    assert_status(try_commit(reader(&self), buffer_view(&bytes)), BAD_COMMIT);
    commit.wrap_count = wraps;
    commit.committer = 2;
    resign(&self, &commit, &bytes);
    assert_status(try_commit(reader(&self), buffer_view(&bytes)), NOT_ADMIN);
    prepared_commit_destroy(&prepared);
    commit_wipe(&commit);
    buffer_free(&bytes);
    group_stop(&self);
}

/* Signed by the admin, and still not to be followed. */
static void test_contradictory_commits(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    prepared_commit_t *prepared = empty_commit(&self);
    commit_t commit;
    assert_status(commit_parse(&commit, buffer_view(&prepared->commit)), OK);
    buffer_t bytes = {0};

    commit.depth--; /* trees never shrink */
    resign(&self, &commit, &bytes);
    assert_status(try_commit(reader(&self), buffer_view(&bytes)), BAD_COMMIT);
    commit.depth++;

    commit_role_t resigns = {0, ROLE_MEMBER}; /* and nobody else is an admin */
    commit.roles = &resigns;
    commit.role_count = 1;
    resign(&self, &commit, &bytes);
    assert_status(try_commit(reader(&self), buffer_view(&bytes)), BAD_COMMIT);
    commit.roles = NULL;
    commit.role_count = 0;

    commit_wrap_t wrap = {.child = 4}; /* carol's leaf: above it nothing changes */
    commit.wraps = &wrap;
    commit.wrap_count = 1;
    resign(&self, &commit, &bytes);
    assert_status(try_commit(reader(&self), buffer_view(&bytes)), BAD_COMMIT);
    commit.wraps = NULL;
    commit.wrap_count = 0;

    commit_add_t add = {.leaf = 2, .name = *identity_name(self.people[1]->identity)};
    commit.adds = &add; /* to carol's own leaf, while she is in */
    commit.add_count = 1;
    resign(&self, &commit, &bytes);
    assert_status(try_commit(reader(&self), buffer_view(&bytes)), BAD_COMMIT);
    commit.adds = NULL;
    commit.add_count = 0;

    resign(&self, &commit, &bytes);
    assert_status(try_commit(reader(&self), buffer_view(&bytes)), OK);
    prepared_commit_destroy(&prepared);
    commit_wipe(&commit);
    buffer_free(&bytes);
    group_stop(&self);
}

static void test_spliced_and_replayed_commits(void **unused)
{
    (void)unused;
    group_t one, other;
    group_start(&one);
    group_start(&other);
    prepared_commit_t *foreign = empty_commit(&other);
    assert_status(try_commit(reader(&one), buffer_view(&foreign->commit)), BAD_TRANSCRIPT);
    assert_status(try_commit(reader(&one), buffer_view(&one.last->commit)), STALE_EPOCH);

    prepared_commit_t *first = empty_commit(&one), *rival = empty_commit(&one);
    buffer_t copy = {0};
    buffer_append(&copy, first->commit.data, first->commit.size);
    person_follows(one.people[0], first);
    assert_status(holder_adopt(one.holder, &first), OK);
    prepared_commit_t *second = empty_commit(&one);
    assert_status(try_commit(reader(&one), buffer_view(&second->commit)), EPOCH_AHEAD);
    assert_status(try_commit(reader(&one), buffer_view(&copy)), OK);
    assert_status(try_commit(reader(&one), buffer_view(&copy)), STALE_EPOCH);
    assert_status(try_commit(one.people[1]->state, buffer_view(&rival->commit)), OK);
    assert_status(try_commit(one.people[1]->state, buffer_view(&second->commit)), BAD_TRANSCRIPT);
    /* nor does the holder adopt what was made on another state */
    assert_status(holder_adopt(one.holder, &rival), OUT_OF_STEP);
    assert_status(holder_adopt(one.holder, &foreign), OUT_OF_STEP);
    prepared_commit_destroy(&foreign);
    prepared_commit_destroy(&rival);
    prepared_commit_destroy(&second);
    buffer_free(&copy);
    group_stop(&one);
    group_stop(&other);
}

static void test_forged_messages(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    person_t *bob = self.people[1];
    buffer_t sealed = {0};
    seal(bob, &sealed);
    for (size_t at = 0; at < sealed.size; at++) {
        sealed.data[at] ^= 0x10;
        status_t status = try_message(reader(&self), buffer_view(&sealed), bob->identity);
        assert_int_not_equal(status, STATUS_OK);
        assert_int_not_equal(status, STATUS_UNPROVEN);
        sealed.data[at] ^= 0x10;
    }
    for (size_t size = 0; size < sealed.size; size++)
        assert_int_not_equal(
            try_message(reader(&self), (bytes_t){sealed.data, size}, bob->identity), STATUS_OK);
    sealed.data[sealed.size - 1] ^= 1;
    assert_status(try_message(reader(&self), buffer_view(&sealed), bob->identity), BAD_SEAL);
    sealed.data[sealed.size - 1] ^= 1;
    assert_status(try_message(reader(&self), buffer_view(&sealed), self.people[0]->identity),
                  BAD_SIGNATURE);
    assert_status(try_message(reader(&self), buffer_view(&sealed), bob->identity), OK);
    assert_status(try_message(reader(&self), buffer_view(&sealed), bob->identity), KEY_ERASED);
    buffer_free(&sealed);
    group_stop(&self);
}

/* bob has all keys of the epoch, so he can seal as alice; but not sign. */
static void test_member_poses_as_another(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    person_t *bob = self.people[1];
    bob->state->path.leaf = leaf_index(0);
    buffer_t sealed = {0};
    seal(bob, &sealed);
    bob->state->path.leaf = leaf_index(1);
    assert_status(try_message(reader(&self), buffer_view(&sealed), self.people[0]->identity),
                  BAD_SIGNATURE);
    assert_status(
        try_message(self.people[0]->state, buffer_view(&sealed), self.people[0]->identity),
        BAD_SIGNATURE);
    buffer_free(&sealed);
    group_stop(&self);
}

static void test_spliced_messages(void **unused)
{
    (void)unused;
    group_t one, other;
    group_start(&one);
    group_start(&other);
    buffer_t foreign = {0}, old = {0};
    seal(other.people[1], &foreign);
    assert_status(try_message(reader(&one), buffer_view(&foreign), one.people[1]->identity),
                  BAD_SEAL);
    seal(one.people[1], &old);
    prepared_commit_t *next = empty_commit(&one);
    person_follows(one.people[2], next);
    assert_status(try_message(reader(&one), buffer_view(&old), one.people[1]->identity),
                  STALE_EPOCH);
    person_follows(one.people[1], next);
    buffer_t fresh = {0};
    seal(one.people[1], &fresh);
    assert_status(try_message(one.people[0]->state, buffer_view(&fresh), one.people[1]->identity),
                  EPOCH_AHEAD);
    fresh.data[2] = 3; /* a leaf nobody holds: another key */
    assert_status(try_message(reader(&one), buffer_view(&fresh), NULL), BAD_SEAL);
    fresh.data[2] = 100;
    assert_status(try_message(reader(&one), buffer_view(&fresh), NULL), UNKNOWN_LEAF);
    prepared_commit_destroy(&next);
    buffer_free(&foreign);
    buffer_free(&old);
    buffer_free(&fresh);
    group_stop(&one);
    group_stop(&other);
}

static void test_unproven_message_is_kept(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    buffer_t sealed = {0}, kept = {0};
    seal(self.people[1], &sealed);
    opened_message_t opened, read;
    assert_status(group_state_open(reader(&self), buffer_view(&sealed), NULL, &opened), UNPROVEN);
    opened_message_write(&opened, &kept);
    for (size_t size = 0; size < kept.size; size++)
        assert_int_not_equal(opened_message_read(&read, (bytes_t){kept.data, size}), STATUS_OK);
    assert_status(opened_message_read(&read, buffer_view(&kept)), OK);
    assert_status(opened_message_verify(&read, identity_key(self.people[0]->identity)),
                  BAD_SIGNATURE);
    assert_status(opened_message_verify(&read, identity_key(self.people[1]->identity)), OK);
    assert_int_equal(read.number, 1);
    kept.data[0] = 9;
    opened_message_wipe(&read);
    assert_status(opened_message_read(&read, buffer_view(&kept)), NEWER_FORMAT);
    opened_message_wipe(&opened);
    buffer_free(&sealed);
    buffer_free(&kept);
    group_stop(&self);
}

static void test_promotion_and_proof(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    commit_role_t roles[] = {{2, ROLE_ADMIN}, {1, ROLE_ADMIN}};
    commit_plan_t plan = {.roles = roles, .role_count = 2};
    prepared_commit_t *prepared;
    assert_status(commit_build(self.holder, self.people[0]->identity, &plan, &prepared), OK);
    for (unsigned i = 0; i < 3; i++)
        person_follows(self.people[i], prepared);
    assert_status(holder_adopt(self.holder, &prepared), OK);
    group_state_t *carol = reader(&self);
    assert_int_equal(group_state_admin_count(carol), 3);
    assert_false(group_state_find_admin(carol, leaf_index(1))->is_known);

    roster_member_t bob = *roster_table_get(holder_roster(self.holder), leaf_index(1));
    uint8_t proof[2 * HASH_BYTES];
    memcpy(proof, roster_table_hash(holder_roster(self.holder), node_index(0)), HASH_BYTES);
    memcpy(proof + HASH_BYTES, roster_table_hash(holder_roster(self.holder), node_index(5)),
           HASH_BYTES);
    bob.epoch_added++;
    assert_status(group_state_prove(carol, &bob, (bytes_t){proof, sizeof proof}), BAD_PROOF);
    assert_false(group_state_find_admin(carol, leaf_index(1))->is_known);
    bob.epoch_added--;
    assert_status(group_state_prove(carol, &bob, (bytes_t){proof, HASH_BYTES}), BAD_PROOF);
    assert_status(group_state_prove(carol, &bob, (bytes_t){proof, sizeof proof}), OK);
    const group_admin_t *admin = group_state_find_admin(carol, leaf_index(1));
    assert_true(admin->is_known);
    assert_string_equal(admin->name.text, "u1");
    state_round_trip(&self.people[2]->state, &self.people[2]->rows);
    assert_true(group_state_find_admin(reader(&self), leaf_index(1))->is_known);
    group_stop(&self);
}

static void test_transcripts_kept(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    uint64_t first = group_state_epoch(reader(&self));
    for (unsigned i = 0; i < TRANSCRIPTS_KEPT + 3; i++) {
        prepared_commit_t *prepared = empty_commit(&self);
        for (unsigned who = 0; who < 3; who++)
            person_follows(self.people[who], prepared);
        assert_status(holder_adopt(self.holder, &prepared), OK);
        if (i % 20 == 0) {
            state_round_trip(&self.people[2]->state, &self.people[2]->rows);
            holder_round_trip(&self.holder, &self.people[0]->rows);
        }
    }
    state_round_trip(&self.people[2]->state, &self.people[2]->rows);
    uint64_t last = group_state_epoch(reader(&self));
    assert_int_equal(last, first + TRANSCRIPTS_KEPT + 3);
    assert_null(group_state_transcript_of(reader(&self), last - TRANSCRIPTS_KEPT));
    assert_null(group_state_transcript_of(reader(&self), last + 1));
    for (uint64_t epoch = last - TRANSCRIPTS_KEPT + 1; epoch <= last; epoch++)
        assert_memory_equal(group_state_transcript_of(reader(&self), epoch),
                            holder_transcript_of(self.holder, epoch), HASH_BYTES);
    group_stop(&self);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forged_commits),
        cmocka_unit_test(test_wrong_inner_parts),
        cmocka_unit_test(test_contradictory_commits),
        cmocka_unit_test(test_spliced_and_replayed_commits),
        cmocka_unit_test(test_forged_messages),
        cmocka_unit_test(test_member_poses_as_another),
        cmocka_unit_test(test_spliced_messages),
        cmocka_unit_test(test_unproven_message_is_kept),
        cmocka_unit_test(test_promotion_and_proof),
        cmocka_unit_test(test_transcripts_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
