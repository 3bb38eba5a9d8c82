/* SPDX-License-Identifier: MPL-2.0 */
/* Groups, members and online users in memory: copies of records, bounded, never the truth. */
#ifndef CONCLAVE_BROKER_RULES_CACHE_H
#define CONCLAVE_BROKER_RULES_CACHE_H

#include "broker/rules/state.h"

/*
 * Pointers are good until the turn ends (cache_trim and cache_reset run between turns). Copies are
 * changed only when a request is sure to be accepted, so a refused one has nothing to take back
 * here.
 */

/* STATUS_UNKNOWN_GROUP (also for one that ended, unless ended_too; *out is NULL if there is no copy
 * either), STATUS_STORE_FAILED. */
MUST_CHECK status_t cache_group(rules_t *self, const uint8_t *id, bool ended_too, group_t **out);
/* A group that was just created: version 0, dirty. */
group_t *cache_add_group(rules_t *self, const uint8_t *id, const head_t *head);
/* The head was changed: it is written when the turn is prepared. */
void cache_group_changed(rules_t *self, group_t *group);

/* The record of a present or past member. STATUS_NOT_MEMBER if there never was one,
 * STATUS_STORE_FAILED. */
MUST_CHECK status_t cache_member(rules_t *self, group_t *group, const name_t *name, member_t **out);
/* The member in memory, or NULL. */
member_t *cache_find_member(rules_t *self, const group_t *group, const name_t *name);
/* Saves a membership and brings the copy in memory and the lists of who is online up to date. */
void cache_set_membership(rules_t *self, group_t *group, const name_t *name,
                          const membership_t *record);

/* Nothing more is pushed to who has left or was removed; called once the turn's events went out. */
void cache_member_ended(member_t *member);

/* A user who is online, or NULL. */
user_t *cache_find_user(rules_t *self, const name_t *name);
/* The online user of this name, made if need be. */
user_t *cache_user(rules_t *self, const name_t *name);
/* Reads the user's current memberships unless they are in memory. STATUS_STORE_FAILED. */
MUST_CHECK status_t cache_load_user(rules_t *self, user_t *user);
/* The user has no session any more. */
void cache_drop_user(rules_t *self, user_t *user);

/* Current: neither left nor removed. */
bool member_is_current(const member_t *self);

/* Evicts what is least recently used beyond the limits. Between turns. */
void cache_trim(rules_t *self);
/* Drops all copies; users stay, to be loaded again. Between turns. */
void cache_reset(rules_t *self);

#endif
