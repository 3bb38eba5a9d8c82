/* SPDX-License-Identifier: MPL-2.0 */
/* Which leaf holds a name. Salted, since names are chosen by others. */
#ifndef CONCLAVE_CLIENT_KEYS_NAME_INDEX_H
#define CONCLAVE_CLIENT_KEYS_NAME_INDEX_H

#include "proto/roster.h"

/* The names themselves stay in the caller's array of members, by leaf. All zero but the salt is
 * valid and empty. */
typedef struct {
    uint8_t salt[16];
    uint32_t *slots; /* leaf + 1, or 0 */
    size_t capacity; /* a power of two, or 0 */
    size_t count;
} name_index_t;

void name_index_init(name_index_t *self);
void name_index_free(name_index_t *self);
/* UINT32_MAX if absent. */
uint32_t name_index_find(const name_index_t *self, const roster_member_t *members,
                         const name_t *name);
/* members[leaf] holds the name already, and it is not in the index. */
void name_index_add(name_index_t *self, const roster_member_t *members, uint32_t leaf);
/* members[leaf] still holds the name. */
void name_index_remove(name_index_t *self, const roster_member_t *members, uint32_t leaf);

#endif
