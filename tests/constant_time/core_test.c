/* SPDX-License-Identifier: MPL-2.0 */
/* A member's core with marked keys: what it stores, reads again and decides on. */
#include "tests/unit/client/core_room.h"

#include <sodium.h>

#include "tests/constant_time/taint.h"

static void restart(room_t *self)
{
    peer_stop(&self->bob);
    peer_start(&self->bob);
    peer_login(&self->bob);
    drain_polls(self);
}

static void a_member_speaks_and_hears(void **state)
{
    room_t *self = *state;
    assert_true(taint_is_watched());
    assert_true(taint_is_secret(identity_seed(self->bob.identity), KEY_BYTES));
    alice_says(self, "one");
    prove_alice(self, true);
    buffer_t sealed = {0};
    uint64_t id = bob_sends(self, 60, "two", &sealed);
    assert_int_not_equal(id, 0);
    peer_reply(&self->bob, VERB_send, id, STATUS_OK, &(send_reply_t){.sequence = ++self->sequence});
    buffer_free(&sealed);
}

static void a_member_starts_again(void **state)
{
    room_t *self = *state;
    restart(self);
    alice_says(self, "three");
    prove_alice(self, true);
    leaf_index_t nobody[1];
    adopt(self, &(commit_plan_t){.removals = nobody});
    push_event(self, ++self->sequence, EVENT_COMMIT, "alice", buffer_view(&self->last_commit));
    restart(self);
    assert_int_not_equal(peer_rows(&self->bob, ROW_GROUP), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(a_member_speaks_and_hears),
        ROOM_TEST(a_member_starts_again),
    };
    return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
