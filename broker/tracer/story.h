/* SPDX-License-Identifier: MPL-2.0 */
/* One message's way through the broker, put together from steps and from what the store says. */
#ifndef CONCLAVE_BROKER_TRACER_STORY_H
#define CONCLAVE_BROKER_TRACER_STORY_H

#include "broker/json.h"
#include "broker/rules/trace.h"
#include "broker/tracer/style.h"

#include <stdio.h>

/* Times in µs since 1970; 0: not seen. */
typedef struct {
    name_t name;
    bool is_listed; /* the store has them as one who was a member then */
    bool is_online;
    uint64_t left_with; /* the last event that was for them; 0: a member, or not known */
    uint64_t cursor;    /* has all up to there */
    uint64_t pushed_us;
    uint64_t dropped_us; /* it was to be pushed, and was not */
    uint64_t reason;     /* trace_reason_t, of the drop */
    uint64_t fetched_us;
    uint64_t acknowledged_us;
} story_reader_t;

typedef struct {
    name_t group;
    uint64_t sequence;
    bool has_facts;
    explain_reply_t facts;   /* without its list */
    trace_record_t received; /* time_us 0: not seen, in all four */
    trace_record_t appended;
    trace_record_t stored;
    trace_record_t fanned_out;
    trace_record_t last_received; /* of any request of this group */
    story_reader_t *readers;
    size_t reader_count;
    size_t reader_capacity;
} story_t;

void story_begin(story_t *self, const name_t *group, uint64_t sequence);
void story_free(story_t *self);

void story_add_facts(story_t *self, const explain_reply_t *facts);
/* Steps in the order in which they were told. */
void story_add_step(story_t *self, const trace_record_t *step);

/* Whether anything is known. */
bool story_is_known(const story_t *self);

void story_print(const story_t *self, FILE *out, const style_t *style);
/* One JSON object. */
void story_write_json(const story_t *self, json_t *out);

#endif
