/* SPDX-License-Identifier: MPL-2.0 */
/* What a restored broker says of its restores, and to whom. */
#include "broker/rules/restores.h"
#include "tests/unit/broker/rules_setting.h"

typedef struct {
    uint8_t bytes[INCARNATION_BYTES];
} incarnation_t;

/* Stamps the store as a restore does, and starts the rules on it: the incarnation then. */
static incarnation_t restore(setting_t *self, uint64_t now_ms)
{
    incarnation_t now;
    assert_int_equal(restore_stamp(self->world->store, now_ms), STATUS_OK);
    world_restart(self->world);
    memcpy(now.bytes, rules_incarnation(self->world->rules), INCARNATION_BYTES);
    person_login_both(&self->alice);
    person_login_both(&self->bob);
    person_login_both(&self->carol);
    return now;
}

static status_t ask(setting_t *self, person_t *who, const incarnation_t *known,
                    restored_reply_t *out)
{
    message_t reply = {0};
    restored_request_t request;
    memcpy(request.group, self->room.group, GROUP_ID_BYTES);
    memcpy(request.incarnation, known->bytes, INCARNATION_BYTES);
    status_t status = link_call(&who->events, VERB_restored, &request, &reply);
    *out = reply.body.restored_reply;
    message_wipe(&reply);
    return status;
}

static void the_earliest_end_since_is_told(void **state)
{
    setting_t *self = *state; /* a log of 2 events, epoch 2 */
    restored_reply_t end;
    incarnation_t first, second, third;
    memcpy(first.bytes, rules_incarnation(self->world->rules), INCARNATION_BYTES);
    assert_int_equal(ask(self, &self->bob, &first, &end), STATUS_NOT_FOUND); /* none yet */
    second = restore(self, 100);
    assert_memory_not_equal(&first, &second, sizeof first);
    assert_int_equal(room_send(&self->room, &self->bob, 1, NULL), STATUS_OK);
    assert_int_equal(ask(self, &self->bob, &first, &end), STATUS_OK);
    assert_int_equal(end.sequence, 2);
    assert_int_equal(end.epoch, 2);
    assert_int_equal(end.time_ms, 100);
    third = restore(self, 200);
    assert_int_equal(room_send(&self->room, &self->bob, 2, NULL), STATUS_OK);
    assert_int_equal(ask(self, &self->bob, &first, &end), STATUS_OK);
    assert_int_equal(end.sequence, 2);
    assert_int_equal(end.time_ms, 200);
    assert_int_equal(ask(self, &self->bob, &second, &end), STATUS_OK);
    assert_int_equal(end.sequence, 3);
    assert_int_equal(ask(self, &self->bob, &third, &end), STATUS_NOT_FOUND);
    third.bytes[0] ^= 1;
    assert_int_equal(ask(self, &self->bob, &third, &end), STATUS_NOT_FOUND);
}

static void only_members_are_told(void **state)
{
    setting_t *self = *state;
    restored_reply_t end;
    incarnation_t first;
    memcpy(first.bytes, rules_incarnation(self->world->rules), INCARNATION_BYTES);
    (void)restore(self, 100);
    assert_int_equal(ask(self, &self->carol, &first, &end), STATUS_NOT_MEMBER);
    assert_int_equal(end.sequence, 0);
    assert_int_equal(room_leave(&self->room, &self->bob, NULL), STATUS_OK);
    assert_int_equal(ask(self, &self->bob, &first, &end), STATUS_OK); /* a past one */
    self->room.group[0] ^= 1;
    assert_int_equal(ask(self, &self->bob, &first, &end), STATUS_UNKNOWN_GROUP);
}

static void only_a_store_can_be_stamped(void **state)
{
    (void)state;
    store_t *empty = store_memory_new();
    assert_int_equal(restore_stamp(empty, 1), STATUS_NOT_FOUND);
    store_destroy(&empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_earliest_end_since_is_told, set_up_with_bob, tear_down),
        cmocka_unit_test_setup_teardown(only_members_are_told, set_up_with_bob, tear_down),
        cmocka_unit_test(only_a_store_can_be_stamped),
    };
    return cmocka_run_group_tests_name("restores", tests, NULL, NULL);
}
