/* SPDX-License-Identifier: MPL-2.0 */
/* People with names of their own, and a group with senders and receivers. */
#ifndef CONCLAVE_TESTS_BENCH_LOAD_ROOM_H
#define CONCLAVE_TESTS_BENCH_LOAD_ROOM_H

#include "tests/bench/load_run.h"

#define LOAD_WINDOW       64
#define LOAD_SEALED_BYTES 400 /* a text of 256 bytes with its signature, padded and sealed */

/* Registered and logged in. */
load_client_t *load_clients_new(void *context, const endpoint_t *broker, size_t count,
                                uint8_t purpose);
void load_clients_destroy(load_client_t *clients, size_t count);

/* Release with free. */
load_group_t *load_group_new(load_client_t *creator);

typedef struct {
    load_client_t *sender_clients;
    load_client_t *receiver_clients;
    load_sender_t *senders;
    load_receiver_t *receivers;
    size_t sender_count;
    size_t receiver_count;
    load_group_t *group;
} load_room_t;

/* Senders don't follow the group, so that nothing is pushed to them. */
void load_room_open(load_room_t *self, void *context, const endpoint_t *broker, size_t senders,
                    size_t receivers);
void load_room_close(load_room_t *self);
/* A run of 2 s after 0.5 s to warm up. */
load_run_t load_room_run(const load_room_t *self);

#endif
