/* SPDX-License-Identifier: MPL-2.0 */
/* Three people and a room: what most tests of the rules start from. */
#ifndef CONCLAVE_TESTS_UNIT_BROKER_RULES_SETTING_H
#define CONCLAVE_TESTS_UNIT_BROKER_RULES_SETTING_H

#include "tests/unit/broker/rules_room.h"

typedef struct {
    world_t *world;
    person_t alice, bob, carol;
    room_t room;
} setting_t;

/* Alice, an admin, has a room; bob and carol are registered. */
static inline int set_up(void **state)
{
    setting_t *self = mem_zalloc(1, sizeof *self);
    self->world = world_new();
    person_arrive(&self->alice, self->world, "alice");
    person_arrive(&self->bob, self->world, "bob");
    person_arrive(&self->carol, self->world, "carol");
    assert_int_equal(room_create(&self->room, &self->alice, "room", HOLD_DEFAULT_MS), STATUS_OK);
    *state = self;
    return 0;
}

/* The same with bob let in: a log of 2 events. */
static inline int set_up_with_bob(void **state)
{
    int rc = set_up(state);
    setting_t *self = *state;
    room_let_in(&self->room, &self->alice, &self->bob);
    return rc;
}

/* After set_up_with_bob: dave is let in, bob writes so many texts and dave one; dave leaves, and
 * nobody has rekeyed yet; carol waits at the door. */
static inline void setting_fill(setting_t *self, person_t *dave, uint32_t texts_of_bob)
{
    room_t *room = &self->room;
    person_arrive(dave, self->world, "dave");
    room_let_in(room, &self->alice, dave);
    for (uint32_t number = 1; number <= texts_of_bob; number++)
        assert_int_equal(room_send(room, &self->bob, number, NULL), STATUS_OK);
    assert_int_equal(room_send(room, dave, 1, NULL), STATUS_OK);
    assert_int_equal(room_leave(room, dave, NULL), STATUS_OK);
    assert_int_equal(room_ask_join(room, &self->carol), STATUS_OK);
}

static inline int tear_down(void **state)
{
    setting_t *self = *state;
    person_free(&self->alice);
    person_free(&self->bob);
    person_free(&self->carol);
    world_free(self->world);
    free(self);
    return 0;
}

/* Runs a request that must be refused with this status and leave the store as it was. */
static inline void refused(link_t *link, verb_t verb, const void *body, status_t expected)
{
    buffer_t before = world_dump(link->world);
    assert_string_equal(status_name(link_ask(link, verb, body)), status_name(expected));
    buffer_t after = world_dump(link->world);
    assert_true(dump_equal(&before, &after));
    buffer_free(&before);
    buffer_free(&after);
}

#endif
