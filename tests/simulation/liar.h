/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A broker that lies (lies.def): honest rules behind it, and what it tells a client is altered on
 * the way; or its store is set back.
 */
#ifndef CONCLAVE_TESTS_SIMULATION_LIAR_H
#define CONCLAVE_TESTS_SIMULATION_LIAR_H

#include "tests/simulation/lineage.h"
#include "tests/simulation/play.h"

/* Seeds; in what manner it lies follows from the seed. */
#define LIARS_EVERY 5

typedef struct liar liar_t;

/* Lies from now on, in a play of so many deeds. The world is borrowed, and counts the lies. */
liar_t *liar_new(world_t *world, size_t deeds);
/* A deed is about to be done, or (their number) all are. */
void liar_before(liar_t *self, size_t deed);
/* Tells no new lie. What was renumbered stays so, and what was lost is lost. */
void liar_stop(liar_t *self);
/* What must hold of the play all the same, and of what this one did in it. */
void liar_check(const liar_t *self, play_t *play, lineage_t *lineage);
void liar_destroy(liar_t **self);

/* lied.c: what must hold all the same: no text under another's name, altered, or twice; what is
 * missing is reported. */
void check_lied(play_t *self, lineage_t *lineage);

#endif
