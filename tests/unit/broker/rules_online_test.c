/* SPDX-License-Identifier: MPL-2.0 */
/* Who is told to be online, and in which groups. */
#include "broker/rules/inspect.h"
#include "tests/unit/broker/rules_setting.h"

static void those_who_came_last_come_first(void **state)
{
    setting_t *self = *state;
    rules_online_t online[4];
    person_login_both(&self->carol);
    person_login_both(&self->alice);
    assert_int_equal(rules_online(self->world->rules, online, 4), 3);
    assert_string_equal(online[0].name.text, "alice");
    assert_int_equal(online[0].group_count, 1);
    assert_string_equal(online[0].groups[0].text, "room");
    assert_string_equal(online[1].name.text, "carol");
    assert_int_equal(online[1].group_count, 0);
    assert_string_equal(online[2].name.text, "bob");
    assert_string_equal(online[2].groups[0].text, "room");
    /* Only as many as there is room for. */
    memset(online, 0, sizeof online);
    assert_int_equal(rules_online(self->world->rules, online, 1), 1);
    assert_string_equal(online[0].name.text, "alice");
    assert_string_equal(online[1].name.text, "");
    assert_int_equal(rules_online(self->world->rules, online, 0), 0);
}

static void who_left_a_group_is_not_in_it(void **state)
{
    setting_t *self = *state;
    rules_online_t online[4];
    assert_int_equal(room_leave(&self->room, &self->bob, NULL), STATUS_OK);
    size_t count = rules_online(self->world->rules, online, 4);
    for (size_t i = 0; i < count; i++)
        if (strcmp(online[i].name.text, "bob") == 0) {
            assert_int_equal(online[i].group_count, 0);
            return;
        }
    fail();
}

static void nobody_is_online_after_a_restart(void **state)
{
    setting_t *self = *state;
    rules_online_t online[4];
    world_restart(self->world);
    assert_int_equal(rules_online(self->world->rules, online, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_with_bob, tear_down)
        TEST(those_who_came_last_come_first),
        TEST(who_left_a_group_is_not_in_it),
        TEST(nobody_is_online_after_a_restart),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
