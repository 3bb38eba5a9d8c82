/* SPDX-License-Identifier: MPL-2.0 */
/* What the rules tell about their steps: typed records for a listener, and counters. */
#ifndef CONCLAVE_BROKER_RULES_TRACE_H
#define CONCLAVE_BROKER_RULES_TRACE_H

#include "proto/message.h"

/* X(NAME, "name"): what happened. */
#define TRACE_STEPS(X)                                                                             \
    X(RECEIVED, "received")         /* a request was read: size_bytes, without its token */        \
    X(ACCEPTED, "accepted")         /* and will be answered OK, once stored */                     \
    X(REFUSED, "refused")           /* or not, with status */                                      \
    X(APPENDED, "appended")         /* an event got its sequence */                                \
    X(STORED, "stored")             /* the turn's write: size_bytes, count records, duration_us */ \
    X(STORE_FAILED, "store failed") /* or not, with status */                                      \
    X(FANNED_OUT, "fanned out")     /* sequence..last_sequence went to count members */            \
    X(PUSHED, "pushed")             /* size_bytes of count events to user */                       \
    X(PUSH_DROPPED, "push dropped") /* it was not, for reason: the user has to poll */             \
    X(FETCHED, "fetched")           /* the same by a poll */                                       \
    X(CURSOR_MOVED, "cursor moved") /* the user has all up to sequence */                          \
    X(SESSION_OPENED, "session opened")                                                            \
    X(SESSION_ENDED, "session ended")       /* status: why */                                      \
    X(HANDSHAKE_FAILED, "handshake failed") /* for reason; nobody is known by then */

typedef enum {
#define X(step, name) TRACE_##step,
    TRACE_STEPS(X)
#undef X
        TRACE_STEP_COUNT
} trace_step_t;

#define TRACE_REASONS(X)                                                                           \
    X(NONE, "")                                                                                    \
    X(BEHIND, "behind")           /* earlier events have to be polled first */                     \
    X(WINDOW_FULL, "window full") /* too much was pushed since the last poll */                    \
    X(QUEUE_FULL, "queue full")   /* the connection takes no more */                               \
    X(GONE, "connection gone")                                                                     \
    X(LEFT, "left")                  /* events after a leave or removal are not theirs */          \
    X(NO_DETAIL, "no detail")        /* a failed handshake: too slow, or broken off */             \
    X(PROTOCOL, "other protocol")    /* no CURVE, or for a broker with another key */              \
    X(AUTHENTICATION, "not allowed") /* by the quota */

typedef enum {
#define X(reason, name) TRACE_REASON_##reason,
    TRACE_REASONS(X)
#undef X
        TRACE_REASON_COUNT
} trace_reason_t;

/*
 * trace_record_t is in proto/operator.def. Fields that don't apply are zero or empty. Set here: all
 * but time_us, duration_us and span_id, which are the listener's business (trace_id and parent_id
 * are the request's traceparent's, if it has one).
 *
 * - turn: the batch; its TRACE_STORED speaks for all its records
 * - request: the request's id on its connection
 * - user: who asked, or who gets it; empty before login
 * - sequence: of the first event concerned; last_sequence: of the last one
 * - a push of no events that is dropped has its verb (nudge, replaced) and no sequence
 */
/* Called in the rules' thread, inside a turn. It may not call the rules, and does not keep the
 * record. Returns what it calls the record, for who learns more of it before the turn's output is
 * sent; 0: nothing. */
typedef uint64_t trace_listen_t(void *context, const trace_record_t *record);

#define COUNTED_VERBS    128 /* a verb unknown or above counts as 0 */
#define COUNTED_STATUSES STATUS_FIRST_LOCAL

/* answered[verb][status]: requests by outcome; answered[v][STATUS_OK] are those done. */
typedef struct {
    uint64_t answered[COUNTED_VERBS][COUNTED_STATUSES];
    uint64_t turns; /* also the number of the last one, as records have it */
    uint64_t writes;
    uint64_t writes_failed;
    uint64_t reads_failed; /* requests refused since a record could not be read, or is damaged */
    uint64_t events_appended;
    uint64_t events_pushed;  /* to each member */
    uint64_t pushes_dropped; /* members that had to wait for their next poll */
    uint64_t events_fetched;
    uint64_t events_swept;
    uint64_t peers; /* living */
    uint64_t sessions;
    uint64_t users_online;
    uint64_t groups_cached;
    uint64_t members_cached;
} rules_counters_t;

#endif
