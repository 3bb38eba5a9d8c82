/* SPDX-License-Identifier: MPL-2.0 */
/* What an admin refuses to serve or to commit, and what survives damage of its stored bytes. */
#include "tests/unit/client/keys_world.h"

typedef struct {
    person_t *people[4]; /* alice the admin, bob and carol inside, dave outside */
    holder_t *holder;
} group_t;

static void group_start(group_t *self)
{
    for (unsigned i = 0; i < 4; i++)
        self->people[i] = person_new(i);
    self->holder = group_of(self->people[0]);
    group_add(self->holder, self->people, 1, self->people + 1, 2, NULL);
}

static void group_stop(group_t *self)
{
    for (unsigned i = 0; i < 4; i++)
        person_destroy(self->people[i]);
    holder_destroy(&self->holder);
}

static status_t try_plan(const group_t *self, const commit_plan_t *plan)
{
    prepared_commit_t *prepared;
    buffer_t before = {0}, after = {0};
    holder_flatten(self->holder, &before);
    status_t status = commit_build(self->holder, self->people[0]->identity, plan, &prepared);
    holder_flatten(self->holder, &after);
    assert_same(&before, &after);
    assert_true((status == STATUS_OK) == (prepared != NULL));
    prepared_commit_destroy(&prepared);
    buffer_free(&before);
    buffer_free(&after);
    return status;
}

static void test_requests(void **state)
{
    (void)state;
    group_t self;
    group_start(&self);
    person_t *dave = self.people[3];
    served_request_t served;
    uint8_t other_group[GROUP_ID_BYTES] = {1}, other_transcript[HASH_BYTES] = {2};
    buffer_t request = {0};
    secret_t prekey;
    identity_make_join_request(dave->identity, other_group, holder_transcript(self.holder),
                               &request, &prekey);
    assert_status(holder_check_request(self.holder, buffer_view(&request), &served), UNKNOWN_GROUP);
    buffer_clear(&request);
    identity_make_join_request(dave->identity, holder_group(self.holder), other_transcript,
                               &request, &prekey);
    assert_status(holder_check_request(self.holder, buffer_view(&request), &served),
                  BAD_TRANSCRIPT);
    /* somebody else under a name that is in */
    person_t *impostor = person_new(1);
    buffer_clear(&request);
    identity_make_join_request(impostor->identity, holder_group(self.holder),
                               holder_transcript(self.holder), &request, &prekey);
    assert_status(holder_check_request(self.holder, buffer_view(&request), &served), KEY_CHANGED);
    person_destroy(impostor);
    /* each is served once: bob's first request, after he has left */
    assert_status(holder_check_request(self.holder, buffer_view(&self.people[1]->request), &served),
                  ALREADY_LEFT);
    served = person_asks(self.people[1], self.holder);
    assert_true(served.is_held);
    assert_int_equal(served.leaf, 1);
    served = person_asks(dave, self.holder);
    assert_false(served.is_held);
    for (size_t size = 0; size < dave->request.size; size++)
        assert_int_not_equal(
            holder_check_request(self.holder, (bytes_t){dave->request.data, size}, &served),
            STATUS_OK);
    buffer_free(&request);
    group_stop(&self);
}

