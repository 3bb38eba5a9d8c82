/* SPDX-License-Identifier: MPL-2.0 */
/* Takes the trace records from who makes them and gives them to who listens. */
#ifndef CONCLAVE_BROKER_TRACE_HUB_H
#define CONCLAVE_BROKER_TRACE_HUB_H

#include "broker/trace/filter.h"
#include "broker/trace/source.h"

#define TRACE_LISTENERS_MAX    32
#define TRACE_LISTENER_RECORDS 8192 /* that wait for a listener; more are dropped and counted */
#define TRACE_REMEMBERED_MAX   1048576

/*
 *   router -> source -> queue -\
 *                               hub's thread -> what is remembered, and each listener's queue
 *   monitor ----------> queue -/
 *
 * Nobody who makes records waits for anybody. Functions may be called in any thread but where they
 * say otherwise.
 */
typedef struct trace_hub trace_hub_t;
typedef struct trace_listener trace_listener_t;

/* Remembers the last `remembered` records for listeners to come, at most TRACE_REMEMBERED_MAX. NULL
 * with errno set: no thread or descriptor. */
trace_hub_t *trace_hub_new(size_t remembered);
/* All listeners must have gone. */
void trace_hub_destroy(trace_hub_t **self);

/* A listener has begun to lose steps; or it has left, having lost so many in all. In any thread, with
 * no lock held: by the time that it hears of the first, the listener may have left. */
typedef void trace_hub_loss_t(void *context, const char *who, uint64_t lost, bool has_left);
/* Before anybody listens. */
void trace_hub_on_loss(trace_hub_t *self, trace_hub_loss_t *tell, void *context);

/* The router's thread only. */
trace_source_t *trace_hub_source(trace_hub_t *self);
/* The monitor's thread only. */
void trace_hub_handshake_failed(trace_hub_t *self, trace_reason_t reason);

/* Whether anybody wants records: somebody listens, or they are remembered. */
bool trace_hub_is_wanted(const trace_hub_t *self);
/* Since the start: records that the hub's own queues had no room for. */
uint64_t trace_hub_dropped(const trace_hub_t *self);
/* Now, and since the start: who listens, and the records that were lost since a listener was too
 * slow for them, each for each listener. */
size_t trace_hub_listeners(trace_hub_t *self);
uint64_t trace_hub_lost(trace_hub_t *self);
size_t trace_hub_remembered(trace_hub_t *self);

/* who: for people, in static storage. NULL: TRACE_LISTENERS_MAX listen already, or no descriptor.
 * with_past: what is remembered comes
 * first. It is not copied: who reads it so slowly that it is overwritten loses steps. */
trace_listener_t *trace_listen(trace_hub_t *self, const trace_filter_t *filter, bool with_past,
                               const char *who);
void trace_unlisten(trace_listener_t **self);

/* Readable while there is something to take, or a past to look through. */
int trace_listener_fd(const trace_listener_t *self);
/* Moves at most max records to out, oldest first, and says how many; *dropped: how many were lost
 * before these, of the past whether they would have passed the filter or not. */
size_t trace_listener_take(trace_listener_t *self, trace_record_t *out, size_t max,
                           uint64_t *dropped);

#endif
