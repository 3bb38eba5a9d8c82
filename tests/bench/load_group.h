/* SPDX-License-Identifier: MPL-2.0 */
/* A group as the broker sees it: true signatures and roster roots around opaque bytes that seal
   nothing. */
#ifndef CONCLAVE_TESTS_BENCH_LOAD_GROUP_H
#define CONCLAVE_TESTS_BENCH_LOAD_GROUP_H

#include "tests/bench/load_client.h"

#define LOAD_GROUP_DEPTH_MAX 10

typedef struct {
    uint8_t id[GROUP_ID_BYTES];
    name_t name;
    uint64_t epoch; /* the current one */
    uint8_t transcript[HASH_BYTES];
    unsigned depth;
    uint32_t members; /* they hold the leaves 0 .. members - 1 */
    uint8_t nodes[LOAD_GROUP_DEPTH_MAX + 1][1u << LOAD_GROUP_DEPTH_MAX][HASH_BYTES];
} load_group_t;

/* The creator must be logged in. */
void load_group_create(load_group_t *self, const char *name, load_client_t *creator);

/* Each of them asks to join (they must be logged in), and the creator admits them. */
void load_group_join(load_group_t *self, load_client_t *admin, load_client_t *newcomers,
                     size_t count);

/* Appends a sealed message's bytes: a true header, and `size` bytes of noise that start with
   `stamp`. */
void load_group_seal(const load_group_t *self, uint32_t leaf, uint32_t generation, uint64_t stamp,
                     size_t size, buffer_t *out);
/* The stamp of a message sealed so. */
uint64_t load_group_stamp(bytes_t sealed);

#endif
