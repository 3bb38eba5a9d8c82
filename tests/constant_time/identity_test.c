/* SPDX-License-Identifier: MPL-2.0 */
/* The identity, its file, what it signs, and what a vault seals under it, with marked keys and a
 * marked password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "client/keys/identity.h"
#include "client/keys/kdf.h"
#include "client/vault/vault_seal.h"
#include "proto/statement.h"
#include "tests/constant_time/taint.h"

static identity_t *alice(void)
{
    name_t name;
    assert_int_equal(name_parse(&name, "alice"), STATUS_OK);
    return identity_new(&name);
}

static bytes_t password_of(char text[static 8])
{
    taint_secret(text, 8);
    return (bytes_t){(const uint8_t *)text, 8};
}

static void a_password_locks_and_unlocks(void **unused)
{
    (void)unused;
    assert_true(taint_is_watched());
    char right[] = "hunter2!", wrong[] = "hunter3!", next[] = "longer10";
    identity_t *self = alice(), *opened;
    buffer_t image = {0};
    assert_int_equal(identity_seal(self, password_of(right), IDENTITY_MODERATE, &image), STATUS_OK);
    assert_int_equal(identity_open(&opened, buffer_view(&image), password_of(wrong)),
                     STATUS_WRONG_PASSWORD);
    assert_int_equal(identity_open(&opened, buffer_view(&image), password_of(right)), STATUS_OK);
    assert_true(taint_is_secret(identity_seed(opened), KEY_BYTES));
    assert_true(taint_is_secret(identity_vault_key(opened), sizeof(secret_t)));
    assert_memory_equal(identity_key(opened), identity_key(self), KEY_BYTES);

    buffer_clear(&image);
    assert_int_equal(identity_seal(opened, password_of(next), IDENTITY_INTERACTIVE, &image),
                     STATUS_OK);
    identity_destroy(&opened);
    assert_int_equal(identity_open(&opened, buffer_view(&image), password_of(next)), STATUS_OK);
    identity_destroy(&opened);
    image.data[image.size - 1] ^= 1;
    assert_int_equal(identity_open(&opened, buffer_view(&image), password_of(next)),
                     STATUS_DAMAGED_FILE);
    identity_destroy(&self);
    buffer_free(&image);
}

static void it_signs(void **unused)
{
    (void)unused;
    identity_t *self = alice();
    uint8_t broker[KEY_BYTES] = {1}, challenge[CHALLENGE_BYTES] = {2}, client[KEY_BYTES] = {3};
    uint8_t group[GROUP_ID_BYTES] = {4}, hash[HASH_BYTES] = {5}, signature[SIGNATURE_BYTES];
    identity_sign_login(self, broker, challenge, client, 1, signature);
    buffer_t statement = {0}, request = {0}, leave = {0};
    statement_login(&statement, broker, "alice", challenge, client, 1);
    assert_int_equal(signature_verify(signature, identity_key(self), buffer_view(&statement)),
                     STATUS_OK);
    identity_sign_register(self, broker, signature);
    identity_sign_unregister(self, broker, signature);
    secret_t prekey;
    join_t join;
    identity_make_join_request(self, group, hash, &request, &prekey);
    assert_true(taint_is_secret(&prekey, sizeof prekey));
    assert_int_equal(join_request_parse(&join, buffer_view(&request)), STATUS_OK);
    identity_make_leave(self, group, 3, 9, &leave);
    assert_false(taint_is_secret(leave.data, leave.size));
    buffer_free(&statement);
    buffer_free(&request);
    buffer_free(&leave);
    identity_destroy(&self);
}

static void a_vault_seals_and_opens(void **unused)
{
    (void)unused;
    identity_t *self = alice();
    secret_t key, value;
    secret_random(&value);
    kdf(&key, identity_vault_key(self), KDF_VAULT, "member", 6);
    assert_true(taint_is_secret(&key, sizeof key));
    const bytes_t row = {(const uint8_t *)"row", 3}, other = {(const uint8_t *)"low", 3};
    buffer_t sealed = {0}, opened = {0};
    vault_seal_write(&sealed, key.bytes, 1, row, (bytes_t){value.bytes, sizeof value.bytes});
    assert_int_equal(vault_seal_read(&opened, key.bytes, 1, other, buffer_view(&sealed)),
                     STATUS_DAMAGED_FILE);
    assert_int_equal(vault_seal_read(&opened, key.bytes, 1, row, buffer_view(&sealed)), STATUS_OK);
    assert_int_equal(opened.size, sizeof value.bytes);
    assert_true(taint_is_secret(opened.data, opened.size));
    buffer_wipe(&opened);
    buffer_free(&sealed);
    identity_destroy(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_locks_and_unlocks),
        cmocka_unit_test(it_signs),
        cmocka_unit_test(a_vault_seals_and_opens),
    };
    return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
