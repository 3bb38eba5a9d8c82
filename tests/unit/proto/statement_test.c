/* SPDX-License-Identifier: MPL-2.0 */
/* Statements: their form, that the streamed hash is the hash of that form, and signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>
#include <sodium.h>

#include "proto/statement.h"

static const bytes_t fields[] = {
    {(const uint8_t *)"one", 3}, {NULL, 0}, {(const uint8_t *)"three", 5}};

static void test_form(void **state)
{
    (void)state;
    static const char expected[] = "conclave/1 kind\0\0\0\0\3one\0\0\0\0\0\0\0\5three";
    buffer_t out = {0};
    statement_write(&out, "kind", fields, 3);
    assert_int_equal(out.size, sizeof expected - 1);
    assert_memory_equal(out.data, expected, sizeof expected - 1);
    buffer_free(&out);
}

static void test_hash_is_of_the_form(void **state)
{
    (void)state;
    for (size_t count = 0; count <= 3; count++) {
        buffer_t out = {0};
        uint8_t expected[HASH_BYTES], hash[HASH_BYTES];
        statement_write(&out, "kind", fields, count);
        crypto_generichash(expected, sizeof expected, out.data, out.size, NULL, 0);
        statement_hash(hash, "kind", fields, count);
        assert_memory_equal(hash, expected, sizeof hash);
        buffer_free(&out);
    }
}

static void test_signatures(void **state)
{
    (void)state;
    uint8_t key[KEY_BYTES], secret[crypto_sign_SECRETKEYBYTES], signature[SIGNATURE_BYTES];
    crypto_sign_keypair(key, secret);
    buffer_t out = {0};
    statement_write(&out, "kind", fields, 3);
    crypto_sign_detached(signature, NULL, out.data, out.size, secret);
    assert_int_equal(signature_verify(signature, key, buffer_view(&out)), STATUS_OK);
    assert_int_equal(statement_verify(signature, key, "kind", fields, 3), STATUS_OK);
    assert_int_equal(statement_verify(signature, key, "kind", fields, 2), STATUS_BAD_SIGNATURE);
    assert_int_equal(statement_verify(signature, key, "kine", fields, 3), STATUS_BAD_SIGNATURE);
    for (size_t i = 0; i < sizeof signature; i++) {
        signature[i] ^= 1;
        assert_int_equal(statement_verify(signature, key, "kind", fields, 3), STATUS_BAD_SIGNATURE);
        signature[i] ^= 1;
    }
    key[5] ^= 1;
    assert_int_equal(statement_verify(signature, key, "kind", fields, 3), STATUS_BAD_SIGNATURE);
    memset(key, 0, sizeof key);
    assert_int_equal(statement_verify(signature, key, "kind", fields, 3), STATUS_BAD_SIGNATURE);
    buffer_free(&out);
}

static void test_transcripts_differ(void **state)
{
    (void)state;
    uint8_t group[GROUP_ID_BYTES] = {1}, key[KEY_BYTES] = {2}, first[HASH_BYTES], other[HASH_BYTES];
    transcript_start(first, group, key, "abc");
    transcript_start(other, group, key, "abd");
    assert_memory_not_equal(first, other, HASH_BYTES);
    transcript_extend(other, first, (bytes_t){group, 16});
    transcript_extend(first, first, (bytes_t){group, 15});
    assert_memory_not_equal(first, other, HASH_BYTES);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_hash_is_of_the_form),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_transcripts_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
