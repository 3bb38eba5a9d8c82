/* SPDX-License-Identifier: MPL-2.0 */
/* Steps into a file, for later and for elsewhere. */
#include "broker/tracer/recording.h"
#include "broker/tracer/tracer.h"

#include <errno.h>
#include <string.h>

typedef struct {
    FILE *out;
    uint64_t steps;
    bool is_broken;
} recorder_t;

static bool record_steps(void *context, const trace_record_t *steps, size_t count, uint64_t dropped)
{
    recorder_t *self = context;
    if (count == 0 && dropped == 0)
        return true;
    self->is_broken = !recording_add(self->out, steps, count, dropped) || fflush(self->out) != 0;
    self->steps += count;
    return !self->is_broken;
}

int command_record(const tracer_options_t *options)
{
    const char *path = options->arguments[0];
    recorder_t recorder = {.out = tracer_create(path)};
    if (!recorder.out) {
        tracer_complain("%s: %s", path, strerrordesc_np(errno));
        return TRACER_FAILED;
    }
    int code = TRACER_DONE;
    recorder.is_broken = !recording_begin(recorder.out);
    if (!recorder.is_broken)
        code = tracer_for_each(options, record_steps, &recorder);
    int cause = errno;
    if (fclose(recorder.out) != 0 && !recorder.is_broken) {
        recorder.is_broken = true;
        cause = errno;
    }
    if (recorder.is_broken) {
        tracer_complain("%s: %s", path, strerrordesc_np(cause));
        return TRACER_FAILED;
    }
    fprintf(stderr, "%s: %llu steps\n", path, (unsigned long long)recorder.steps);
    return code;
}
