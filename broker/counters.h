/* SPDX-License-Identifier: MPL-2.0 */
/* What the broker counts around its rules: connections, frames, batches. */
#ifndef CONCLAVE_BROKER_COUNTERS_H
#define CONCLAVE_BROKER_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#define COUNTERS(X)                                                                                \
    X(connections)          /* open now */                                                         \
    X(connections_accepted) /* on TCP */                                                           \
    X(connections_refused)  /* by the quota */                                                     \
    X(handshakes)           /* CURVE handshakes that succeeded */                                  \
    X(handshakes_failed)    /* wrong key, plain or other protocol, too slow */                     \
    X(frames_received)                                                                             \
    X(frames_without_user) /* dropped: no CURVE key known */                                       \
    X(frames_multipart)    /* dropped */                                                           \
    X(frames_sent)                                                                                 \
    X(replies_dropped) /* the client is too slow or gone; it asks again */                         \
    X(pushes_dropped)  /* the same; it polls */                                                    \
    X(peers_gone)      /* found when sending */                                                    \
    X(batches)                                                                                     \
    X(writes)                                                                                      \
    X(writes_failed)                                                                               \
    X(writes_refused) /* disk nearly full */                                                       \
    X(draining)       /* 1 from the signal to stop on */                                           \
    X(store_closed)   /* 1 after a failed write, until the store is open again */                  \
    X(queued_frames)  /* request frames that wait for their batch now */                           \
    X(queued_bytes)

/* Each is written by any thread with relaxed order: they are for people, not for decisions, save
   `connections`, which the quota reads. */
typedef struct {
#define X(name) atomic_uint_fast64_t name;
    COUNTERS(X)
#undef X
} counters_t;

static inline void counter_add(atomic_uint_fast64_t *counter, uint64_t count)
{
    atomic_fetch_add_explicit(counter, count, memory_order_relaxed);
}

static inline void counter_set(atomic_uint_fast64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

static inline uint64_t counter_get(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
