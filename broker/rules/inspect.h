/* SPDX-License-Identifier: MPL-2.0 */
/* What an operator may ask: names, numbers and how far everybody is. Nothing is changed. */
#ifndef CONCLAVE_BROKER_RULES_INSPECT_H
#define CONCLAVE_BROKER_RULES_INSPECT_H

#include "broker/rules/rules.h"

/* All functions: between turns, in the rules' thread. STATUS_STORE_FAILED: a record could not be
 * read. */

/* Requests that wait for admins, of living groups. */
typedef struct {
    uint64_t joins;
    uint64_t oldest_join_ms; /* wall clock, 0: none */
    uint64_t leaves;
    uint64_t oldest_leave_ms;
    bool is_cut; /* there are more than were counted */
} rules_pending_t;

/* Records that are counted of each kind at most, so that the router isn't held up. */
#define RULES_PENDING_COUNTED 16384

MUST_CHECK status_t rules_pending(rules_t *self, rules_pending_t *out);

typedef struct {
    group_load_record_t
        groups[LOADS_MAX]; /* with requests that wait longest, then with most online */
    size_t group_count;
    user_load_record_t slow[LOADS_MAX]; /* online, with most messages not acknowledged yet */
    size_t slow_count;
} rules_loads_t;

/* Of what is in memory: everybody who is online, and their groups. How long joins wait is read from
 * the store; of groups beyond RULES_PENDING_COUNTED such records it stays unknown: 0. */
MUST_CHECK status_t rules_loads(rules_t *self, rules_loads_t *out);

#define RULES_ONLINE_GROUPS 8

/* A user who is online, with some of the groups they are in. */
typedef struct {
    name_t name;
    name_t groups[RULES_ONLINE_GROUPS];
    size_t group_count;
} rules_online_t;

/* Of those who are online at most `max`, who came or asked last first. Returns how many. */
size_t rules_online(rules_t *self, rules_online_t *out, size_t max);

typedef struct {
    explain_reply_t reply; /* its list points to readers */
    reader_record_t readers[EXPLAINED_READERS_MAX];
} rules_explained_t;

/* STATUS_UNKNOWN_GROUP; STATUS_NOT_FOUND: no such message; STATUS_GONE: deleted already. */
MUST_CHECK status_t rules_explain(rules_t *self, const name_t *group, uint64_t sequence,
                                  rules_explained_t *out);

/* Appends the event's payload as it is stored: sealed. The same statuses. */
MUST_CHECK status_t rules_read_sealed(rules_t *self, const name_t *group, uint64_t sequence,
                                      buffer_t *out);

#endif
