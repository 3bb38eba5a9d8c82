/* SPDX-License-Identifier: MPL-2.0 */
/* The metrics as one JSON object: a number, a histogram, or a list where there are labels. */
#include "broker/http/metrics.h"
#include "broker/json.h"

typedef struct {
    json_t json;
    bool in_list;
} json_writer_t;

static void end_family(json_writer_t *self)
{
    if (self->in_list) {
        json_end(&self->json);
    }
    self->in_list = false;
}

static void write_family(void *context, const metric_family_t *family)
{
    json_writer_t *self = context;
    end_family(self);
    json_key(&self->json, family->name);
    self->in_list = family->has_labels;
    if (self->in_list) {
        json_array(&self->json);
    }
}

static void write_sample(void *context, const metric_label_t *labels, uint64_t value,
                         unsigned decimals)
{
    json_writer_t *self = context;
    if (!labels->name) {
        json_decimal(&self->json, value, decimals);
        return;
    }
    json_object(&self->json);
    for (const metric_label_t *label = labels; label->name; label++) {
        json_put_text(&self->json, label->name, label->value);
    }
    json_key(&self->json, "value");
    json_decimal(&self->json, value, decimals);
    json_end(&self->json);
}

static void write_histogram(void *context, const histogram_counts_t *counts)
{
    json_writer_t *self = context;
    json_object(&self->json);
    json_put_number(&self->json, "count", counts->total);
    json_key(&self->json, "sum");
    json_decimal(&self->json, counts->sum_us, 6);
    json_key(&self->json, "buckets"); /* not added up, without those that are empty */
    json_array(&self->json);
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        if (counts->counts[i] == 0) {
            continue;
        }
        json_object(&self->json);
        json_key(&self->json, "le");
        if (i < HISTOGRAM_BUCKETS) {
            json_decimal(&self->json, histogram_bounds_us[i], 6);
        } else {
            json_text(&self->json, "+Inf");
        }
        json_put_number(&self->json, "count", counts->counts[i]);
        json_end(&self->json);
    }
    json_end(&self->json);
    json_end(&self->json);
}

void metrics_write_json(const numbers_t *numbers, const metrics_self_t *own, buffer_t *out)
{
    json_writer_t self = {.json = json_of(out)};
    const metrics_sink_t sink = {.context = &self,
                                 .family = write_family,
                                 .sample = write_sample,
                                 .histogram = write_histogram};
    json_object(&self.json);
    metrics_visit(numbers, own, &sink);
    end_family(&self);
    json_end(&self.json);
    buffer_append(out, "\n", 1);
}
