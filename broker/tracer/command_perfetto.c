/* SPDX-License-Identifier: MPL-2.0 */
/* Steps into a file that Perfetto opens. */
#include "broker/tracer/perfetto.h"
#include "broker/tracer/tracer.h"

#include <errno.h>
#include <string.h>

typedef struct {
    perfetto_t *trace;
    uint64_t steps;
    int cause; /* errno of what could not be written; 0 */
} writer_t;

static bool write_steps(void *context, const trace_record_t *steps, size_t count, uint64_t dropped)
{
    writer_t *self = context;
    if (!perfetto_add(self->trace, steps, count, dropped))
        self->cause = errno;
    self->steps += count;
    return self->cause == 0;
}

int command_perfetto(const tracer_options_t *options)
{
    const char *path = options->arguments[0];
    FILE *out = tracer_create(path);
    if (!out) {
        tracer_complain("%s: %s", path, strerrordesc_np(errno));
        return TRACER_FAILED;
    }
    writer_t writer = {.trace = perfetto_new(out)};
    int code = tracer_for_each(options, write_steps, &writer);
    if (writer.cause == 0 && !perfetto_finish(writer.trace))
        writer.cause = errno;
    perfetto_destroy(&writer.trace);
    if (fclose(out) != 0 && writer.cause == 0)
        writer.cause = errno;
    if (writer.cause != 0) {
        tracer_complain("%s: %s", path, strerrordesc_np(writer.cause));
        return TRACER_FAILED;
    }
    fprintf(stderr, "%s: %llu steps; open it in Perfetto (ui.perfetto.dev)\n", path,
            (unsigned long long)writer.steps);
    return code;
}
