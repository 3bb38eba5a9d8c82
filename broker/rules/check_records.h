/* SPDX-License-Identifier: MPL-2.0 */
/* What the check of a store knows while it goes from record to record. */
#ifndef CONCLAVE_BROKER_RULES_CHECK_RECORDS_H
#define CONCLAVE_BROKER_RULES_CHECK_RECORDS_H

#include "broker/rules/check.h"
#include "broker/rules/records.h"

/* A key's parts; those that its kind doesn't have are zero. */
typedef struct {
    uint8_t group[GROUP_ID_BYTES];
    name_t name;
    uint64_t number; /* sequence, epoch, leaf or index */
    uint8_t part;    /* level or slot */
} check_key_t;

typedef struct {
    store_t *store;
    const uint8_t *broker_key;
    check_tell_t *tell;
    void *context;
    check_counts_t *counts;
    /* The record at hand */
    store_key_t raw_key;
    check_key_t key;
    bytes_t value;
    /* Its group's head, read once for the records that lie together */
    uint8_t head_group[GROUP_ID_BYTES];
    bool has_head_group;
    bool has_head;
    head_t head;
    /* The last event or commit of a run that must have no gap */
    char run_kind;
    uint8_t run_group[GROUP_ID_BYTES];
    uint64_t run_number;
    uint64_t run_time_ms;
} check_t;

/* Tells of the record at hand. */
void check_problem(check_t *self, const char *reason);

void check_expect(check_t *self, bool holds, const char *otherwise);
/* Whether the record decoded and its group has a head (self->head); told if not. */
bool check_begins(check_t *self, bool is_read);

/* The value of another record; NULL if it isn't there or can't be read. The caller frees it. */
uint8_t *check_load(const check_t *self, const store_key_t *key, bytes_t *out);
/* Whether the record's group has an event of this number, kind and payload. sender NULL: anybody's.
 */
bool check_finds_event(const check_t *self, uint64_t sequence, uint8_t kind, const name_t *sender,
                       const uint8_t hash[static HASH_BYTES]);
bool check_exists(const check_t *self, const store_key_t *key);
bool check_find_account(const check_t *self, const name_t *name, account_t *out);
/* In the record's group. */
bool check_find_member(const check_t *self, const name_t *name, membership_t *out);

/* One for each kind of record, called with its key parsed. */
void check_info(check_t *self);
void check_account(check_t *self);
void check_invite(check_t *self);
void check_restore(check_t *self);
void check_restored(check_t *self);
void check_group_name(check_t *self);
void check_head(check_t *self);
void check_commit(check_t *self);
void check_event(check_t *self);
void check_member(check_t *self);
void check_leaf(check_t *self);
void check_node(check_t *self);
void check_sent(check_t *self);
void check_cursor(check_t *self);
void check_join(check_t *self);
void check_leave(check_t *self);
void check_welcome(check_t *self);
void check_membership(check_t *self);
void check_former(check_t *self);
void check_asked(check_t *self);

#endif
