/* SPDX-License-Identifier: MPL-2.0 */
/* What the rules keep in memory, shared by the files of this folder only. */
#ifndef CONCLAVE_BROKER_RULES_STATE_H
#define CONCLAVE_BROKER_RULES_STATE_H

#include "broker/rules/rates.h"
#include "broker/rules/records.h"
#include "broker/rules/rules.h"
#include "broker/rules/table.h"
#include "broker/store/overlay.h"
#include "proto/message.h"

/*
 *   peer 1 --- 0..1 session * --- 1 user 1 --- * member * --- 1 group
 *
 * Groups and members are copies of records. A member is pinned while its user is online, a group
 * while it has members in memory or is dirty. Peers, sessions and users exist in memory only.
 */
typedef struct peer peer_t;
typedef struct session session_t;
typedef struct user user_t;
typedef struct group group_t;
typedef struct member member_t;

/* A part of a peer's output that is one frame. */
typedef struct {
    size_t end;
    size_t told_end;
    uint32_t replies;
    uint32_t pushes;
} frame_cut_t;

/* What waits to be sent to a peer. */
typedef struct {
    buffer_t bytes;
    frame_cut_t *cuts; /* the last one is still open */
    size_t cut_count;
    size_t cut_capacity;
    rules_push_t *told; /* the pushes, while somebody listens */
    size_t told_count;
    size_t told_capacity;
    size_t settled_bytes; /* what doesn't depend on the turn's write */
    size_t settled_cuts;
    frame_cut_t settled_last;
} output_t;

struct peer {
    rules_peer_t address;
    bool greeted;
    bool gone; /* freed when the next turn begins */
    bool touched;
    uint32_t requests; /* of this turn */
    uint64_t used_ms;  /* mono */
    uint64_t probed_ms;
    session_t *session;
    uint8_t challenge[CHALLENGE_BYTES];
    name_t challenge_name;
    uint64_t challenge_ms; /* mono */
    bool has_challenge;
    bucket_t bucket;
    output_t output;
};

struct session {
    peer_t *peer;
    user_t *user;   /* NULL once it ended */
    status_t ended; /* why, STATUS_OK while it lives */
    uint8_t token_hash[HASH_BYTES];
    uint8_t purpose;
    uint64_t opened_ms; /* mono */
    uint64_t used_ms;
    uint64_t turn;  /* that opened it */
    bool tentative; /* opened after that turn's first write */
    uint64_t push_number;
};

/* Where a polling task stopped because its reply was full: the group, and the record's key. */
typedef struct {
    bool is_set;
    uint8_t group[GROUP_ID_BYTES];
    store_key_t after;
} duty_mark_t;

struct user {
    name_t name;
    session_t *sessions[PURPOSE_DUTIES + 1]; /* by purpose, [0] unused */
    bool loaded;                             /* members holds the current memberships */
    member_t **members;
    size_t member_count;
    size_t member_capacity;
    bool no_keys_wait; /* a scan found none, and none came since */
    duty_mark_t joins_mark;
    duty_mark_t leaves_mark;
};

#define GROUP_NAME_KEY_BYTES (GROUP_ID_BYTES + NAME_MAX_BYTES)

struct member {
    group_t *group;
    name_t name;
    membership_t record;
    sent_t *ring; /* SENDER_WINDOW slots, NULL: not read yet */
    uint64_t *ring_versions;
    size_t ring_newest; /* slot */
    user_t *user;       /* when online */
    size_t online_index;
    /* The events session's view */
    bool listening; /* pushes follow on pushed_to */
    uint64_t pushed_to;
    size_t window_bytes; /* pushed since the last poll */
    uint64_t cursor;
    bool cursor_known;
    bool cursor_dirty;
};

/* Events of one turn that are pushed together. */
typedef struct {
    size_t start;
    size_t end;
    uint64_t first;
    uint32_t count;
} chunk_t;

