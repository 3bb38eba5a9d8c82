/* SPDX-License-Identifier: MPL-2.0 */
/* A step as a line for people, and as JSON. */
#ifndef CONCLAVE_BROKER_TRACER_STEP_TEXT_H
#define CONCLAVE_BROKER_TRACER_STEP_TEXT_H

#include "broker/json.h"
#include "broker/tracer/style.h"
#include "proto/message.h"

#include <stdio.h>

/* One line, with the local time of day. */
void step_print(FILE *out, const style_t *style, const trace_record_t *step);

/* One JSON object: the fields of proto/operator.def that apply, step, verb,
 * status and reason by name, ids in hex. */
void step_write_json(const trace_record_t *step, json_t *out);

/* Bytes for people ("812 B", "1.2 kB"), and microseconds ("87 µs", "1.8 ms"). Lent until the next
 * but three. */
const char *text_of_bytes(uint64_t bytes);
const char *text_of_us(const style_t *style, uint64_t us);
/* "send"; "request" for what this version doesn't know. */
const char *text_of_verb(uint64_t verb);
/* 14:03:11.123456, local time; lent until the next call. */
const char *text_of_time(uint64_t time_us);

#endif
