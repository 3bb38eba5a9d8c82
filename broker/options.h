/* SPDX-License-Identifier: MPL-2.0 */
/* The command line of conclaved. */
#ifndef CONCLAVE_BROKER_OPTIONS_H
#define CONCLAVE_BROKER_OPTIONS_H

#include "broker/log.h"
#include "proto/endpoint.h"

#define OPTIONS_LISTEN_MAX     16
#define OPTIONS_LISTEN_DEFAULT "tcp://127.0.0.1:5670"

typedef enum { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION } options_mode_t;

typedef struct {
    options_mode_t mode;
    const char *data; /* argv's; NULL: the default */
    endpoint_t listen[OPTIONS_LISTEN_MAX];
    size_t listen_count;
    log_format_t log_format;
    log_level_t log_level;
    uint64_t idle_ms;             /* 0: the default */
    uint64_t retention_ms;        /* 0: the default */
    uint64_t store_reserve_bytes; /* 0: the default; UINT64_MAX: none */
    uint64_t report_ms;           /* between two lines of counters; 0: none */
} options_t;

/* STATUS_USAGE: problem says what is wrong with which argument. */
MUST_CHECK status_t options_parse(options_t *out, int argc, char **argv, char *problem,
                                  size_t problem_size);

/* The text of --help. */
extern const char options_help[];

#endif
