/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's rules with marked session tokens. */
#include "tests/unit/broker/rules_setting.h"

#include "broker/rules/sessions.h"
#include "broker/rules/table.h"
#include "tests/constant_time/taint.h"

/*
 * Born here, in the broker's hands. What the broker keeps is the token's hash.
 */
void __real_session_open(rules_t *self, peer_t *peer, const name_t *user, uint8_t purpose,
                         uint8_t token[static TOKEN_BYTES]);
void __wrap_session_open(rules_t *self, peer_t *peer, const name_t *user, uint8_t purpose,
                         uint8_t token[static TOKEN_BYTES]);
void __wrap_session_open(rules_t *self, peer_t *peer, const name_t *user, uint8_t purpose,
                         uint8_t token[static TOKEN_BYTES])
{
    __real_session_open(self, peer, user, purpose, token);
    taint_secret(token, TOKEN_BYTES);
}

/*
 * Public, since what is looked up is a hash (BLAKE2b) of the token, at a place given by a hash of
 * that under a random key: time tells nothing of 32 random bytes before either.
 */
void *__real_table_find(table_t *self, const void *key, size_t key_size);
void *__wrap_table_find(table_t *self, const void *key, size_t key_size);
void *__wrap_table_find(table_t *self, const void *key, size_t key_size)
{
    lifted_t lifted = taint_lift(key, key_size);
    void *found = __real_table_find(self, key, key_size);
    taint_restore(&lifted);
    return found;
}

static void tokens_are_checked(void **state)
{
    setting_t *self = *state;
    assert_true(taint_is_watched());
    assert_true(taint_is_secret(self->alice.events.token, TOKEN_BYTES));
    poll_keys_request_t keys = {0};
    assert_int_equal(link_ask(&self->alice.events, VERB_poll_keys, &keys), STATUS_OK);
    assert_int_equal(room_send(&self->room, &self->alice, 0, NULL), STATUS_OK);

    uint8_t *token = self->alice.events.token;
    for (size_t at = 0; at < TOKEN_BYTES; at += TOKEN_BYTES - 1) {
        token[at] ^= 1;
        assert_int_equal(link_ask(&self->alice.events, VERB_poll_keys, &keys), STATUS_BAD_TOKEN);
        token[at] ^= 1;
    }
    memcpy(token, self->bob.events.token, TOKEN_BYTES);
    assert_int_equal(link_ask(&self->alice.events, VERB_poll_keys, &keys), STATUS_WRONG_CONNECTION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tokens_are_checked, set_up, tear_down),
    };
    return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
