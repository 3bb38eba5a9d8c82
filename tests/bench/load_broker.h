/* SPDX-License-Identifier: MPL-2.0 */
/* A broker as a child process on a temporary directory. */
#ifndef CONCLAVE_TESTS_BENCH_LOAD_BROKER_H
#define CONCLAVE_TESTS_BENCH_LOAD_BROKER_H

#include "proto/endpoint.h"

#include <sys/types.h>

typedef struct {
    char dir[64];
    pid_t pid;
    endpoint_t endpoint;
    uint16_t http_port; /* of 127.0.0.1 */
} load_broker_t;

/* Starts `program` (a conclaved) and waits until it is ready. */
void load_broker_start(load_broker_t *self, const char *program);
/* Ends it with SIGTERM and removes its directory. */
void load_broker_stop(load_broker_t *self);

/* Memory that is the broker's own (RssAnon), in bytes; user and system time used so far, in ns. */
uint64_t load_broker_memory(const load_broker_t *self);
uint64_t load_broker_cpu_ns(const load_broker_t *self);

#endif
