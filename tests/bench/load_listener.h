/* SPDX-License-Identifier: MPL-2.0 */
/* Who listens to a broker's trace: a program as a child process, and a collector of OpenTelemetry
   that takes everything. */
#ifndef CONCLAVE_TESTS_BENCH_LOAD_LISTENER_H
#define CONCLAVE_TESTS_BENCH_LOAD_LISTENER_H

#include <stdint.h>
#include <sys/types.h>

typedef struct {
    pid_t pid;
    int said;      /* its standard error */
    uint64_t lost; /* steps that it said it lost; known when it has ended, as is the next */
    double cpu_us; /* that it used */
} load_listener_t;

/* Its standard output is thrown away. arguments end with NULL. */
void load_listener_start(load_listener_t *self, const char *program, const char *const *arguments);
/* Ends it with SIGTERM. */
void load_listener_stop(load_listener_t *self);

/* Listens on a port of 127.0.0.1, in a process of its own, and answers every POST with success. */
pid_t load_sink_start(uint16_t *port);
void load_sink_stop(pid_t sink);

#endif
