/* SPDX-License-Identifier: MPL-2.0 */
/* Steps as spans to an OpenTelemetry collector. */
#include "broker/files/data_dir.h"
#include "broker/tracer/otlp_target.h"
#include "broker/tracer/sink.h"
#include "broker/tracer/spans.h"
#include "broker/tracer/tracer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static void send_span(void *context, text_t span)
{
    sink_put(context, span);
}

static bool take_steps(void *context, const trace_record_t *steps, size_t count, uint64_t dropped)
{
    spans_t *spans = context;
    (void)dropped; /* said at the end */
    for (size_t i = 0; i < count; i++)
        spans_add(spans, &steps[i]);
    if (count == 0) /* a sign of life: nothing more is coming of that turn */
        spans_end_turn(spans);
    return !connection_is_interrupted();
}

static bool read_url_file(char *out, size_t size, const char *data)
{
    char path[PATH_MAX];
    if (!data && data_dir_default_path(path) == STATUS_OK)
        data = path;
    int dir = data ? open(data, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    int fd = dir < 0 ? -1 : openat(dir, "broker.url", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, out, size - 1);
    out[got < 0 ? 0 : got] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
    if (dir >= 0)
        close(dir);
    return got > 0;
}

/* The broker's own key tells it from all others. A recording doesn't say whose it is: "". */
static void find_instance(char out[static KEY_TEXT_BYTES], const tracer_options_t *options)
{
    char url[512] = "";
    endpoint_t endpoint;
    out[0] = '\0';
    if (options->from ||
        (!options->target.broker && !read_url_file(url, sizeof url, options->target.data)))
        return;
    if (endpoint_parse(&endpoint, options->target.broker ? options->target.broker : url) ==
        STATUS_OK)
        key_to_text(out, endpoint.key);
}

static bool report(const sink_counts_t *counts)
{
    bool is_all = counts->rejected + counts->dropped + counts->lost == 0;
    fprintf(stderr, "%" PRIu64 " spans sent in %" PRIu64 " requests", counts->sent,
            counts->requests);
    if (!is_all)
        fprintf(stderr,
                "; %" PRIu64 " rejected, %" PRIu64 " not delivered, %" PRIu64
                " dropped for want of room",
                counts->rejected, counts->lost, counts->dropped);
    fputc('\n', stderr);
    return is_all;
}

static int export_spans(const tracer_options_t *options, const otlp_target_t *target)
{
    char instance[KEY_TEXT_BYTES];
    find_instance(instance, options);
    sink_t *sink = sink_start(target, instance, options->from != NULL);
    if (!sink)
        return TRACER_FAILED;
    fprintf(stderr, "sending spans to %s\n", target->shown);
    spans_t *spans = spans_new(send_span, sink);
    int code = tracer_for_each(options, take_steps, spans);
    spans_end_turn(spans);
    spans_destroy(&spans);
    sink_counts_t counts = sink_stop(&sink);
    return report(&counts) ? code : TRACER_FAILED;
}

int command_otlp(const tracer_options_t *options)
{
    otlp_target_t target;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        tracer_complain("libcurl doesn't start");
        return TRACER_FAILED;
    }
    int code = TRACER_USAGE;
    if (otlp_target_read(&target, options)) {
        code = export_spans(options, &target);
        otlp_target_wipe(&target);
    }
    curl_global_cleanup();
    return code;
}
