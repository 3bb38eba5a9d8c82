/* SPDX-License-Identifier: MPL-2.0 */
/* A group's log grows here, and what is new goes out to who is online. */
#ifndef CONCLAVE_BROKER_RULES_FANOUT_H
#define CONCLAVE_BROKER_RULES_FANOUT_H

#include "broker/rules/state.h"

/*
 * A member of an events session is *listening* from its first poll on: pushes follow on what it was
 * given last (pushed_to + 1, without gaps), within the push window. One that misses a push is not
 * listening until its next poll.
 *
 *            poll reached the head               out of window, too large, log not continued
 *   silent ------------------------> listening --------------------------------------------->
 * silent (nudged to poll)
 */

/* Appends an event: saves it, moves `head` (the group's own, or a copy that will become it), and
 * keeps its bytes for the pushes. Returns its time. */
uint64_t fanout_append(rules_t *self, group_t *group, head_t *head, uint8_t kind,
                       const name_t *sender, bytes_t payload);

/* A poll gave this member all up to `delivered`; `cursor` is acknowledged. */
void fanout_polled(rules_t *self, member_t *member, uint64_t cursor, uint64_t delivered);

/* Tells the sessions of one user / of all admins / of all members that are online of a task. */
void fanout_nudge_user(rules_t *self, const name_t *user, const group_t *group, uint64_t task);
void fanout_nudge_admins(rules_t *self, const group_t *group, uint64_t task);
void fanout_nudge_members(rules_t *self, const group_t *group);

/* Puts the turn's events, then its nudges, into the frames. */
void fanout_push_all(rules_t *self);
/* Forgets the turn's events. */
void fanout_clear(rules_t *self);

#endif
