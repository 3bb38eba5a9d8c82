/* SPDX-License-Identifier: MPL-2.0 */
/* A span as OTLP's JSON has it: ids in hex, enums as integers, 64-bit integers as strings. */
#ifndef CONCLAVE_BROKER_TRACER_SPAN_H
#define CONCLAVE_BROKER_TRACER_SPAN_H

#include "proto/message.h"

#define SPAN_LINKS_MAX  128
#define SPAN_EVENTS_MAX 16

/* As in OTLP. */
typedef enum {
    SPAN_INTERNAL = 1,
    SPAN_SERVER = 2,
    SPAN_CLIENT = 3,
    SPAN_PRODUCER = 4,
    SPAN_CONSUMER = 5
} span_kind_t;

typedef struct {
    uint8_t trace_id[TRACE_ID_BYTES];
    uint8_t span_id[SPAN_ID_BYTES];
} span_context_t;

/* All zero is valid; release with span_wipe. Texts are borrowed and hold nothing that JSON would
 * have escaped: names (proto/name.h) and words of our own. */
typedef struct {
    span_context_t context;
    uint8_t parent_id[SPAN_ID_BYTES]; /* all zero: none */
    span_kind_t kind;
    const char *operation; /* the name is this, and "{group}" if has_destination */
    bool has_destination;
    uint64_t start_us;
    uint64_t end_us;     /* one before the start counts as the start */
    buffer_t attributes; /* JSON, as are the next two */
    buffer_t events;
    buffer_t links;
    uint32_t link_count;
    uint32_t links_left_out; /* above the limit, or no longer known */
    uint32_t event_count;
    uint32_t events_left_out;
    const char *error; /* NULL: none; else what went wrong, in words */
} span_t;

void span_wipe(span_t *self);

void span_text(span_t *self, const char *key, const char *value);
void span_number(span_t *self, const char *key, uint64_t value);
/* message_id: "GROUP/SEQUENCE" of the message that the link leads to. */
void span_link(span_t *self, const span_context_t *to, const char *message_id);
/* group "" and sequence 0: none of these. */
void span_event(span_t *self, uint64_t time_us, const char *name, const char *group,
                uint64_t sequence);

/* Appends the whole object. */
void span_write(const span_t *self, buffer_t *out);

/* Appends what printf would print. */
__attribute__((format(printf, 2, 3))) void json_add(buffer_t *out, const char *format, ...);

#endif
