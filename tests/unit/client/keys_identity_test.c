/* SPDX-License-Identifier: MPL-2.0 */
/* The identity's file image: passwords, damage, hostile parameters; and what the identity signs. */
#include "tests/unit/client/keys_world.h"

#include "proto/statement.h"

static const bytes_t password = {(const uint8_t *)"correct horse", 13};
static const bytes_t other_password = {(const uint8_t *)"correct horsf", 13};

static identity_t *alice(void)
{
    name_t name;
    assert_status(name_parse(&name, "alice"), OK);
    return identity_new(&name);
}

static void assert_same_identity(const identity_t *a, const identity_t *b)
{
    assert_string_equal(identity_name(a)->text, identity_name(b)->text);
    assert_memory_equal(identity_key(a), identity_key(b), KEY_BYTES);
    assert_memory_equal(identity_seed(a), identity_seed(b), KEY_BYTES);
    assert_memory_equal(identity_vault_key(a), identity_vault_key(b), KEY_BYTES);
}

static void test_seal_and_open(void **state)
{
    (void)state;
    identity_t *self = alice(), *opened;
    buffer_t image = {0};
    assert_status(identity_seal(self, password, IDENTITY_INTERACTIVE, &image), OK);
    assert_true(image.size <= IDENTITY_IMAGE_MAX);
    assert_status(identity_open(&opened, buffer_view(&image), password), OK);
    assert_same_identity(self, opened);
    identity_destroy(&opened);
    assert_status(identity_open(&opened, buffer_view(&image), other_password), WRONG_PASSWORD);
    assert_null(opened);

    buffer_t again = {0}; /* another password, the same keys */
    assert_status(identity_seal(self, other_password, IDENTITY_INTERACTIVE, &again), OK);
    assert_status(identity_open(&opened, buffer_view(&again), other_password), OK);
    assert_same_identity(self, opened);
    identity_destroy(&opened);
    assert_status(identity_open(&opened, buffer_view(&again), password), WRONG_PASSWORD);

    name_t name;
    uint8_t key[KEY_BYTES];
    assert_status(identity_peek(buffer_view(&image), &name, key), OK);
    assert_string_equal(name.text, "alice");
    assert_memory_equal(key, identity_key(self), KEY_BYTES);
    buffer_free(&image);
    buffer_free(&again);
    identity_destroy(&self);
}

static void test_moderate(void **state)
{
    (void)state;
    identity_t *self = alice(), *opened;
    buffer_t image = {0};
    assert_status(identity_seal(self, (bytes_t){NULL, 0}, IDENTITY_MODERATE, &image), OK);
    assert_status(identity_open(&opened, buffer_view(&image), (bytes_t){NULL, 0}), OK);
    assert_same_identity(self, opened);
    identity_destroy(&opened);
    identity_destroy(&self);
    buffer_free(&image);
}

static void test_damage(void **state)
{
    (void)state;
    identity_t *self = alice(), *opened;
    buffer_t image = {0};
    assert_status(identity_seal(self, password, IDENTITY_INTERACTIVE, &image), OK);
    for (size_t at = 0; at < image.size; at++) {
        if (at == 8 || at == 9)
            continue; /* the format's number */
        image.data[at] ^= 0x20;
        assert_status(identity_open(&opened, buffer_view(&image), password), DAMAGED_FILE);
        image.data[at] ^= 0x20;
    }
    for (size_t size = 0; size < image.size; size++)
        assert_status(identity_open(&opened, (bytes_t){image.data, size}, password), DAMAGED_FILE);
    buffer_u8(&image, 0);
    assert_status(identity_open(&opened, buffer_view(&image), password), DAMAGED_FILE);
    image.size--;
    image.data[9] = 2;
    assert_status(identity_open(&opened, buffer_view(&image), password), NEWER_FORMAT);
    image.data[9] = 0;
    assert_status(identity_open(&opened, buffer_view(&image), password), DAMAGED_FILE);
    identity_destroy(&self);
    buffer_free(&image);
}

