/* SPDX-License-Identifier: MPL-2.0 */
/* The optional fields of a sealed message (PROTOCOL.md section 10): tag (1, not 0), length (1) and
 * that many bytes, by ascending tag. Readers skip the tags they don't know. */
#ifndef CONCLAVE_CLIENT_KEYS_MESSAGE_FIELDS_H
#define CONCLAVE_CLIENT_KEYS_MESSAGE_FIELDS_H

#include "proto/bytes.h"
#include "proto/trace_context.h"

#define MESSAGE_FIELD_TRACE 1 /* the creation context: trace id, span id, flags */

/* Appends what there is to say: nothing if there is no trace context. */
void message_fields_write(const trace_context_t *trace, buffer_t *out);

/* Takes the fields up to the first zero or the end; a view into the reader's bytes. One that is cut
 * off, out of order, or that makes them longer than FIELDS_MAX_BYTES fails the reader. */
bytes_t message_fields_take(reader_t *in);

/* The creation context in fields that were taken; all zero if there is none, or none that is one.
 */
trace_context_t message_fields_trace(bytes_t fields);

#endif
