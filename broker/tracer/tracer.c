/* SPDX-License-Identifier: MPL-2.0 */
/* What commands share. */
#include "broker/tracer/tracer.h"

#include "broker/clock.h"
#include "broker/trace/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void tracer_complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("conclave-trace: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void tracer_put_line(buffer_t *text)
{
    buffer_u8(text, '\n');
    fwrite(text->data, text->size, 1, stdout); /* tracer_flush tells what fails */
    buffer_free(text);
}

bool tracer_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    if (errno != EPIPE)
        tracer_complain("can't write: %s", strerrordesc_np(errno));
    return false;
}

FILE *tracer_create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? NULL : fdopen(fd, "wb");
}

int tracer_exit_for(status_t status)
{
    switch (status) {
    case STATUS_OK:
    case STATUS_INTERRUPTED:
        return TRACER_DONE;
    case STATUS_TIMED_OUT:
    case STATUS_UNREACHABLE:
    case STATUS_DRAINING:
        return TRACER_NO_BROKER;
    default:
        return TRACER_FAILED;
    }
}

connection_t *tracer_connect(const tracer_options_t *options, int *code)
{
    char problem[PATH_MAX + 256];
    connection_t *connection = connection_open(&options->target, problem, sizeof problem);
    if (!connection) {
        tracer_complain("%s", problem);
        *code = TRACER_NO_BROKER;
    }
    return connection;
}

static bool is_of_way(status_t status)
{
    return status == STATUS_UNREACHABLE || status == STATUS_TIMED_OUT;
}

const char *tracer_cause(const connection_t *connection, status_t status)
{
    return is_of_way(status) ? connection_trouble(connection) : status_text(status);
}

static int open_recording(const tracer_options_t *options, step_source_t *out)
{
    status_t status = step_source_open(out, options->from, &options->filter);
    if (status == STATUS_OK)
        return TRACER_DONE;
    tracer_complain("%s: %s", options->from,
                    status == STATUS_IO_ERROR       ? strerrordesc_np(errno)
                    : status == STATUS_DAMAGED_FILE ? "this is no recording of conclave-trace"
                                                    : status_text(status));
    return TRACER_FAILED;
}

int tracer_open_steps(const tracer_options_t *options, step_source_t *out,
                      connection_t **connection)
{
    int code = TRACER_DONE;
    *connection = NULL;
    if (options->from)
        return open_recording(options, out);
    background_thread();
    *connection = tracer_connect(options, &code);
    if (!*connection)
        return code;
    status_t status = step_source_watch(out, *connection, &options->filter, options->with_past);
    if (status == STATUS_OK)
        return TRACER_DONE;
    if (is_of_way(status))
        tracer_complain("no broker: %s", connection_trouble(*connection));
    else
        tracer_complain("the broker doesn't let us watch: %s",
                        status == STATUS_TOO_MANY ? "too many watch already" : status_text(status));
    connection_close(connection);
    return tracer_exit_for(status);
}

static int tell_end(const step_source_t *source, status_t status)
{
    if (status == STATUS_UNREACHABLE)
        tracer_complain("the broker has gone: %s", tracer_cause(source->connection, status));
    else if (status == STATUS_DAMAGED_FILE)
        tracer_complain("the recording is damaged, or was cut off here");
    else if (status != STATUS_NOT_FOUND && status != STATUS_INTERRUPTED)
        tracer_complain("%s", status_text(status));
    return status == STATUS_NOT_FOUND ? TRACER_DONE : tracer_exit_for(status);
}

static int take_all(const tracer_options_t *options, step_source_t *source, tracer_take_t *take,
                    void *context)
{
    const trace_record_t *steps;
    size_t count;
    uint64_t dropped, dropped_in_all = 0;
    const int64_t until_ms = monotonic_clock_ms() + (int64_t)options->limit_seconds * 1000;
    status_t status = STATUS_OK;
    bool is_enough = false;
    while (status == STATUS_OK && !is_enough) {
        int64_t left_ms = options->limit_seconds ? until_ms - monotonic_clock_ms() : -1;
        if (options->limit_seconds && left_ms <= 0)
            break;
        status = step_source_next(source, (int)left_ms, &steps, &count, &dropped);
        if (status == STATUS_TIMED_OUT) { /* looks at the clock again */
            status = STATUS_OK;
            continue;
        }
        dropped_in_all += dropped;
        if (status == STATUS_OK)
            is_enough = !take(context, steps, count, dropped);
        /* A push that isn't full ends what the broker remembers. */
        is_enough = is_enough || (options->past_only && !options->from && count < TRACED_MAX);
    }
    if (dropped_in_all > 0)
        tracer_complain("%llu steps were lost: more came than could be taken. Ask for fewer "
                        "(--group, --user, --share)",
                        (unsigned long long)dropped_in_all);
    return status == STATUS_OK ? TRACER_DONE : tell_end(source, status);
}

int tracer_for_each(const tracer_options_t *options, tracer_take_t *take, void *context)
{
    step_source_t source;
    connection_t *connection;
    int code = tracer_open_steps(options, &source, &connection);
    if (code == TRACER_DONE) {
        code = take_all(options, &source, take, context);
        step_source_close(&source);
    }
    connection_close(&connection);
    return code;
}
