/* SPDX-License-Identifier: MPL-2.0 */
/* What the rules tell about their steps: typed records for a listener, and counters. No field can
 * hold a payload, token or key. */
#ifndef CONCLAVE_BROKER_RULES_TRACE_H
#define CONCLAVE_BROKER_RULES_TRACE_H

#include "proto/message.h"

typedef enum {
    TRACE_RECEIVED,     /* a request was read */
    TRACE_ACCEPTED,     /* and will be answered OK, once stored */
    TRACE_REFUSED,      /* or not, with status */
    TRACE_APPENDED,     /* an event got its sequence number */
    TRACE_STORED,       /* the turn's write succeeded; size_bytes */
    TRACE_STORE_FAILED, /* or not, with status */
    TRACE_PUSHED,       /* events up to sequence went to `count` members */
    TRACE_PUSH_DROPPED, /* `count` members were behind or had no window left */
    TRACE_FETCHED,      /* `count` events were fetched by poll */
    TRACE_SESSION_OPENED,
    TRACE_SESSION_ENDED /* status: why */
} trace_step_t;

/* Fields that don't apply are zero or empty. Names and texts are lent for the call. */
typedef struct {
    trace_step_t step;
    verb_t verb;
    status_t status;
    uint64_t id; /* the request's */
    text_t traceparent;
    const char *user;  /* "" before login */
    const char *group; /* its name, "" */
    uint64_t epoch;
    uint64_t sequence;
    uint64_t size_bytes;
    uint64_t count;
} trace_record_t;

/* Called in the rules' thread, inside a turn. It may not call the rules. Times are the listener's
 * own business. */
typedef void trace_listen_t(void *context, const trace_record_t *record);

#define COUNTED_VERBS    128 /* a verb unknown or above counts as 0 */
#define COUNTED_STATUSES STATUS_FIRST_LOCAL

/* answered[verb][status]: requests by outcome; answered[v][STATUS_OK] are those done. */
typedef struct {
    uint64_t answered[COUNTED_VERBS][COUNTED_STATUSES];
    uint64_t turns;
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
