/* SPDX-License-Identifier: MPL-2.0 */
/* The commands of conclave-trace. */
#ifndef CONCLAVE_BROKER_TRACER_TRACER_H
#define CONCLAVE_BROKER_TRACER_TRACER_H

#include "broker/tracer/step_source.h"
#include "broker/tracer/style.h"

/* What the exit code says. */
typedef enum {
    TRACER_DONE = 0,   /* also: interrupted, where there is no other end */
    TRACER_FAILED = 1, /* the broker refused, or a file could not be read or written */
    TRACER_USAGE = 2,
    TRACER_NO_BROKER = 3
} tracer_exit_t;

#define TRACER_HEADERS_MAX 16

typedef struct {
    connection_target_t target;
    const char *from; /* a recording; NULL: the running broker */
    trace_filter_t filter;
    bool with_past;
    bool past_only;  /* ends with what is remembered */
    bool with_polls; /* shows polls to people too: programs get them in any case */
    bool is_json;
    uint64_t limit_seconds;                  /* 0: none */
    const char *headers[TRACER_HEADERS_MAX]; /* of requests to a collector; "@FILE": its lines */
    size_t header_count;
    char **arguments; /* behind the command's name */
    int argument_count;
    style_t style;
} tracer_options_t;

/* Each prints what is wrong to standard error. */
int command_watch(const tracer_options_t *options);
int command_explain(const tracer_options_t *options);
int command_top(const tracer_options_t *options);
int command_record(const tracer_options_t *options);
int command_perfetto(const tracer_options_t *options);
int command_otlp(const tracer_options_t *options);
int command_backup(const tracer_options_t *options);
int command_keygen(const tracer_options_t *options);

/* --- What commands share --------------------------------------------------------------------- */

/* Steps from the recording that the options name, or else from the broker (*connection is then to
 * be closed after the source). TRACER_DONE, or what to exit with. */
MUST_CHECK int tracer_open_steps(const tracer_options_t *options, step_source_t *out,
                                 connection_t **connection);
/* The running broker, for requests. NULL: *code is what to exit with. */
connection_t *tracer_connect(const tracer_options_t *options, int *code);

/* Why a request failed, or steps ended, in words. */
const char *tracer_cause(const connection_t *connection, status_t status);

/* Given every batch of steps until the end; false: enough. A batch of none, with none dropped, is
 * the broker's sign of life: nothing has happened for a while. */
typedef bool tracer_take_t(void *context, const trace_record_t *steps, size_t count,
                           uint64_t dropped);
/* Until the recording ends, the time is over, a signal comes, or take says so. Says on standard
 * error how many steps were lost. */
int tracer_for_each(const tracer_options_t *options, tracer_take_t *take, void *context);

/* A new file for names and times, which are nobody else's business: 0600. NULL, with errno set: an
 * existing file is left alone. */
FILE *tracer_create(const char *path);

/* A line on standard error: "conclave-trace: ...". Text from elsewhere must be printable. */
__attribute__((format(printf, 1, 2))) void tracer_complain(const char *format, ...);
/* The text and a new line to standard output; frees the text. */
void tracer_put_line(buffer_t *text);
/* Whether standard output took all; complains if not, unless its reader has gone. */
bool tracer_flush(void);
/* What a status of the broker, or of the way to it, means for the exit code. */
int tracer_exit_for(status_t status);

#endif
