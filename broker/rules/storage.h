/* SPDX-License-Identifier: MPL-2.0 */
/* Records through the overlay, by their types. */
#ifndef CONCLAVE_BROKER_RULES_STORAGE_H
#define CONCLAVE_BROKER_RULES_STORAGE_H

#include "broker/rules/state.h"

/*
 * Readers: STATUS_NOT_FOUND, or STATUS_STORE_FAILED also for a damaged record. Views in *out live
 * until the request is answered (rules_lend). Writers don't fail: no put expects a version, since
 * the group's head or the order of turns guards it, and a failed read of a version makes the whole
 * turn fail, which is found when it is prepared.
 */
MUST_CHECK status_t load_account(rules_t *self, const name_t *name, account_t *out);
MUST_CHECK status_t load_invite(rules_t *self, const name_t *name, invite_t *out);
MUST_CHECK status_t load_group_id(rules_t *self, const name_t *name, uint8_t out[GROUP_ID_BYTES]);
MUST_CHECK status_t load_head(rules_t *self, const uint8_t *group, head_t *out, uint64_t *version);
MUST_CHECK status_t load_membership(rules_t *self, const uint8_t *group, const name_t *name,
                                    membership_t *out);
MUST_CHECK status_t load_commit(rules_t *self, const uint8_t *group, uint64_t epoch,
                                commit_record_t *out);
MUST_CHECK status_t load_event(rules_t *self, const uint8_t *group, uint64_t sequence,
                               event_t *out);
MUST_CHECK status_t load_leaf(rules_t *self, const uint8_t *group, uint32_t leaf,
                              leaf_record_t *out);
MUST_CHECK status_t load_join(rules_t *self, const uint8_t *group, const name_t *name,
                              join_record_t *out);
/* Whether there is such a record. */
MUST_CHECK status_t load_presence(rules_t *self, const store_key_t *key, bool *present);

void save_account(rules_t *self, const name_t *name, const account_t *account);
void save_group_id(rules_t *self, const name_t *name, const uint8_t *group);
void save_membership(rules_t *self, const uint8_t *group, const name_t *name,
                     const membership_t *membership);
void save_commit(rules_t *self, const uint8_t *group, uint64_t epoch,
                 const commit_record_t *commit);
void save_event(rules_t *self, const uint8_t *group, uint64_t sequence, const event_t *event);
void save_leaf(rules_t *self, const uint8_t *group, uint32_t leaf, const leaf_record_t *record);
/* version: the slot's before. */
void save_sent(rules_t *self, const uint8_t *group, const name_t *name, size_t slot,
               const sent_t *sent, uint64_t version);
void save_cursor(rules_t *self, const uint8_t *group, const name_t *name, uint64_t cursor);
void save_join(rules_t *self, const uint8_t *group, const name_t *name, const join_record_t *join);
void save_leave(rules_t *self, const uint8_t *group, uint32_t leaf, const leave_record_t *leave);
void save_welcome(rules_t *self, const name_t *recipient, const uint8_t *group, uint64_t sequence,
                  const waiting_welcome_t *welcome);
void save_empty(rules_t *self, const store_key_t *key);
/* Puts what stands in the scratch buffer, and empties that. */
void put_scratch(rules_t *self, const store_key_t *key);
void erase(rules_t *self, const store_key_t *key);
/* Erases what is there one by one: for few records, where a range would burden later reads. */
MUST_CHECK status_t erase_prefix(rules_t *self, const store_key_t *prefix);
/* Notes among a user's memberships that this one is current, or past. */
void save_standing(rules_t *self, const name_t *user, const uint8_t *group, bool is_current);

/* Visits all records whose keys start with the prefix, from `from` on where that isn't NULL. */
MUST_CHECK status_t visit_prefix(rules_t *self, const store_key_t *prefix, const store_key_t *from,
                                 size_t limit, store_visit_t *visit, void *context);

/* Ids that stand at the end of keys; lent. */
typedef struct {
    uint8_t (*ids)[GROUP_ID_BYTES];
    size_t count;
} group_ids_t;

/* The groups that a user has a record of this kind for, by id; limit at most, 0: all. */
MUST_CHECK status_t load_groups_of(rules_t *self, int kind, const name_t *user, size_t limit,
                                   group_ids_t *out);

/* The value of a record as a view. */
bytes_t record_value(const store_record_t *record);
/* Copies a view into lent memory. */
bytes_t rules_lend_copy(rules_t *self, bytes_t bytes);

#endif
