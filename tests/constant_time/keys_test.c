/* SPDX-License-Identifier: MPL-2.0 */
/* A group's whole life with marked keys: founded, joined, rekeyed, messages, rows, forgeries. */
#include "tests/unit/client/keys_trio.h"

#include "tests/constant_time/taint.h"

static void the_secrets_are_marked(void **unused)
{
    (void)unused;
    assert_true(taint_is_watched());
    group_t self;
    group_start(&self);
    const identity_t *alice = self.people[0]->identity;
    assert_true(taint_is_secret(identity_seed(alice), KEY_BYTES));
    assert_true(taint_is_secret(identity_vault_key(alice), sizeof(secret_t)));
    assert_true(taint_is_secret(&self.people[1]->prekey, sizeof(secret_t)));
    assert_true(taint_is_secret(holder_membership(self.holder), sizeof(secret_t)));
    assert_true(taint_is_secret(key_tree_get(holder_tree(self.holder), tree_root(2)), KEY_BYTES));
    group_state_t *bob = self.people[1]->state;
    assert_true(taint_is_secret(&bob->membership, sizeof(secret_t)));
    assert_true(taint_is_secret(&bob->path.keys[0], sizeof(secret_t)));
    ratchet_step_t step;
    assert_status(secret_tree_peek(&bob->secrets, leaf_index(0), 3, &step), OK);
    assert_true(taint_is_secret(&step.message, sizeof step.message));
    assert_true(taint_is_secret(&step.chain.key, sizeof step.chain.key));
    ratchet_step_wipe(&step);
    group_stop(&self);
}

static void adopt(group_t *self, const commit_plan_t *plan, prepared_commit_t **prepared)
{
    assert_status(commit_build(self->holder, self->people[0]->identity, plan, prepared), OK);
    buffer_t bytes = {0};
    prepared_commit_write(*prepared, &bytes);
    assert_true(taint_is_secret(bytes.data, bytes.size));
    prepared_commit_t *stored;
    assert_status(prepared_commit_read(&stored, buffer_view(&bytes)), OK);
    assert_status(holder_adopt(self->holder, &stored), OK);
    buffer_wipe(&bytes);
}

/* Bob goes, carol gets a fresh leaf, dave comes, and the tree grows for more. */
static void members_come_and_go(void **unused)
{
    (void)unused;
    group_t self;
    prepared_commit_t *prepared;
    group_start(&self);
    leaf_index_t bob = group_state_leaf(self.people[1]->state);
    adopt(&self, &(commit_plan_t){.removals = &bob, .removal_count = 1}, &prepared);
    person_follows(self.people[0], prepared);
    person_follows(self.people[2], prepared);
    commit_outcome_t outcome;
    assert_status(
        group_state_apply_commit(self.people[1]->state, buffer_view(&prepared->commit), &outcome),
        OK);
    assert_int_equal(outcome, COMMIT_REMOVED_ME);
    prepared_commit_destroy(&prepared);

    served_request_t carol = person_asks(self.people[2], self.holder);
    adopt(&self, &(commit_plan_t){.refreshes = &carol, .refresh_count = 1}, &prepared);
    person_follows(self.people[0], prepared);
    person_enters(self.people[2], prepared);
    prepared_commit_destroy(&prepared);

    person_t *newcomers[6], *inside[] = {self.people[0], self.people[2]};
    for (unsigned i = 0; i < 6; i++)
        newcomers[i] = person_new(10 + i);
    group_add(self.holder, inside, 2, newcomers, 6, NULL);
    for (unsigned i = 0; i < 6; i++)
        person_destroy(newcomers[i]);
    group_stop(&self);
}

