/* SPDX-License-Identifier: MPL-2.0 */
/* What a collector's answer says. */
#ifndef CONCLAVE_BROKER_TRACER_SINK_ANSWER_H
#define CONCLAVE_BROKER_TRACER_SINK_ANSWER_H

#include "proto/bytes.h"

#define SINK_MESSAGE_BYTES 200

typedef struct {
    bool is_json;
    uint64_t rejected_spans;          /* of a partial success */
    char message[SINK_MESSAGE_BYTES]; /* printable; "": none */
} sink_answer_t;

/* An ExportTraceServiceResponse, or the google.rpc.Status of a failure. An empty body is fine. */
void sink_answer_read(sink_answer_t *out, bytes_t body);

#endif