static void test_refused_plans(void **state)
{
    (void)state;
    group_t self;
    group_start(&self);
    served_request_t dave = person_asks(self.people[3], self.holder);
    served_request_t bob = person_asks(self.people[1], self.holder);
    served_request_t twice[2] = {dave, dave}, refreshes[2] = {bob, bob};
    leaf_index_t alice_leaf = {0}, bob_leaf = {1}, free_leaf = {3}, outside = {99};
    leaf_index_t bob_twice[2] = {bob_leaf, bob_leaf};
    commit_role_t demotion = {0, ROLE_MEMBER}, ghost = {3, ROLE_ADMIN}, unknown = {1, 7};
    commit_role_t bob_admin = {1, ROLE_ADMIN};
    const struct {
        status_t expected;
        commit_plan_t plan;
    } cases[] = {
        {STATUS_OK, {0}},
        {STATUS_OK, {.adds = &dave, .add_count = 1}},
        {STATUS_ALREADY_MEMBER, {.adds = twice, .add_count = 2}},
        {STATUS_ALREADY_MEMBER, {.adds = &bob, .add_count = 1}},
        {STATUS_OK, {.adds = &bob, .add_count = 1, .removals = &bob_leaf, .removal_count = 1}},
        {STATUS_OK, {.refreshes = &bob, .refresh_count = 1}},
        {STATUS_BAD_COMMIT, {.refreshes = refreshes, .refresh_count = 2}},
        {STATUS_UNKNOWN_LEAF, {.refreshes = &dave, .refresh_count = 1}},
        {STATUS_BAD_COMMIT,
         {.refreshes = &bob, .refresh_count = 1, .removals = &bob_leaf, .removal_count = 1}},
        {STATUS_BAD_COMMIT, {.removals = bob_twice, .removal_count = 2}},
        {STATUS_LAST_ADMIN, {.removals = &alice_leaf, .removal_count = 1}},
        {STATUS_UNKNOWN_LEAF, {.removals = &free_leaf, .removal_count = 1}},
        {STATUS_UNKNOWN_LEAF, {.removals = &outside, .removal_count = 1}},
        {STATUS_LAST_ADMIN, {.roles = &demotion, .role_count = 1}},
        {STATUS_UNKNOWN_LEAF, {.roles = &ghost, .role_count = 1}},
        {STATUS_BAD_COMMIT, {.roles = &unknown, .role_count = 1}},
        {STATUS_UNKNOWN_LEAF,
         {.roles = &bob_admin, .role_count = 1, .removals = &bob_leaf, .removal_count = 1}},
        {STATUS_TOO_MANY, {.adds = twice, .add_count = COMMIT_ADDS_MAX + 1}},
        {STATUS_TOO_MANY, {.removals = bob_twice, .removal_count = COMMIT_REMOVALS_MAX + 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(status_name(try_plan(&self, &cases[i].plan)),
                            status_name(cases[i].expected));
    /* nobody can be sealed to this */
    memset(dave.request.prekey, 0, KEY_BYTES);
    commit_plan_t bad_key = {.adds = &dave, .add_count = 1};
    assert_status(try_plan(&self, &bad_key), BAD_KEY);
    prepared_commit_t *prepared;
    commit_plan_t empty = {0};
    assert_status(commit_build(self.holder, self.people[1]->identity, &empty, &prepared),
                  NOT_ADMIN);
    group_stop(&self);
}

static void test_freed_leaves_wait(void **state)
{
    (void)state;
    group_t self;
    group_start(&self);
    served_request_t bob = person_asks(self.people[1], self.holder);
    leaf_index_t leaf = {1};
    commit_plan_t plan = {.adds = &bob, .add_count = 1, .removals = &leaf, .removal_count = 1};
    prepared_commit_t *prepared;
    assert_status(commit_build(self.holder, self.people[0]->identity, &plan, &prepared), OK);
    person_enters(self.people[1], prepared);
    assert_int_equal(group_state_leaf(self.people[1]->state).value, 3);
    assert_status(holder_adopt(self.holder, &prepared), OK);
    const roster_table_t *roster = holder_roster(self.holder);
    assert_int_equal(roster_table_find(roster, identity_name(self.people[1]->identity))->leaf, 3);
    assert_null(roster_table_get(roster, leaf));
    assert_int_equal(roster_table_next_free(roster, leaf_index(0)).value, 1);
    group_stop(&self);
}

static void test_damaged_prepared(void **state)
{
    (void)state;
    group_t self;
    group_start(&self);
    served_request_t dave = person_asks(self.people[3], self.holder);
    leaf_index_t leaf = {1};
    commit_plan_t plan = {.adds = &dave, .add_count = 1, .removals = &leaf, .removal_count = 1};
    prepared_commit_t *prepared;
    assert_status(commit_build(self.holder, self.people[0]->identity, &plan, &prepared), OK);
    buffer_t bytes = {0}, again = {0};
    prepared_commit_write(prepared, &bytes);
    prepared_commit_destroy(&prepared);
    for (size_t size = 0; size < bytes.size; size++) {
        assert_status(prepared_commit_read(&prepared, (bytes_t){bytes.data, size}), DAMAGED_FILE);
        assert_null(prepared);
    }
    assert_status(prepared_commit_read(&prepared, buffer_view(&bytes)), OK);
    prepared_commit_write(prepared, &again);
    assert_same(&bytes, &again);
    assert_status(holder_adopt(self.holder, &prepared), OK);
    bytes.data[0] = 2;
    assert_status(prepared_commit_read(&prepared, buffer_view(&bytes)), NEWER_FORMAT);
    buffer_free(&bytes);
    buffer_free(&again);
    group_stop(&self);
}

static void test_damaged_holder(void **state)
{
    (void)state;
    group_t self;
    group_start(&self);
    stored_t rows = {0};
    holder_save_all(self.holder, stored_row, &rows);
    for (size_t row = 0; row < rows.count; row++) {
        buffer_t *value = &rows.items[row].value;
        for (size_t size = 0; size < value->size; size++) {
            if (rows.items[row].key.data[0] == 'e' && size && size % HASH_BYTES == 0)
                continue; /* fewer served requests */
            size_t whole = value->size;
            value->size = size;
            holder_t *holder = holder_load_new();
            status_t status = stored_load(&rows, holder, load_holder);
            if (!status)
                status = holder_load_end(holder);
            assert_int_equal(status, STATUS_DAMAGED_FILE);
            holder_destroy(&holder);
            value->size = whole;
        }
        if (rows.items[row].key.data[0] != 'r')
            continue;
        value->data[value->size - 3] ^= 1; /* its epoch: the roster's root tells */
        holder_t *holder = holder_load_new();
        assert_status(stored_load(&rows, holder, load_holder), OK);
        assert_status(holder_load_end(holder), DAMAGED_FILE);
        holder_destroy(&holder);
        value->data[value->size - 3] ^= 1;
    }
    stored_free(&rows);
    group_stop(&self);
}

static void *new_holder(void)
{
    return holder_load_new();
}

static void destroy_holder(void *context)
{
    holder_t *holder = context;
    holder_destroy(&holder);
}

static void test_false_rows(void **state)
{
    (void)state;
    group_t self;
    group_start(&self);
    stored_t rows = {0};
    holder_save_all(self.holder, stored_row, &rows);
    assert_false_keys(&rows, new_holder, load_holder, destroy_holder);
    holder_t *holder = holder_load_new();
    assert_status(holder_load_end(holder), DAMAGED_FILE); /* nothing was there */
    holder_destroy(&holder);
    stored_free(&rows);
    group_stop(&self);
}

/* Counts and indices that the bytes can't hold, where a prepared commit has them. */
static void test_prepared_commits_that_claim_too_much(void **state)
{
    (void)state;
    group_t self;
    group_start(&self);
    served_request_t dave = person_asks(self.people[3], self.holder);
    commit_plan_t plan = {.adds = &dave, .add_count = 1};
    prepared_commit_t *prepared, *read;
    assert_status(commit_build(self.holder, self.people[0]->identity, &plan, &prepared), OK);
    buffer_t bytes = {0}, hashes = {0};
    prepared_commit_write(prepared, &bytes);
    roster_journal_write(&prepared->roster, &hashes); /* the last part */
    size_t welcomes = 1 + 4 + prepared->commit.size + HASH_BYTES + KEY_BYTES;
    size_t node = bytes.size - hashes.size + 1 + 4;
    const size_t places[] = {1, welcomes, node - 5, node - 4, node};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        bytes.data[places[i]] ^= 0xff; /* the most significant byte */
        assert_status(prepared_commit_read(&read, buffer_view(&bytes)), DAMAGED_FILE);
        assert_null(read);
        bytes.data[places[i]] ^= 0xff;
    }
    assert_status(prepared_commit_read(&read, buffer_view(&bytes)), OK);
    /* read well, but its commit isn't one, or one of another epoch */
    read->commit.size--;
    assert_int_not_equal(holder_adopt(self.holder, &read), STATUS_OK);
    read->commit.size++;
    assert_status(holder_adopt(self.holder, &prepared), OK);
    buffer_t before = {0}, after = {0};
    holder_flatten(self.holder, &before);
    assert_int_not_equal(holder_adopt(self.holder, &read), STATUS_OK);
    holder_flatten(self.holder, &after);
    assert_same(&before, &after);
    prepared_commit_destroy(&read);
    buffer_free(&bytes);
    buffer_free(&hashes);
    buffer_free(&before);
    buffer_free(&after);
    group_stop(&self);
}

/* As many admins as there may be; one more is refused, one who is one already changes nothing. */
static void test_admins_are_counted(void **state)
{
    (void)state;
    group_t self;
    group_start(&self);
    person_t *many[ADMINS_MAX];
    commit_role_t roles[ADMINS_MAX];
    for (uint32_t i = 0; i < ADMINS_MAX; i++) {
        many[i] = person_new(100 + i);
        roles[i] = (commit_role_t){3 + i, ROLE_ADMIN};
    }
    group_add(self.holder, self.people, 3, many, ADMINS_MAX, NULL);
    commit_plan_t plan = {.roles = roles, .role_count = ADMINS_MAX};
    assert_status(try_plan(&self, &plan), TOO_MANY);
    plan.role_count--;
    prepared_commit_t *prepared;
    assert_status(commit_build(self.holder, self.people[0]->identity, &plan, &prepared), OK);
    for (unsigned i = 0; i < 3; i++)
        person_follows(self.people[i], prepared);
    assert_status(holder_adopt(self.holder, &prepared), OK);
    assert_int_equal(group_state_admin_count(self.people[1]->state), ADMINS_MAX);
    plan.role_count = 1; /* once more */
    assert_status(commit_build(self.holder, self.people[0]->identity, &plan, &prepared), OK);
    person_follows(self.people[1], prepared);
    assert_int_equal(group_state_admin_count(self.people[1]->state), ADMINS_MAX);
    prepared_commit_destroy(&prepared);
    for (uint32_t i = 0; i < ADMINS_MAX; i++)
        person_destroy(many[i]);
    group_stop(&self);
}

/* Without a row of keys the next commit would be one that nobody can follow. */
static void test_missing_keys(void **state)
{
    (void)state;
    group_t self;
    group_start(&self);
    person_t *many[40];
    for (unsigned i = 0; i < 40; i++)
        many[i] = person_new(100 + i);
    group_add(self.holder, self.people, 3, many, 40, NULL);
    stored_t rows = {0};
    holder_save_all(self.holder, stored_row, &rows);
    size_t key_rows = 0;
    for (size_t left_out = 0; left_out < rows.count; left_out++) {
        if (rows.items[left_out].key.data[0] != 'k')
            continue;
        key_rows++;
        holder_t *holder = holder_load_new();
        for (int head = 1; head >= 0; head--)
            for (size_t i = 0; i < rows.count; i++)
                if (i != left_out && (rows.items[i].key.data[0] == 'h') == head)
                    assert_status(holder_load_row(holder, buffer_view(&rows.items[i].key),
                                                  buffer_view(&rows.items[i].value)),
                                  OK);
        assert_status(holder_load_end(holder), DAMAGED_FILE);
        holder_destroy(&holder);
    }
    assert_int_equal(key_rows, 3); /* the root's, and two below */
    stored_free(&rows);
    for (unsigned i = 0; i < 40; i++)
        person_destroy(many[i]);
    group_stop(&self);
}

static void test_few_rows_a_commit(void **state)
{
    (void)state;
    group_t self;
    group_start(&self);
    stored_t rows = {0};
    holder_save(self.holder, stored_row, &rows);
    served_request_t dave = person_asks(self.people[3], self.holder);
    commit_plan_t plan = {.adds = &dave, .add_count = 1};
    prepared_commit_t *prepared;
    assert_status(commit_build(self.holder, self.people[0]->identity, &plan, &prepared), OK);
    assert_status(holder_adopt(self.holder, &prepared), OK);
    stored_t changed = {0};
    holder_save(self.holder, stored_row, &changed);
    assert_int_equal(changed.count, 4); /* head, transcript, one row of keys, one of the roster */
    stored_free(&changed);
    holder_save(self.holder, stored_row, &changed);
    assert_int_equal(changed.count, 0);
    stored_free(&changed);
    stored_free(&rows);
    group_stop(&self);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_refused_plans),
        cmocka_unit_test(test_freed_leaves_wait),
        cmocka_unit_test(test_damaged_prepared),
        cmocka_unit_test(test_damaged_holder),
        cmocka_unit_test(test_false_rows),
        cmocka_unit_test(test_prepared_commits_that_claim_too_much),
        cmocka_unit_test(test_admins_are_counted),
        cmocka_unit_test(test_missing_keys),
        cmocka_unit_test(test_few_rows_a_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
