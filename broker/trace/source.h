/* SPDX-License-Identifier: MPL-2.0 */
/* What the rules tell, completed with times and ids and put into a queue. The router's thread. */
#ifndef CONCLAVE_BROKER_TRACE_SOURCE_H
#define CONCLAVE_BROKER_TRACE_SOURCE_H

#include "broker/trace/queue.h"
#include "proto/trace_context.h"

/* Owned by the thread that puts into the queue, which is borrowed. */
typedef struct {
    trace_queue_t *queue;
    trace_record_t *received; /* slot of the request under way, completed when it is answered */
    bool is_open;             /* a request is under way */
    uint8_t trace_id[TRACE_ID_BYTES]; /* its ids */
    uint8_t span_id[SPAN_ID_BYTES];
    uint8_t parent_id[SPAN_ID_BYTES];
    uint64_t ids[3];    /* what ids are made of: a trace id's two halves, a span id */
    uint64_t write_us;  /* how long the turn's write took */
    uint64_t *fan_outs; /* numbers of their records, of what isn't published yet */
    size_t fan_out_count;
    size_t fan_out_capacity;
} trace_source_t;

void trace_source_init(trace_source_t *self, trace_queue_t *queue);
void trace_source_wipe(trace_source_t *self);

/* A trace_listen_t; context is the source. Nothing is seen by others before
 * trace_source_publish. */
uint64_t trace_source_listen(void *context, const trace_record_t *record);

/* What was told as pushed could not be sent: before it is published it becomes a push that was
 * dropped, and its fan-out went to a member less. step: what trace_source_listen returned. */
void trace_source_push_dropped(trace_source_t *self, uint64_t step, trace_reason_t reason);

/* Said before rules_finish, for its record of the write. */
void trace_source_wrote(trace_source_t *self, uint64_t duration_us);

void trace_source_publish(trace_source_t *self);

#endif
