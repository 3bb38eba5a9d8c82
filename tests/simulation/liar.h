/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A broker that lies: honest rules behind it, and what it tells a client is altered on the way.
 * Events vanish, are replayed, get another sender or other bytes; welcomes, leaves and joins come
 * again; roster entries name somebody else.
 */
#ifndef CONCLAVE_TESTS_SIMULATION_LIAR_H
#define CONCLAVE_TESTS_SIMULATION_LIAR_H

#include "tests/simulation/lineage.h"
#include "tests/simulation/play.h"

typedef struct liar liar_t;

/* Lies from now on. The world is borrowed. */
liar_t *liar_new(world_t *world);
/* Speaks the truth again. */
void liar_stop(liar_t *self);
void liar_destroy(liar_t **self);
/* The frames that it altered. */
uint64_t liar_count(const liar_t *self);

/* lied.c: what must hold all the same: no text under another's name, altered, or twice; what is
 * missing is reported. */
void check_lied(play_t *self, lineage_t *lineage);

#endif
