/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's metrics, once: their names, kinds, helps and values, for any format. */
#ifndef CONCLAVE_BROKER_HTTP_METRICS_H
#define CONCLAVE_BROKER_HTTP_METRICS_H

#include "broker/http/numbers.h"

typedef enum { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM } metric_kind_t;

typedef struct {
    const char *name;
    const char *value;
} metric_label_t;

typedef struct {
    const char *name; /* without the prefix */
    const char *help;
    metric_kind_t kind;
    bool has_labels; /* any number of samples; else one */
} metric_family_t;

/* Told of each family, then of its samples. Texts live for the call. A sample's value is
   value / 10^decimals; a label with a NULL name ends the labels. */
typedef struct {
    void *context;
    void (*family)(void *context, const metric_family_t *family);
    void (*sample)(void *context, const metric_label_t *labels, uint64_t value, unsigned decimals);
    void (*histogram)(void *context, const histogram_counts_t *counts);
} metrics_sink_t;

/* What the server says of itself and of the process. */
typedef struct {
    uint64_t now_ms;      /* CLOCK_BOOTTIME */
    uint64_t wall_ms;     /* since 1970 */
    uint64_t started_ms;  /* since 1970 */
    uint64_t connections; /* HTTP */
    uint64_t streams;
    uint64_t streams_dropped;
    uint64_t requests;
    uint64_t refused;
} metrics_self_t;

/* Base units (seconds, bytes); totals end in _total. No name of a user or a group is a label: it
   would make a series for each, and tell whoever reads the metrics who they are. */
void metrics_visit(const numbers_t *numbers, const metrics_self_t *own, const metrics_sink_t *sink);

/* Prometheus's text format 0.0.4. */
void metrics_write_text(const numbers_t *numbers, const metrics_self_t *own, buffer_t *out);
/* One JSON object: a key for each family, without the prefix. */
void metrics_write_json(const numbers_t *numbers, const metrics_self_t *own, buffer_t *out);

/* Appends a label's value with its escapes: backslash, quote, line feed. */
void metrics_escape_label(buffer_t *out, const char *value);

#endif
