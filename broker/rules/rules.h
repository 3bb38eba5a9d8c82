/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's rules without sockets: frames and the time in, one write and frames out, a turn at a
 * time. */
#ifndef CONCLAVE_BROKER_RULES_RULES_H
#define CONCLAVE_BROKER_RULES_RULES_H

#include "broker/rules/trace.h"
#include "broker/store/store.h"
#include "proto/bytes.h"
#include "proto/limits.h"
#include "proto/name.h"
#include "proto/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One turn:
 *
 *   rules_begin -> rules_receive (any number) , rules_tick -> rules_prepare -> [store_write] ->
 * rules_finish -> take the frames -> next rules_begin
 *
 * Between rules_prepare and rules_finish nothing of rules_t may be called, and the store may be
 * written by nobody but the caller's store_write of this turn's unit. Frames that arrive meanwhile
 * wait outside. Owned by one thread; only the unit that rules_prepare lends may be read by another
 * meanwhile.
 */
typedef struct rules rules_t;

#define ROUTING_ID_MAX_BYTES 16

/* Who sent a frame, or is to get one: the ROUTER's routing id, and the CURVE key that the
 * connection proved. */
typedef struct {
    uint8_t id[ROUTING_ID_MAX_BYTES];
    uint8_t id_size;
    uint8_t curve_key[KEY_BYTES];
} rules_peer_t;

/* A bucket of tokens: starts with `burst`, gains per_minute a minute, never holds more than burst.
 * burst 0: unlimited. */
typedef struct {
    uint32_t burst;
    uint32_t per_minute;
} rules_rate_t;

/* Who may register: everybody, whom the operator invited, nobody. */
typedef enum { REGISTRATION_OPEN, REGISTRATION_INVITE, REGISTRATION_CLOSED } registration_mode_t;
extern const char *const registration_names[]; /* by mode; NULL at the end */

/* All zero but broker_key is not usable: start from rules_config_default. Copied by rules_new. */
typedef struct {
    uint8_t broker_key[KEY_BYTES]; /* public, of the CURVE server */
    char software[SOFTWARE_MAX_BYTES + 1];
    uint64_t idle_ms;                /* a session ends after this without a request */
    uint64_t probe_ms;               /* who was silent for so long is sent a sign of life */
    uint64_t absolute_ms;            /* and after this in any case */
    uint64_t retention_ms;           /* the log keeps nothing older, whoever hasn't read it */
    uint64_t sweep_period_ms;        /* one step of the sweep a period */
    uint64_t cursor_flush_period_ms; /* acknowledged cursors are stored this late at most */
    uint64_t full_probe_ms;          /* after STORE_FULL writes are refused at once for so long */
    registration_mode_t registration;
    size_t peers_max;
    size_t
        output_max_bytes; /* replies to one peer in one turn; what asks for more is RATE_LIMITED */
    size_t cached_groups_max;
    size_t cached_members_max; /* those of offline users */
    size_t pending_joins_max;  /* per group */
    size_t groups_per_user_max;
    rules_rate_t register_all;         /* all connections together */
    rules_rate_t challenge_connection; /* register, challenge, login of one connection */
    rules_rate_t membership_user;      /* create, join, leave of one user */
    trace_listen_t *listen;            /* NULL: nobody listens */
    void *listen_context;
} rules_config_t;

rules_config_t rules_config_default(const uint8_t broker_key[static KEY_BYTES]);

/* `store` is borrowed and must outlive the rules. Nothing is read yet. */
rules_t *rules_new(store_t *store, const rules_config_t *config);
void rules_destroy(rules_t **self);

/*
 * Reads what the store says of itself; in an empty store writes its format and a random incarnation
 * (one synced store_write). To be called once before the first turn. STATUS_NEWER_FORMAT: written
 * by a newer broker. STATUS_STORE_FAILED, STATUS_STORE_FULL.
 */
MUST_CHECK status_t rules_open(rules_t *self);

