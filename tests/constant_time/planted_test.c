/* SPDX-License-Identifier: MPL-2.0 */
/* Leaks of every kind that is searched for: each must be reported, and what is right must not. */
#include "tests/unit/client/keys_trio.h"

#include "client/keys/kdf.h"
#include "client/keys/member_path.h"
#include "tests/constant_time/taint.h"

static volatile int sink;

static void use_memcmp(const secret_t *secret)
{
    static const secret_t guess = {{1}};
    sink = memcmp(secret->bytes, guess.bytes, sizeof guess.bytes) == 0;
    if (sink)
        sink = 2;
}

static void use_branch(const secret_t *secret)
{
    if (secret->bytes[7] & 0x10)
        sink = 3;
}

static void use_early_end(const secret_t *secret)
{
    size_t at = 0;
    while (at < KEY_BYTES && secret->bytes[at] != 0xA5)
        at++;
    sink = (int)at;
}

static void use_index(const secret_t *secret)
{
    static volatile uint8_t box[256];
    sink = box[secret->bytes[3]];
}

static void use_constant_time(const secret_t *secret)
{
    static const secret_t guess = {{1}};
    sink = sodium_memcmp(secret->bytes, guess.bytes, KEY_BYTES);
    if (sink)
        sink = 4;
}

static void (*const leaks[])(const secret_t *) = {use_memcmp, use_branch, use_early_end, use_index};
#define LEAKS (sizeof leaks / sizeof leaks[0])

static void expect_each_reported(const secret_t *secret)
{
    unsigned before = taint_reports();
    use_constant_time(secret);
    assert_int_equal(taint_reports(), before);
    for (size_t i = 0; i < LEAKS; i++) {
        before = taint_reports();
        leaks[i](secret);
        assert_true(taint_reports() > before);
    }
}

static void a_random_secret(void **unused)
{
    (void)unused;
    assert_true(taint_is_watched());
    secret_t secret;
    secret_random(&secret);
    expect_each_reported(&secret);
}

static void a_copy_and_a_derived_key(void **unused)
{
    (void)unused;
    secret_t secret, moved;
    secret_random(&secret);
    secret_move(&moved, &secret);
    expect_each_reported(&moved);
    kdf_plain(&moved, &moved, KDF_RATCHET);
    expect_each_reported(&moved);
}

static void what_opens(void **unused)
{
    (void)unused;
    static const uint8_t random[COMMIT_RANDOM_BYTES], group[GROUP_ID_BYTES];
    uint8_t wrap[WRAP_BYTES];
    secret_t secret, key, opened;
    secret_random(&secret);
    secret_random(&key);
    wrap_seal(wrap, &secret, &key, random, group, 1, node_index(0));
    assert_false(taint_is_secret(wrap, sizeof wrap));
    assert_status(wrap_open(&opened, wrap, &key, random, group, 1, node_index(0)), OK);
    expect_each_reported(&opened);
}

static void what_a_welcome_brings(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    expect_each_reported(&self.people[1]->state->membership);
    expect_each_reported(&self.people[1]->state->path.keys[0]);
    group_stop(&self);
}

static void what_a_password_unlocks(void **unused)
{
    (void)unused;
    static const bytes_t password = {(const uint8_t *)"secret", 6};
    person_t *alice = person_new(0);
    identity_t *opened;
    buffer_t image = {0};
    assert_status(identity_seal(alice->identity, password, IDENTITY_INTERACTIVE, &image), OK);
    assert_status(identity_open(&opened, buffer_view(&image), password), OK);
    expect_each_reported(identity_vault_key(opened));
    identity_destroy(&opened);
    buffer_free(&image);
    person_destroy(alice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_random_secret),
        cmocka_unit_test(a_copy_and_a_derived_key),
        cmocka_unit_test(what_opens),
        cmocka_unit_test(what_a_welcome_brings),
        cmocka_unit_test(what_a_password_unlocks),
    };
    return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