/* A file that is consistent, but asks for a terabyte, or for passes without end. */
static void test_hostile_parameters(void **state)
{
    (void)state;
    static const struct {
        uint64_t passes, memory;
    } wishes[] = {{2, UINT64_C(1) << 40},  {65, 64 << 20}, {0, 64 << 20}, {2, 0}, {2, 1024},
                  {UINT64_MAX, UINT64_MAX}};
    identity_t *self = alice(), *opened;
    buffer_t image = {0};
    assert_status(identity_seal(self, password, IDENTITY_INTERACTIVE, &image), OK);
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        put_u64(image.data + 10, wishes[i].passes);
        put_u64(image.data + 18, wishes[i].memory);
        crypto_generichash(image.data + image.size - HASH_BYTES, HASH_BYTES, image.data,
                           image.size - HASH_BYTES, NULL, 0);
        assert_status(identity_open(&opened, buffer_view(&image), password), DAMAGED_FILE);
    }
    identity_destroy(&self);
    buffer_free(&image);
}

static void assert_signed(const identity_t *self, const uint8_t *signature, buffer_t *statement)
{
    assert_status(signature_verify(signature, identity_key(self), buffer_view(statement)), OK);
    statement->data[statement->size - 1] ^= 1;
    assert_status(signature_verify(signature, identity_key(self), buffer_view(statement)),
                  BAD_SIGNATURE);
    buffer_free(statement);
}

static void test_signatures(void **state)
{
    (void)state;
    identity_t *self = alice();
    uint8_t broker[KEY_BYTES] = {1}, challenge[CHALLENGE_BYTES] = {2}, client[KEY_BYTES] = {3};
    uint8_t signature[SIGNATURE_BYTES];
    buffer_t statement = {0};
    identity_sign_register(self, broker, signature);
    statement_register(&statement, broker, "alice", identity_key(self));
    assert_signed(self, signature, &statement);
    identity_sign_login(self, broker, challenge, client, 2, signature);
    statement_login(&statement, broker, "alice", challenge, client, 2);
    assert_signed(self, signature, &statement);
    identity_sign_unregister(self, broker, signature);
    statement_unregister(&statement, broker, "alice");
    assert_signed(self, signature, &statement);
    identity_sign_commit(self, broker, challenge, client, signature);
    statement_commit(&statement, broker, challenge, client);
    assert_signed(self, signature, &statement);
    identity_destroy(&self);
}

static void test_requests(void **state)
{
    (void)state;
    identity_t *self = alice();
    uint8_t group[GROUP_ID_BYTES] = {7}, transcript[HASH_BYTES] = {8}, prekey[KEY_BYTES];
    secret_t secret;
    buffer_t bytes = {0};
    identity_make_join_request(self, group, transcript, &bytes, &secret);
    join_t join;
    assert_status(join_request_parse(&join, buffer_view(&bytes)), OK);
    crypto_scalarmult_base(prekey, secret.bytes);
    assert_memory_equal(join.prekey, prekey, KEY_BYTES);
    assert_memory_equal(join.transcript, transcript, HASH_BYTES);
    bytes.data[30] ^= 1;
    assert_int_not_equal(join_request_parse(&join, buffer_view(&bytes)), STATUS_OK);
    buffer_clear(&bytes);
    identity_make_leave(self, group, 5, 6, &bytes);
    leave_t leave;
    assert_status(leave_parse(&leave, buffer_view(&bytes)), OK);
    assert_status(leave_verify(&leave, identity_key(self)), OK);
    assert_int_equal(leave.leaf, 5);
    assert_int_equal(leave.epoch_added, 6);
    leave.epoch_added++;
    assert_status(leave_verify(&leave, identity_key(self)), BAD_SIGNATURE);
    buffer_free(&bytes);
    identity_destroy(&self);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal_and_open), cmocka_unit_test(test_moderate),
        cmocka_unit_test(test_damage),        cmocka_unit_test(test_hostile_parameters),
        cmocka_unit_test(test_signatures),    cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
