/* SPDX-License-Identifier: MPL-2.0 */
/* The kinds of actions, from actions.def. */
#ifndef CONCLAVE_TESTS_SIMULATION_ACTIONS_H
#define CONCLAVE_TESTS_SIMULATION_ACTIONS_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
#define ACTION(name, weight, function) ACTION_##name,
#include "tests/simulation/actions.def"
#undef ACTION
    ACTION_COUNT
} action_t;

typedef struct {
    size_t number; /* in the whole schedule: what --only names */
    action_t action;
    size_t client, group;
    uint64_t argument; /* what the action makes of it */
    uint64_t gap_ms;   /* passes after it */
} deed_t;

const char *action_name(action_t action);
unsigned action_weight(action_t action);

typedef struct play play_t;
/* Nothing happens if the client is down. */
void action_carry_out(play_t *play, const deed_t *deed);

#endif