struct group {
    uint8_t id[GROUP_ID_BYTES];
    head_t head;
    uint64_t version;
    bool dirty;
    bool swept;             /* its records are gone, this copy waits to be evicted */
    uint64_t hold_until_ms; /* mono; counts while leaves are due, see hold.h */
    bool hold_told;         /* its members heard that the hold time is over */
    size_t copies;          /* members in memory */
    member_t **online;
    size_t online_count;
    size_t online_capacity;
    /* This turn's events */
    bool appended;
    bool chunk_closed;
    buffer_t events;
    chunk_t *chunks;
    size_t chunk_count;
    size_t chunk_capacity;
};

/* A list of borrowed pointers. */
typedef struct {
    void **items;
    size_t count;
    size_t capacity;
} pointers_t;

/* An answer that depends on the turn's write. */
typedef struct {
    peer_t *peer;
    verb_t verb;
    uint64_t id;
} tentative_t;

/* A nudge that waits until the turn's replies are complete. */
typedef struct {
    name_t user;
    uint8_t group[GROUP_ID_BYTES];
    uint64_t task;
} nudge_t;

typedef union {
#define RECORD(record, fields)
#define PUSH(code, verb, fields)
#define REQUEST(code, verb, request_fields, reply_fields) verb##_reply_t verb##_reply;
#include "proto/messages.def"
#undef RECORD
#undef PUSH
#undef REQUEST
} reply_t;

/* One request on its way through the rules. */
typedef struct {
    rules_t *rules;
    peer_t *peer;
    user_t *user; /* NULL before login, and once the request has ended the session */
    session_t *session;
    name_t user_name; /* who was logged in, for the trace: also after that end */
    const message_t *message;
    size_t size_bytes;
    reply_t reply;
    bool reply_despite_refusal; /* the fields count although the status isn't OK */
    group_t *group;             /* once known, for the trace */
    uint64_t sequence;
} request_t;

struct rules {
    rules_config_t config;
    store_t *store;
    overlay_t *overlay;
    store_unit_t unit;
    uint8_t incarnation[INCARNATION_BYTES];
    uint64_t now_ms;
    uint64_t mono_ms;
    uint64_t turn;
    table_t *peers;    /* by routing id */
    table_t *sessions; /* by token hash */
    table_t *users;    /* online, by name */
    table_t *groups;   /* by id */
    table_t *members;  /* by id and name */
    table_t *rates;    /* by user name, kept by dispatch.c */
    bucket_t register_bucket;
    pointers_t dirty_groups;
    pointers_t appended_groups;
    pointers_t dirty_cursors;
    pointers_t touched_peers;
    pointers_t gone_peers;
    pointers_t lent; /* what replies point to, freed after each */
    tentative_t *tentative;
    size_t tentative_count;
    size_t tentative_capacity;
    nudge_t *nudges;
    size_t nudge_count;
    size_t nudge_capacity;
    buffer_t scratch; /* a record being written */
    size_t output_peer;
    size_t output_cut;
    bool draining;
    bool wrote;             /* between prepare and finish: there is a unit */
    bool is_upkeep;         /* all that this turn writes came from its tick */
    bool turn_failed;       /* a put could not read its version: this turn can't be written */
    uint64_t full_until_ms; /* mono; before it writes are refused with STORE_FULL */
    uint64_t next_sweep_ms;
    uint64_t next_flush_ms;
    uint64_t next_second_ms;
    bool probes_due; /* a second has passed */
    uint8_t sweep_group[GROUP_ID_BYTES]; /* where the sweep goes on */
    bool sweep_begun;
    rules_counters_t counters;
};

void pointers_add(pointers_t *self, void *item);
void pointers_free(pointers_t *self);

/* Whether this turn has anything to write so far. */
bool rules_turn_writes(const rules_t *self);

/* Memory that lives until the reply of the current request is written. */
void *rules_lend(rules_t *self, size_t size);
void rules_return_lent(rules_t *self);

#endif
