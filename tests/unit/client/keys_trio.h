/* SPDX-License-Identifier: MPL-2.0 */
/* A group of three people, and the commit that let two of them in. */
#ifndef CONCLAVE_TESTS_UNIT_CLIENT_KEYS_TRIO_H
#define CONCLAVE_TESTS_UNIT_CLIENT_KEYS_TRIO_H

#include "tests/unit/client/keys_world.h"

/* Any two of them have people of the same three names: alice (admin), bob, carol. */
typedef struct {
    person_t *people[3];
    holder_t *holder;
    prepared_commit_t *last; /* the commit that added bob and carol */
} group_t;

static inline void group_start(group_t *self)
{
    for (unsigned i = 0; i < 3; i++)
        self->people[i] = person_new(i);
    self->holder = group_of(self->people[0]);
    group_add(self->holder, self->people, 1, self->people + 1, 2, &self->last);
}

static inline void group_stop(group_t *self)
{
    for (unsigned i = 0; i < 3; i++)
        person_destroy(self->people[i]);
    holder_destroy(&self->holder);
    prepared_commit_destroy(&self->last);
}

static inline prepared_commit_t *empty_commit(group_t *self)
{
    commit_plan_t plan = {0};
    prepared_commit_t *prepared;
    assert_status(commit_build(self->holder, self->people[0]->identity, &plan, &prepared), OK);
    return prepared;
}

/* The state that reads and follows: always carol's. */
static inline group_state_t *reader(group_t *self)
{
    return self->people[2]->state;
}

static inline void seal(person_t *sender, buffer_t *out)
{
    static const uint8_t text[] = "\0some words";
    assert_status(group_state_seal(sender->state, sender->identity,
                                   &(message_body_t){.type = MESSAGE_TYPE_TEXT,
                                                     .number = ++sender->sent,
                                                     .content = {text, sizeof text - 1}},
                                   out, NULL),
                  OK);
}

#endif
