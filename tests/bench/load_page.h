/* SPDX-License-Identifier: MPL-2.0 */
/* A live page that is open: reads what the broker tells it, and draws nothing. */
#ifndef CONCLAVE_TESTS_BENCH_LOAD_PAGE_H
#define CONCLAVE_TESTS_BENCH_LOAD_PAGE_H

#include "tests/bench/load_broker.h"

#include <pthread.h>

typedef struct {
    int fd;
    pthread_t thread;
} load_page_t;

/* Returns when the broker has sent the first of it. */
void load_page_open(load_page_t *self, const load_broker_t *broker);
void load_page_close(load_page_t *self);

#endif
