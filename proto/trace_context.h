/* SPDX-License-Identifier: MPL-2.0 */
/* W3C Trace Context, version 00: "00-" trace id (32 hex) "-" span id (16 hex) "-" flags (2 hex). */
#ifndef CONCLAVE_PROTO_TRACE_CONTEXT_H
#define CONCLAVE_PROTO_TRACE_CONTEXT_H

#include "proto/bytes.h"
#include "proto/limits.h"

#define TRACE_CONTEXT_CHARS   55
#define TRACE_CONTEXT_BYTES   (TRACE_ID_BYTES + SPAN_ID_BYTES + 1)
#define TRACE_CONTEXT_SAMPLED 1

/* An all-zero trace id means that there is none. */
typedef struct {
    uint8_t trace_id[TRACE_ID_BYTES];
    uint8_t span_id[SPAN_ID_BYTES];
    uint8_t flags;
} trace_context_t;

/* False, and *out all zero, unless the text is a valid traceparent of version 00, or begins like
 * one and is of a later version (as the specification asks). */
bool trace_context_read(trace_context_t *out, text_t text);

/* NUL-terminated. */
void trace_context_write(const trace_context_t *self, char out[static TRACE_CONTEXT_CHARS + 1]);

/* The same as a view of out; empty if there is none. */
text_t trace_context_text(const trace_context_t *self, char out[static TRACE_CONTEXT_CHARS + 1]);

/* The binary form: trace id, span id, flags. */
void trace_context_pack(const trace_context_t *self, uint8_t out[static TRACE_CONTEXT_BYTES]);
/* False, and *out all zero, unless it has that size and both ids are other than zero. */
bool trace_context_unpack(trace_context_t *out, bytes_t bytes);

bool trace_context_exists(const trace_context_t *self);

#endif
