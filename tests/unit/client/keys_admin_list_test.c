/* SPDX-License-Identifier: MPL-2.0 */
/* How a member's list of admins follows commits, and which commits contradict it. */
#include "tests/unit/client/keys_world.h"

#include "client/keys/admin_list.h"

/* Leaf 0 is the committer; leaf 4 an admin too. */
static admin_list_t two_admins(void)
{
    admin_list_t self = {0};
    group_admin_t admins[] = {{.leaf = 4, .is_known = true, .name = {"dan"}},
                              {.leaf = 0, .is_known = true, .name = {"alice"}}};
    assert_true(admin_list_put(&self, &admins[0]));
    assert_true(admin_list_put(&self, &admins[1]));
    assert_int_equal(self.items[0].leaf, 0);
    return self;
}

static void test_changes(void **state)
{
    (void)state;
    admin_list_t self = two_admins();
    commit_add_t add = {.leaf = 2, .name = {"bob"}};
    commit_role_t roles[] = {{2, ROLE_ADMIN}, {3, ROLE_ADMIN}, {4, ROLE_MEMBER}};
    commit_t commit = {.adds = &add, .add_count = 1, .roles = roles, .role_count = 3};
    assert_status(admin_list_apply(&self, &commit), OK);
    assert_int_equal(self.count, 3);
    assert_true(admin_list_find(&self, leaf_index(2))->is_known);
    assert_false(admin_list_find(&self, leaf_index(3))->is_known);
    assert_null(admin_list_find(&self, leaf_index(4)));

    buffer_t bytes = {0}, again = {0};
    admin_list_write(&self, &bytes);
    admin_list_t read;
    for (size_t size = 0; size < bytes.size; size++) {
        reader_t in = reader_of(bytes.data, size);
        assert_false(admin_list_read(&read, &in));
    }
    reader_t in = reader_of(bytes.data, bytes.size);
    assert_true(admin_list_read(&read, &in));
    admin_list_write(&read, &again);
    assert_same(&bytes, &again);
    buffer_free(&bytes);
    buffer_free(&again);

    commit_removal_t removal = {.leaf = 2};
    commit = (commit_t){.removals = &removal, .removal_count = 1};
    assert_status(admin_list_apply(&self, &commit), OK);
    assert_null(admin_list_find(&self, leaf_index(2)));
}

static void test_contradictions(void **state)
{
    (void)state;
    commit_add_t on_an_admin = {.leaf = 4};
    commit_removal_t committer = {.leaf = 0}, other = {.leaf = 4};
    commit_role_t demotion = {0, ROLE_MEMBER}, of_removed = {4, ROLE_ADMIN};
    commit_role_t many[ADMINS_MAX];
    for (uint32_t i = 0; i < ADMINS_MAX; i++)
        many[i] = (commit_role_t){10 + i, ROLE_ADMIN};
    const commit_t cases[] = {
        {.adds = &on_an_admin, .add_count = 1},
        {.removals = &committer, .removal_count = 1},
        {.roles = &demotion, .role_count = 1},
        {.removals = &other, .removal_count = 1, .roles = &of_removed, .role_count = 1},
        {.roles = many, .role_count = ADMINS_MAX},
        {.committer = 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        admin_list_t self = two_admins();
        assert_status(admin_list_apply(&self, &cases[i]), BAD_COMMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_contradictions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
