/* SPDX-License-Identifier: MPL-2.0 */
/* Join requests and leave statements: made, read back, forged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>
#include <sodium.h>

#include "proto/memory.h"
#include "proto/requests.h"

static uint8_t identity[KEY_BYTES], secret[crypto_sign_SECRETKEYBYTES];

static void sign(uint8_t signature[static SIGNATURE_BYTES], buffer_t *statement)
{
    crypto_sign_detached(signature, NULL, statement->data, statement->size, secret);
    buffer_free(statement);
}

static join_t sample_join(void)
{
    join_t join = {.group = {1}, .transcript = {2}};
    assert_int_equal(name_parse(&join.name, "alice"), STATUS_OK);
    memcpy(join.identity_key, identity, KEY_BYTES);
    uint8_t box_secret[KEY_BYTES];
    crypto_box_keypair(join.prekey, box_secret);
    return join;
}

/* Signs and writes the whole request. */
static buffer_t write_join(join_t *join)
{
    buffer_t out = {0}, statement = {0};
    join_request_statement(join, &statement);
    sign(join->signature, &statement);
    join_request_write_signed_part(join, &out);
    buffer_append(&out, join->signature, SIGNATURE_BYTES);
    return out;
}

static status_t parse_exact(bytes_t bytes, size_t size)
{
    /* An exact copy, so that a sanitizer sees each byte read beyond it. */
    uint8_t *copy = mem_dup(bytes.data, size);
    join_t join;
    status_t status = join_request_parse(&join, (bytes_t){copy, size});
    free(copy);
    if (status != STATUS_OK) {
        static const join_t zero;
        assert_memory_equal(&join, &zero, sizeof zero);
    }
    return status;
}

static void test_join(void **state)
{
    (void)state;
    join_t join = sample_join(), read;
    buffer_t out = write_join(&join);
    assert_true(out.size <= JOIN_REQUEST_MAX_BYTES);
    assert_int_equal(join_request_parse(&read, buffer_view(&out)), STATUS_OK);
    assert_memory_equal(&read, &join, sizeof join);
    for (size_t size = 0; size < out.size; size++)
        assert_int_equal(parse_exact(buffer_view(&out), size), STATUS_BAD_JOIN);
    for (size_t i = 0; i < out.size; i++) {
        out.data[i] ^= 0x01;
        assert_int_not_equal(parse_exact(buffer_view(&out), out.size), STATUS_OK);
        out.data[i] ^= 0x01;
    }
    buffer_u8(&out, 0);
    assert_int_equal(parse_exact(buffer_view(&out), out.size), STATUS_BAD_JOIN);
    buffer_free(&out);
}

static void test_join_of_another(void **state)
{
    (void)state;
    join_t join = sample_join();
    join.identity_key[3] ^= 1; /* signed with a key that isn't this one's */
    buffer_t out = write_join(&join);
    assert_int_equal(parse_exact(buffer_view(&out), out.size), STATUS_BAD_SIGNATURE);
    buffer_free(&out);
}

static void assert_bad_prekey(const uint8_t prekey[static KEY_BYTES])
{
    join_t join = sample_join();
    memcpy(join.prekey, prekey, KEY_BYTES);
    buffer_t out = write_join(&join);
    assert_int_equal(parse_exact(buffer_view(&out), out.size), STATUS_BAD_KEY);
    buffer_free(&out);
    /* The table must agree with what sealing to such a key would do. */
    uint8_t sealed[crypto_box_SEALBYTES + 1];
    assert_int_not_equal(crypto_box_seal(sealed, (const uint8_t *)"x", 1, prekey), 0);
}

static void test_small_order_prekeys(void **state)
{
    (void)state;
    static const char *const hex[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    for (size_t i = 0; i < sizeof hex / sizeof hex[0]; i++) {
        uint8_t prekey[KEY_BYTES];
        assert_int_equal(sodium_hex2bin(prekey, KEY_BYTES, hex[i], 64, NULL, NULL, NULL), 0);
        assert_bad_prekey(prekey);
        prekey[KEY_BYTES - 1] |= 0x80; /* X25519 ignores this bit */
        assert_bad_prekey(prekey);
    }
}

static void test_hash_covers_everything(void **state)
{
    (void)state;
    join_t join = sample_join();
    buffer_t out = write_join(&join);
    uint8_t first[HASH_BYTES], other[HASH_BYTES];
    join_request_hash(first, buffer_view(&out));
    out.data[out.size - 1] ^= 1;
    join_request_hash(other, buffer_view(&out));
    assert_memory_not_equal(first, other, HASH_BYTES);
    buffer_free(&out);
}

static void test_leave(void **state)
{
    (void)state;
    leave_t leave = {.group = {1}, .leaf = 5, .epoch_added = 9}, read;
    buffer_t out = {0}, statement = {0};
    leave_statement(&leave, &statement);
    sign(leave.signature, &statement);
    leave_write(&leave, &out);
    assert_true(out.size <= LEAVE_MAX_BYTES);
    assert_int_equal(leave_parse(&read, buffer_view(&out)), STATUS_OK);
    assert_memory_equal(read.group, leave.group, GROUP_ID_BYTES);
    assert_int_equal(read.leaf, 5);
    assert_true(read.epoch_added == 9);
    assert_int_equal(leave_verify(&read, identity), STATUS_OK);
    read.epoch_added++;
    assert_int_equal(leave_verify(&read, identity), STATUS_BAD_SIGNATURE);

    for (size_t size = 0; size < out.size; size++)
        assert_int_equal(leave_parse(&read, (bytes_t){out.data, size}), STATUS_BAD_LEAVE);
    out.data[0] = 2;
    assert_int_equal(leave_parse(&read, buffer_view(&out)), STATUS_BAD_LEAVE);
    out.data[0] = 1;
    buffer_u8(&out, 0);
    assert_int_equal(leave_parse(&read, buffer_view(&out)), STATUS_BAD_LEAVE);
    buffer_clear(&out);
    leave.leaf = TREE_LEAVES_MAX;
    leave_write(&leave, &out);
    assert_int_equal(leave_parse(&read, buffer_view(&out)), STATUS_BAD_LEAVE);
    assert_int_equal(read.leaf, 0);
    buffer_free(&out);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    crypto_sign_keypair(identity, secret);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_join_of_another),
        cmocka_unit_test(test_small_order_prekeys),
        cmocka_unit_test(test_hash_covers_everything),
        cmocka_unit_test(test_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
