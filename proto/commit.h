/* SPDX-License-Identifier: MPL-2.0 */
/* The bytes of a commit (PROTOCOL.md section 7): what the broker checks and members apply. */
#ifndef CONCLAVE_PROTO_COMMIT_H
#define CONCLAVE_PROTO_COMMIT_H

#include "proto/name.h"

typedef enum { ROLE_MEMBER = 0, ROLE_ADMIN = 1 } role_t;

typedef struct {
    uint32_t leaf;
    name_t name;
    uint8_t identity_key[KEY_BYTES];
    uint8_t request_hash[HASH_BYTES];
} commit_add_t;

typedef struct {
    uint32_t leaf;
    name_t name;
    uint8_t identity_key[KEY_BYTES];
} commit_removal_t;

typedef struct {
    uint32_t leaf;
    uint8_t request_hash[HASH_BYTES];
} commit_refresh_t;

typedef struct {
    uint32_t leaf;
    uint8_t role; /* role_t */
} commit_role_t;

typedef struct {
    uint32_t child; /* node index */
    uint8_t sealed[WRAP_BYTES];
} commit_wrap_t;

/* All lists are in ascending order. Owned: commit_wipe frees them. All zero is a valid empty commit. */
typedef struct {
    uint8_t group[GROUP_ID_BYTES];
    uint64_t epoch; /* the one it leaves */
    uint8_t transcript[HASH_BYTES]; /* T_e */
    uint8_t random[COMMIT_RANDOM_BYTES];
    uint8_t depth; /* after growth */
    uint32_t committer;
    commit_add_t *adds;
    size_t add_count;
    commit_removal_t *removals;
    size_t removal_count;
    commit_refresh_t *refreshes;
    size_t refresh_count;
    commit_role_t *roles;
    size_t role_count;
    uint8_t roster_root[HASH_BYTES];
    commit_wrap_t *wraps;
    size_t wrap_count;
    /* Outside the body */
    uint8_t tag[HASH_BYTES];
    uint8_t mac[HASH_BYTES];
    uint8_t signature[SIGNATURE_BYTES];
} commit_t;

#define COMMIT_TRAILER_BYTES (HASH_BYTES + HASH_BYTES + SIGNATURE_BYTES)

/*
 * Checks everything that can be told from the bytes alone: format, counts against the limits and the bytes left, order without repeats, leaves and nodes inside
 * the tree, no leaf in two of adds, removals and refreshes, known roles, no trailing bytes. STATUS_BAD_COMMIT leaves *out empty.
 */
MUST_CHECK status_t commit_parse(commit_t *out, bytes_t bytes);

/* Appends the body / the trailer. The lists must be in order already. */
void commit_write_body(const commit_t *self, buffer_t *out);
void commit_write_trailer(const commit_t *self, buffer_t *out);

/* The body's part of a whole commit's bytes (which commit_parse accepted). */
bytes_t commit_body(bytes_t bytes);

void commit_wipe(commit_t *self);

#endif
