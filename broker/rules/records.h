/* SPDX-License-Identifier: MPL-2.0 */
/* The layout of everything the broker stores: keys, and records that each start with a format
 * number. */
#ifndef CONCLAVE_BROKER_RULES_RECORDS_H
#define CONCLAVE_BROKER_RULES_RECORDS_H

#include "broker/store/store.h"
#include "proto/bytes.h"
#include "proto/name.h"

/*
 * Keys start with one letter. G is a group's id (16), U a user's and N a group's name as name8, all
 * integers are big-endian:
 *
 *   !            store: its format, incarnation         (one record)
 *   a U          account
 *   i U          the operator's invite to register this name
 *   n N          group id of a living group
 *   h G          head: all the rules read about a group
 *   c G epoch8   which commit left this epoch
 *   e G seq8     event
 *   m G U        member, present or past
 *   l G leaf4    roster entry
 *   r G lvl1 i4  Merkle node of the roster; absent = 32 zero bytes
 *   s G U slot1  one of a sender's last accepted messages
 *   k G U        a current member's acknowledged cursor
 *   j G U        pending join
 *   v G leaf4    leave without a removal yet
 *   w U G seq8   welcome that waits
 *   u U G        current memberships of a user (empty record)
 *   f U G        past ones (empty record)
 *   q U G        pending joins of a user (empty record)
 *   b n4         the n-th restore of this store, from 1: which incarnation it replaced
 *   d G n4       where a group's log ended at that restore
 */
#define RECORD_FORMAT 1

enum {
    KEY_STORE = '!',
    KEY_ACCOUNT = 'a',
    KEY_INVITE = 'i',
    KEY_NAME = 'n',
    KEY_HEAD = 'h',
    KEY_COMMIT = 'c',
    KEY_EVENT = 'e',
    KEY_MEMBER = 'm',
    KEY_LEAF = 'l',
    KEY_NODE = 'r',
    KEY_SENT = 's',
    KEY_CURSOR = 'k',
    KEY_JOIN = 'j',
    KEY_LEAVE = 'v',
    KEY_WELCOME = 'w',
    KEY_MEMBERSHIP = 'u',
    KEY_FORMER = 'f',
    KEY_ASKED = 'q',
    KEY_RESTORE = 'b',
    KEY_RESTORED = 'd'
};

/* A key being put together; never longer than its bytes. */
typedef struct {
    uint8_t bytes[1 + 1 + NAME_MAX_BYTES + GROUP_ID_BYTES + 8];
    size_t size;
} store_key_t;

store_key_t key_of_kind(int kind);
store_key_t key_of_group(int kind, const uint8_t group[static GROUP_ID_BYTES]);
store_key_t key_of_name(int kind, const name_t *name);
store_key_t key_of_group_name(int kind, const uint8_t group[static GROUP_ID_BYTES],
                              const name_t *name);
store_key_t key_of_name_group(int kind, const name_t *name,
                              const uint8_t group[static GROUP_ID_BYTES]);
/* Cut off if it is longer than any that is ever written. */
store_key_t key_of_record(const store_record_t *record);
void key_u8(store_key_t *self, uint8_t value);
void key_u32(store_key_t *self, uint32_t value);
void key_u64(store_key_t *self, uint64_t value);

/* Visits the records of a store whose keys start with the prefix; reverse: the last one first. */
MUST_CHECK status_t visit_stored(store_t *store, const store_key_t *prefix, bool reverse,
                                 store_visit_t *visit, void *context);

typedef struct {
    uint8_t incarnation[INCARNATION_BYTES];
} store_info_t;

/* GONE: unregistered, the name stays reserved. RESET: by the operator, free for who is invited. */
typedef enum { ACCOUNT_GONE, ACCOUNT_ALIVE, ACCOUNT_DISABLED, ACCOUNT_RESET } account_state_t;

typedef struct {
    uint8_t identity_key[KEY_BYTES];
    uint8_t signature[SIGNATURE_BYTES];
    uint64_t since_ms;
    account_state_t state;
} account_t;

/* Whether the key is that of a user, one who is disabled included. */
bool account_is_alive(const account_t *self);

typedef struct {
    uint8_t hash[HASH_BYTES]; /* of the invite, which is told once and not kept */
    uint64_t until_ms;        /* wall clock */
} invite_t;

void invite_hash(uint8_t out[static HASH_BYTES], const uint8_t invite[static INVITE_BYTES]);