/* The 16 bytes that name this store's history; constant from rules_open on, in any thread. */
const uint8_t *rules_incarnation(const rules_t *self);

/* Begins a turn. now_ms: wall clock since 1970, for what people see; mono_ms: CLOCK_BOOTTIME, for
 * lifetimes. Both may stand still; mono_ms never goes back. */
void rules_begin(rules_t *self, uint64_t now_ms, uint64_t mono_ms);

/* One whole frame. Everything in it is carried out or refused; the answers wait for rules_finish.
 * The bytes are not kept. */
void rules_receive(rules_t *self, const rules_peer_t *peer, bytes_t frame);

/* What time brings: sessions that expire, hold times that end, cursors to store, a step of the
 * retention sweep. Inside a turn; cheap when nothing is due. */
void rules_tick(rules_t *self);

/* Bytes waiting to be written, so that the caller can bound a batch. */
size_t rules_write_bytes(const rules_t *self);

/* Lifetimes that may change while running. Between turns. A client keeps the idle_ms that its
 * login was told: a session may end sooner than it thinks, and it logs in anew. */
void rules_set_lifetimes(rules_t *self, uint64_t idle_ms, uint64_t retention_ms);
void rules_set_registration(rules_t *self, registration_mode_t mode);

/* Ends a user's sessions; they have to log in again, if they can. Between turns. */
void rules_end_sessions(rules_t *self, const name_t *user);

/* Requests refused from now on with DRAINING, all but polls and logout. */
void rules_drain(rules_t *self);

/*
 * Ends the taking in. Returns how many units are to be written with one store_write: 0 (call
 * rules_finish with STATUS_OK at once, no sync needed) or 1. *units is lent until rules_finish.
 */
size_t rules_prepare(rules_t *self, const store_unit_t **units);

/*
 * Ends the turn. outcome: STATUS_OK if all was written (or there was nothing to write); else what
 * store_write returned, or a unit's STATUS_CONFLICT.
 *  - STATUS_OK: all frames are released.
 *  - STATUS_STORE_FULL (nothing was stored): what was asked after the turn's first write is
 * answered STATUS_STORE_FULL; nothing is pushed.
 *  - else (it is unknown whether it was stored): no frame at all, and sessions opened in this turn
 * are gone. But for STATUS_OK all copies in memory are dropped (rules_reset_caches).
 */
void rules_finish(rules_t *self, status_t outcome);

/* A push in a frame. */
typedef struct {
    verb_t verb;
    uint64_t step; /* what the listener calls its record (trace_listen_t) */
} rules_push_t;

/* One frame to send. Lent until the next rules_begin. */
typedef struct {
    const rules_peer_t *peer;
    bytes_t frame;
    const name_t *user; /* whose session it is; empty: nobody's */
    uint32_t replies;   /* messages in the frame: for counting what was dropped */
    uint32_t pushes;
    const rules_push_t *told; /* its pushes, while somebody listens */
    size_t told_count;
} rules_output_t;

/* The released frames one by one, in the order they must be sent to each peer; false when there are
 * no more. */
bool rules_next_output(rules_t *self, rules_output_t *out);

/* Sending failed because the connection is gone: its session ends. Between turns or inside one
 * before rules_prepare. Unknown ids are fine. */
void rules_peer_gone(rules_t *self, const uint8_t *id, size_t id_size);

/* Forgets all copies of records. The store is read again when needed; after store_reopen nothing
 * else is to be done. */
void rules_reset_caches(rules_t *self);

/* When rules_tick has something to do next at the latest, in the terms of mono_ms. */
uint64_t rules_next_tick(const rules_t *self);

/* From now on another listener, or none (NULL). Between turns. */
void rules_listen(rules_t *self, trace_listen_t *listen, void *context);

/* Living counts and totals since the start. Lent as long as the rules live; read it in the same
 * thread. */
const rules_counters_t *rules_counters(const rules_t *self);

#endif
