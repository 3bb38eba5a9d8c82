/* SPDX-License-Identifier: MPL-2.0 */
/* Prometheus's text format. */
#include "broker/http/metrics.h"
#include "broker/json.h"

#include <string.h>

#define PREFIX "conclave_"

typedef struct {
    buffer_t *out;
    const char *name; /* of the family */
} text_writer_t;

static void add(text_writer_t *self, const char *text)
{
    buffer_append(self->out, text, strlen(text));
}

static void add_decimal(text_writer_t *self, uint64_t value, unsigned decimals)
{
    char text[DECIMAL_TEXT_BYTES];
    decimal_format(text, value, decimals);
    add(self, text);
}

void metrics_escape_label(buffer_t *out, const char *value)
{
    for (const char *c = value; *c; c++) {
        if (*c == '\\' || *c == '"') {
            buffer_append(out, "\\", 1);
        }
        if (*c == '\n') {
            buffer_append(out, "\\n", 2);
        } else {
            buffer_append(out, c, 1);
        }
    }
}

static void add_name(text_writer_t *self, const char *suffix)
{
    add(self, PREFIX);
    add(self, self->name);
    add(self, suffix);
}

static void write_family(void *context, const metric_family_t *family)
{
    static const char *const kinds[] = {" counter\n", " gauge\n", " histogram\n"};
    text_writer_t *self = context;
    self->name = family->name;
    add(self, "# HELP ");
    add_name(self, " ");
    add(self, family->help);
    add(self, "\n# TYPE ");
    add_name(self, kinds[family->kind]);
}

static void write_sample(void *context, const metric_label_t *labels, uint64_t value,
                         unsigned decimals)
{
    text_writer_t *self = context;
    add_name(self, "");
    for (const metric_label_t *label = labels; label->name; label++) {
        add(self, label == labels ? "{" : ",");
        add(self, label->name);
        add(self, "=\"");
        metrics_escape_label(self->out, label->value);
        add(self, "\"");
    }
    add(self, labels->name ? "} " : " ");
    add_decimal(self, value, decimals);
    add(self, "\n");
}

static void write_histogram(void *context, const histogram_counts_t *counts)
{
    text_writer_t *self = context;
    uint64_t total = 0;
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        total += counts->counts[i];
        add_name(self, "_bucket{le=\"");
        if (i < HISTOGRAM_BUCKETS) {
            add_decimal(self, histogram_bounds_us[i], 6);
        } else {
            add(self, "+Inf");
        }
        add(self, "\"} ");
        add_decimal(self, total, 0);
        add(self, "\n");
    }
    add_name(self, "_sum ");
    add_decimal(self, counts->sum_us, 6);
    add(self, "\n");
    add_name(self, "_count ");
    add_decimal(self, total, 0);
    add(self, "\n");
}

void metrics_write_text(const numbers_t *numbers, const metrics_self_t *own, buffer_t *out)
{
    text_writer_t self = {.out = out};
    const metrics_sink_t sink = {.context = &self,
                                 .family = write_family,
                                 .sample = write_sample,
                                 .histogram = write_histogram};
    metrics_visit(numbers, own, &sink);
}
