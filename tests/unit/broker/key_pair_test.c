/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/key_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <zmq.h>

/* The server's pair in zmq_curve(7). */
static const char known_public[] = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
static const char known_secret[] = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";

static void test_public_half_of_a_known_pair(void **state)
{
    key_pair_t known;
    uint8_t public_key[KEY_BYTES];
    (void)state;
    assert_non_null(zmq_z85_decode(known.public_key, known_public));
    assert_non_null(zmq_z85_decode(known.secret_key, known_secret));
    assert_true(key_pair_public_of(public_key, known.secret_key));
    assert_memory_equal(public_key, known.public_key, KEY_BYTES);
}

static void test_a_made_pair_belongs_together(void **state)
{
    key_pair_t one, other;
    uint8_t public_key[KEY_BYTES];
    (void)state;
    assert_true(key_pair_make(&one));
    assert_true(key_pair_make(&other));
    assert_memory_not_equal(one.secret_key, other.secret_key, KEY_BYTES);
    assert_memory_not_equal(one.secret_key, one.public_key, KEY_BYTES);
    assert_true(key_pair_public_of(public_key, one.secret_key));
    assert_memory_equal(public_key, one.public_key, KEY_BYTES);
}

static void test_wiped(void **state)
{
    key_pair_t pair;
    const key_pair_t none = {0};
    (void)state;
    assert_true(key_pair_make(&pair));
    key_pair_wipe(&pair);
    assert_memory_equal(&pair, &none, sizeof pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public_half_of_a_known_pair),
        cmocka_unit_test(test_a_made_pair_belongs_together),
        cmocka_unit_test(test_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
