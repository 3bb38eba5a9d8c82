/* SPDX-License-Identifier: MPL-2.0 */
/* A member's list of its group's admins, and how commits change it. */
#ifndef CONCLAVE_CLIENT_KEYS_ADMIN_LIST_H
#define CONCLAVE_CLIENT_KEYS_ADMIN_LIST_H

#include "client/keys/tree_math.h"
#include "proto/commit.h"
#include "proto/roster.h"

/* An admin as this member knows it. After a promotion of somebody whose roster entry isn't proven,
 * name and key are unknown until it is. */
typedef struct {
    uint32_t leaf;
    bool is_known;
    name_t name;
    uint8_t identity_key[KEY_BYTES];
} group_admin_t;

/* By ascending leaf. */
typedef struct {
    group_admin_t items[ADMINS_MAX];
    size_t count;
} admin_list_t;

/* NULL if the leaf is no admin's. */
group_admin_t *admin_list_find(admin_list_t *self, leaf_index_t leaf);
/* Puts one in its place, over an older one of the same leaf. False if there are too many. */
MUST_CHECK bool admin_list_put(admin_list_t *self, const group_admin_t *admin);
/* Follows a commit. STATUS_BAD_COMMIT if that contradicts the list, or its committer would be no
 * admin afterwards; the list is of no use then: work on a copy. */
MUST_CHECK status_t admin_list_apply(admin_list_t *self, const commit_t *commit);

void admin_list_write(const admin_list_t *self, buffer_t *out);
/* False if malformed. */
MUST_CHECK bool admin_list_read(admin_list_t *self, reader_t *in);

#endif
