/* SPDX-License-Identifier: MPL-2.0 */
/* Statuses: every code has a name and a text, no two the same, and only wire codes come from the
 * wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "proto/status.h"

static const status_t all[] = {
#define STATUS(name, code, text) STATUS_##name,
#include "proto/status.def"
#undef STATUS
};

static const size_t count = sizeof all / sizeof all[0];

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < count; i++) {
        const char *text = status_text(all[i]);
        assert_true(strlen(status_name(all[i])) > 0);
        assert_true(strlen(text) > 0);
        assert_int_not_equal(text[strlen(text) - 1], '.');
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(all[i], all[j]);
            assert_string_not_equal(status_name(all[i]), status_name(all[j]));
        }
    }
    assert_string_equal(status_name(STATUS_STALE_EPOCH), "STALE_EPOCH");
    assert_string_equal(status_name((status_t)9999), "UNKNOWN_STATUS");
    assert_string_equal(status_text((status_t)9999), "unknown status");
}

static void test_from_wire(void **state)
{
    (void)state;
    for (size_t i = 0; i < count; i++) {
        bool travels = all[i] < STATUS_FIRST_LOCAL;
        status_t expected = travels ? all[i] : STATUS_MALFORMED;
        assert_int_equal(status_from_wire((unsigned long long)all[i]), expected);
    }
    assert_int_equal(status_from_wire(99), STATUS_MALFORMED);
    assert_int_equal(status_from_wire(UINT64_MAX), STATUS_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_from_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
