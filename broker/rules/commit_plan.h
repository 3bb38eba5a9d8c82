/* SPDX-License-Identifier: MPL-2.0 */
/* What a commit does to a group's stored state: checked as a whole first, then carried out without
 * a way to fail. */
#ifndef CONCLAVE_BROKER_RULES_COMMIT_PLAN_H
#define CONCLAVE_BROKER_RULES_COMMIT_PLAN_H

#include "broker/rules/state.h"
#include "proto/commit.h"
#include "proto/roster.h"

/* Somebody the commit adds, removes, refreshes or gives a role. */
typedef struct {
    name_t name;
    uint32_t leaf;
    bool had_record;
    membership_t before; /* valid if had_record */
    membership_t after;
    bool join_served; /* a pending join goes */
} plan_member_t;

typedef struct {
    rules_t *rules;
    const uint8_t *id;      /* the group's */
    const commit_t *commit; /* parsed; borrowed */
    bytes_t bytes;          /* as received */
    const name_t *committer;
    head_t head; /* as it will be, but for the event's sequence */
    uint8_t transcript[HASH_BYTES];
    /* In the commit's order; lent */
    plan_member_t *removals;
    plan_member_t *adds;
    plan_member_t *refreshes;
    plan_member_t *roles; /* of leaves that are not added here */
    size_t role_count;
} commit_plan_t;

/*
 * Fills a zeroed plan from its first five fields and head, which holds the group's state before.
 * Checks the signature by committer_key, leaves, accounts, the welcomes and the roster root; writes
 * the roster through the overlay. STATUS_BAD_COMMIT, STATUS_BAD_SIGNATURE, STATUS_BAD_WELCOME,
 * STATUS_STORE_FAILED.
 *
 * What it checks depends on the epoch that the commit leaves and on nothing that may change within
 * it: an admin signs one commit an epoch, so one that was right when it was made must not become
 * wrong by somebody's leave, new join request or end of account.
 */
MUST_CHECK status_t commit_plan_check(commit_plan_t *self,
                                      const uint8_t committer_key[static KEY_BYTES],
                                      const welcome_record_t *welcomes, size_t welcome_count);

/* Appends the event and saves all. The group's head becomes the plan's. Returns the event's time.
 */
uint64_t commit_plan_carry_out(commit_plan_t *self, group_t *group,
                               const welcome_record_t *welcomes);

#endif
