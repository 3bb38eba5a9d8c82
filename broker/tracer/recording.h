/* SPDX-License-Identifier: MPL-2.0 */
/* Steps in a file: "CONCLAVE-TRACE\n", format 1 (1 byte), then pushes of steps as they travel
 * (PROTOCOL.md), each behind its length (4, big-endian). */
#ifndef CONCLAVE_BROKER_TRACER_RECORDING_H
#define CONCLAVE_BROKER_TRACER_RECORDING_H

#include "proto/message.h"

#include <stdio.h>

/* Whether all could be written; errno says why not. */
MUST_CHECK bool recording_begin(FILE *out);
MUST_CHECK bool recording_add(FILE *out, const trace_record_t *steps, size_t count,
                              uint64_t dropped);

typedef struct {
    FILE *in;
    uint8_t *frame;
    message_t message;
} recording_t;

/* STATUS_DAMAGED_FILE: no recording; STATUS_NEWER_FORMAT; STATUS_IO_ERROR with errno set. */
MUST_CHECK status_t recording_open(recording_t *self, const char *path);
void recording_close(recording_t *self);

/* Lent until the next call. STATUS_NOT_FOUND: the end. STATUS_DAMAGED_FILE: it goes on, but not as
 * a recording, or ends in the middle of a push (a recorder that was killed). */
MUST_CHECK status_t recording_next(recording_t *self, const traced_push_t **push);

#endif
