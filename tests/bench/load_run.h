/* SPDX-License-Identifier: MPL-2.0 */
/* Senders with a window and receivers that follow a group, all in one thread. */
#ifndef CONCLAVE_TESTS_BENCH_LOAD_RUN_H
#define CONCLAVE_TESTS_BENCH_LOAD_RUN_H

#include "tests/bench/load_group.h"

typedef struct {
    load_client_t *client;
    const load_group_t *group;
    uint32_t leaf;
    uint32_t generation; /* of the next message */
    unsigned in_flight;
    uint64_t acked;
    uint64_t refused;
} load_sender_t;

typedef struct {
    load_client_t *client;
    const load_group_t *group;
    uint64_t cursor;
    uint64_t delivered;
    size_t unacknowledged; /* bytes since the last poll */
    bool is_polling;
    uint64_t polled_ns;
} load_receiver_t;

typedef struct {
    load_sender_t *senders;
    size_t sender_count;
    load_receiver_t *receivers;
    size_t receiver_count;
    unsigned window;        /* messages in flight of each sender */
    size_t sealed_bytes;    /* behind the header */
    uint64_t duration_ns;   /* measured */
    uint64_t warm_up_ns;    /* before that */
    uint64_t pace_ns;       /* between two messages of each sender; 0: as fast as acked */
    uint64_t *latencies_ns; /* from before sealing to the receiver; NULL or latency_max of them */
    size_t latency_max;
    size_t latency_count; /* out */
    double acked_per_s;   /* out */
    double delivered_per_s;
} load_run_t;

uint64_t load_now_ns(void);

/* Runs, and then reads until every ack has come and every receiver has everything. */
void load_run(load_run_t *self);

#endif
