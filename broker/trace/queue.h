/* SPDX-License-Identifier: MPL-2.0 */
/* Trace records from one thread to another without a lock. A full queue drops and counts: the
 * thread that puts never waits. */
#ifndef CONCLAVE_BROKER_TRACE_QUEUE_H
#define CONCLAVE_BROKER_TRACE_QUEUE_H

#include "broker/rules/trace.h"

typedef struct trace_queue trace_queue_t;

/* Room for `capacity` records, a power of two. NULL with errno set if no eventfd can be had. */
trace_queue_t *trace_queue_new(size_t capacity);
void trace_queue_destroy(trace_queue_t **self);

/* --- The thread that puts ------------------------------------------------------------------- */

/* The place for the next record, not seen by the other side until trace_queue_publish; NULL: full,
 * and counted as dropped. */
trace_record_t *trace_queue_slot(trace_queue_t *self);
/* The number of the slot given last, from 1 on. */
uint64_t trace_queue_number(const trace_queue_t *self);
/* The slot with that number as long as the other side has not seen it; NULL: it has, or there is
 * none. */
trace_record_t *trace_queue_unpublished(trace_queue_t *self, uint64_t number);
/* All slots given out so far may be taken. Wakes the other side if it waits. */
void trace_queue_publish(trace_queue_t *self);

/* --- The thread that takes ------------------------------------------------------------------ */

/* How many records lie ready; the one at `index` of them; forgets the first `count`. */
size_t trace_queue_ready(const trace_queue_t *self);
const trace_record_t *trace_queue_at(const trace_queue_t *self, size_t index);
void trace_queue_pop(trace_queue_t *self, size_t count);

/* Readable when something was published after trace_queue_sleeps, which says false (don't wait) if
 * something is there already. trace_queue_wakes resets it. */
int trace_queue_fd(const trace_queue_t *self);
bool trace_queue_sleeps(trace_queue_t *self);
void trace_queue_wakes(trace_queue_t *self);

/* Any thread: dropped since the start. */
uint64_t trace_queue_dropped(const trace_queue_t *self);

#endif