typedef struct {
    name_t name;
    name_t creator;
    uint8_t creator_key[KEY_BYTES];
    uint8_t join_policy;
    bool ended;
    uint8_t depth;
    uint64_t hold_ms;
    uint64_t epoch;
    uint8_t transcript[HASH_BYTES];
    uint64_t sequence;           /* of the last event */
    uint64_t first_sequence;     /* of the oldest event still kept */
    uint64_t last_ms;            /* when the last event came; the log's times never go back */
    uint32_t members;            /* current ones, who have not left */
    uint32_t admins;             /* among them */
    uint32_t leaves_due;         /* leaves without a removal */
    uint64_t rekey_due_since_ms; /* the earliest of them, 0 if none */
    uint32_t pending_joins;
} head_t;

typedef struct {
    uint64_t sequence;
    uint64_t time_ms;
    uint8_t hash[HASH_BYTES]; /* of the commit's bytes */
} commit_record_t;

/* payload is a view into what was decoded. */
typedef struct {
    uint8_t kind;
    uint64_t time_ms;
    name_t sender;
    bytes_t payload;
} event_t;

typedef struct {
    uint8_t identity_key[KEY_BYTES];
    uint32_t leaf;
    uint64_t epoch_added;
    uint8_t role;
    bool left;    /* by an own leave, whose hash stands below */
    bool removed; /* the leaf is gone from the roster */
    uint64_t joined_sequence;
    uint64_t until_sequence; /* 0: current */
    uint8_t leave_hash[HASH_BYTES];
} membership_t;

typedef struct {
    name_t name;
    uint8_t identity_key[KEY_BYTES];
    uint64_t epoch_added;
    uint8_t role;
} leaf_record_t;

typedef struct {
    uint64_t epoch;
    uint32_t leaf;
    uint32_t generation;
    uint64_t sequence; /* 0: the slot is free */
    uint64_t time_ms;
    uint8_t hash[HASH_BYTES];
} sent_t;

typedef struct {
    uint64_t since_ms;
    bytes_t request;
} join_record_t;

typedef struct {
    name_t name;
    uint64_t sequence;
    uint64_t since_ms;
    bytes_t statement;
} leave_record_t;

typedef struct {
    name_t group_name;
    bytes_t sealed;
} waiting_welcome_t;

typedef struct {
    uint8_t incarnation[INCARNATION_BYTES]; /* that it replaced */
    uint64_t time_ms;
} restore_t;

typedef struct {
    uint64_t sequence;
    uint64_t epoch;
} log_end_t;

/* Each appends a whole record; each _read gives false for damaged bytes or another format. */
void store_info_write(const store_info_t *self, buffer_t *out);
void invite_write(const invite_t *self, buffer_t *out);
void account_write(const account_t *self, buffer_t *out);
void head_write(const head_t *self, buffer_t *out);
void commit_record_write(const commit_record_t *self, buffer_t *out);
void event_write(const event_t *self, buffer_t *out);
void membership_write(const membership_t *self, buffer_t *out);
void leaf_record_write(const leaf_record_t *self, buffer_t *out);
void sent_write(const sent_t *self, buffer_t *out);
void join_record_write(const join_record_t *self, buffer_t *out);
void leave_record_write(const leave_record_t *self, buffer_t *out);
void waiting_welcome_write(const waiting_welcome_t *self, buffer_t *out);
void restore_write(const restore_t *self, buffer_t *out);
void log_end_write(const log_end_t *self, buffer_t *out);
void number_record_write(uint64_t number, buffer_t *out); /* a cursor */
void bytes_record_write(bytes_t bytes, buffer_t *out);    /* a group id, a node's hash, nothing */

bool store_info_read(store_info_t *out, bytes_t bytes);
bool invite_read(invite_t *out, bytes_t bytes);
bool account_read(account_t *out, bytes_t bytes);
bool head_read(head_t *out, bytes_t bytes);
bool commit_record_read(commit_record_t *out, bytes_t bytes);
bool event_read(event_t *out, bytes_t bytes);
bool membership_read(membership_t *out, bytes_t bytes);
bool leaf_record_read(leaf_record_t *out, bytes_t bytes);
bool sent_read(sent_t *out, bytes_t bytes);
bool join_record_read(join_record_t *out, bytes_t bytes);
bool leave_record_read(leave_record_t *out, bytes_t bytes);
bool waiting_welcome_read(waiting_welcome_t *out, bytes_t bytes);
bool restore_read(restore_t *out, bytes_t bytes);
bool log_end_read(log_end_t *out, bytes_t bytes);
bool number_record_read(uint64_t *out, bytes_t bytes);
bool bytes_record_read(void *out, size_t size, bytes_t bytes);

#endif