/* The text is as secret as the keys: sealing, opening and verifying don't look at it. */
static void message_goes(group_state_t *from, const person_t *sender, group_state_t *to,
                         uint64_t number, bool is_proven)
{
    uint8_t text[100];
    memset(text, 'x', sizeof text);
    taint_secret(text, sizeof text);
    buffer_t sealed = {0}, kept = {0};
    message_body_t body = {
        .type = MESSAGE_TYPE_TEXT, .number = number, .content = {text, sizeof text}};
    assert_status(group_state_seal(from, sender->identity, &body, &sealed, NULL), OK);
    opened_message_t opened, again;
    const uint8_t *key = identity_key(sender->identity);
    assert_int_equal(group_state_open(to, buffer_view(&sealed), is_proven ? key : NULL, &opened),
                     is_proven ? STATUS_OK : STATUS_UNPROVEN);
    assert_true(taint_is_secret(opened.content.data, opened.content.size));
    opened_message_write(&opened, &kept);
    assert_status(opened_message_read(&again, buffer_view(&kept)), OK);
    assert_status(opened_message_verify(&again, key), OK);
    assert_int_equal(again.content.size, sizeof text);
    taint_public(again.content.data, again.content.size);
    assert_int_equal(again.content.data[99], 'x');
    opened_message_wipe(&opened);
    opened_message_wipe(&again);
    buffer_free(&sealed);
    buffer_wipe(&kept);
}

static void messages_go(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    for (unsigned from = 0; from < 3; from++)
        for (unsigned i = 1; i <= 3; i++) {
            unsigned to = (from + i % 2 + 1) % 3;
            message_goes(self.people[from]->state, self.people[from], self.people[to]->state, i,
                         i != 2);
        }
    group_stop(&self);
}

/* Each byte range of a message and of a commit that a secret is compared with. */
static void forgeries_are_refused(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    group_state_t *bob = self.people[1]->state;
    buffer_t sealed = {0};
    opened_message_t opened;
    message_body_t body = {
        .type = MESSAGE_TYPE_TEXT, .number = 1, .content = {(const uint8_t *)"hello", 5}};
    assert_status(
        group_state_seal(self.people[0]->state, self.people[0]->identity, &body, &sealed, NULL),
        OK);
    sealed.data[sealed.size - 1] ^= 1;
    assert_status(group_state_open(bob, buffer_view(&sealed), NULL, &opened), BAD_SEAL);
    sealed.data[sealed.size - 1] ^= 1;
    assert_status(group_state_open(bob, buffer_view(&sealed),
                                   identity_key(self.people[1]->identity), &opened),
                  BAD_SIGNATURE);
    assert_status(group_state_open(bob, buffer_view(&sealed), NULL, &opened), UNPROVEN);
    opened_message_wipe(&opened);
    assert_status(group_state_open(bob, buffer_view(&sealed), NULL, &opened), KEY_ERASED);
    buffer_free(&sealed);

    prepared_commit_t *prepared = empty_commit(&self);
    uint8_t *trailer = prepared->commit.data + prepared->commit.size - COMMIT_TRAILER_BYTES;
    commit_outcome_t outcome;
    const struct {
        size_t at;
        status_t refusal;
    } forged[] = {{0, STATUS_BAD_MAC},
                  {HASH_BYTES, STATUS_BAD_MAC},
                  {2 * HASH_BYTES - 1, STATUS_BAD_MAC},
                  {2 * HASH_BYTES, STATUS_BAD_SIGNATURE}};
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        trailer[forged[i].at] ^= 1;
        assert_int_equal(group_state_apply_commit(bob, buffer_view(&prepared->commit), &outcome),
                         forged[i].refusal);
        trailer[forged[i].at] ^= 1;
    }
    prepared_commit_destroy(&prepared);
    group_stop(&self);
}

static void rows_are_stored_and_read(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    stored_t rows = {0};
    group_state_save(self.people[1]->state, stored_row, &rows);
    group_state_t *bob = group_state_load_new();
    assert_status(stored_load(&rows, bob, load_group), OK);
    assert_status(group_state_load_end(bob), OK);
    message_goes(self.people[0]->state, self.people[0], bob, 1, true);
    group_state_save(bob, stored_row, &rows);
    group_state_destroy(&bob);
    stored_free(&rows);

    holder_save(self.holder, stored_row, &rows);
    holder_t *holder = holder_load_new();
    assert_status(stored_load(&rows, holder, load_holder), OK);
    assert_status(holder_load_end(holder), OK);
    stored_free(&rows);
    holder_destroy(&self.holder);
    self.holder = holder;
    prepared_commit_t *prepared = empty_commit(&self);
    person_follows(self.people[2], prepared);
    prepared_commit_destroy(&prepared);
    group_stop(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_secrets_are_marked),
        cmocka_unit_test(members_come_and_go),
        cmocka_unit_test(messages_go),
        cmocka_unit_test(forgeries_are_refused),
        cmocka_unit_test(rows_are_stored_and_read),
    };
    return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
