/* SPDX-License-Identifier: MPL-2.0 */
/* The last messages are known, each by its own value, and no older one. */
#include "broker/tracer/message_map.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CAPACITY = 61, GROUPS = 3 };

static name_t group_of(uint64_t number)
{
    name_t group = {0};
    char text[8];
    snprintf(text, sizeof text, "g%u", (unsigned)(number % GROUPS));
    assert_int_equal(name_parse(&group, text), STATUS_OK);
    return group;
}

static void put(message_map_t *map, uint64_t number)
{
    const name_t group = group_of(number);
    uint64_t *value = message_map_put(map, &group, number);
    assert_int_equal(*value, 0); /* a new one's is empty, also where an older one was */
    *value = number + 1000;
}

/* Those from first to last, of all that were ever put. */
static void knows(const message_map_t *map, uint64_t first, uint64_t last)
{
    for (uint64_t number = 1; number <= last + CAPACITY; number++) {
        const name_t group = group_of(number);
        const name_t other = group_of(number + 1);
        const uint64_t *value = message_map_get(map, &group, number);
        assert_int_equal(value != NULL, number >= first && number <= last);
        assert_true(!value || *value == number + 1000);
        assert_null(message_map_get(map, &other, number));
    }
}

static void the_oldest_goes_for_each_new_one(void **state)
{
    (void)state;
    message_map_t *map = message_map_new(CAPACITY, sizeof(uint64_t));
    for (uint64_t number = 1; number <= 5 * CAPACITY; number++) {
        put(map, number);
        knows(map, number > CAPACITY ? number - CAPACITY + 1 : 1, number);
    }
    message_map_destroy(&map);
    assert_null(map);
    message_map_destroy(&map);
}

static void one_put_twice_keeps_its_value_and_its_age(void **state)
{
    (void)state;
    message_map_t *map = message_map_new(CAPACITY, sizeof(uint64_t));
    for (uint64_t number = 1; number <= CAPACITY; number++)
        put(map, number);
    const name_t group = group_of(1);
    assert_int_equal(*(uint64_t *)message_map_put(map, &group, 1), 1001);
    put(map, CAPACITY + 1);
    knows(map, 2, CAPACITY + 1);
    message_map_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_goes_for_each_new_one),
        cmocka_unit_test(one_put_twice_keeps_its_value_and_its_age),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("message_map", tests, NULL, NULL);
}
