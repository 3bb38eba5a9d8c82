/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Sends spans to an OpenTelemetry collector, OTLP over HTTP in JSON, from a thread of its own.
 * What waits has a limit; more is dropped and counted. What happens is said on standard error.
 */
#ifndef CONCLAVE_BROKER_TRACER_SINK_H
#define CONCLAVE_BROKER_TRACER_SINK_H

#include "broker/tracer/otlp_target.h"

typedef struct {
    uint64_t sent;     /* spans that the collector took */
    uint64_t rejected; /* that it said it rejected, or whose request it refused */
    uint64_t dropped;  /* for which there was no room */
    uint64_t lost;     /* that it could not be given in time */
    uint64_t requests;
} sink_counts_t;

typedef struct sink sink_t;

/* The target is borrowed. instance: service.instance.id; "": not known. is_patient: sink_put waits
 * for room, and the end for the collector. NULL: no thread. */
sink_t *sink_start(const otlp_target_t *target, const char *instance, bool is_patient);
void sink_put(sink_t *self, text_t span);
/* Sends what waits, if that is done in the time of one request (or if patient, before a signal
 * comes or retrying ends). Frees. */
sink_counts_t sink_stop(sink_t **self);

#endif
