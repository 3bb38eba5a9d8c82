/* SPDX-License-Identifier: MPL-2.0 */
/* Checked roster pages. */
#include "client/core/roster_pages.h"

#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

roster_pages_t *roster_pages_new(void)
{
    roster_pages_t *self = mem_zalloc(1, sizeof *self);
    self->is_running = true;
    return self;
}

void roster_pages_destroy(roster_pages_t **self)
{
    if (!*self)
        return;
    free((*self)->members);
    free(*self);
    *self = NULL;
}

void roster_pages_restart(roster_pages_t *self)
{
    self->count = 0;
    self->restarts++;
}

static status_t append(roster_pages_t *self, const roster_entry_record_t *entry, uint64_t leaves)
{
    if (entry->leaf >= leaves || entry->role > UINT8_MAX || !name_size(&entry->name) ||
        (self->count && self->members[self->count - 1].leaf >= entry->leaf))
        return STATUS_BAD_PROOF;
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : ROSTER_PAGE_MAX;
        self->members = mem_realloc(self->members, self->capacity, sizeof *self->members);
    }
    roster_member_t *member = &self->members[self->count++];
    *member = (roster_member_t){.leaf = (uint32_t)entry->leaf,
                                .name = entry->name,
                                .epoch_added = entry->epoch_added,
                                .role = (uint8_t)entry->role};
    memcpy(member->identity_key, entry->identity_key, KEY_BYTES);
    return STATUS_OK;
}

static void compute_root(const roster_pages_t *self, unsigned depth, uint8_t out[HASH_BYTES])
{
    size_t leaves = (size_t)1 << depth;
    uint8_t(*hashes)[HASH_BYTES] = mem_zalloc(leaves, sizeof *hashes);
    for (size_t i = 0; i < self->count; i++)
        roster_leaf_hash(hashes[self->members[i].leaf], &self->members[i]);
    for (size_t width = leaves / 2; width; width /= 2)
        for (size_t i = 0; i < width; i++)
            roster_node_hash(hashes[i], hashes[2 * i], hashes[2 * i + 1]);
    memcpy(out, hashes[0], HASH_BYTES);
    free(hashes);
}

status_t roster_pages_add(roster_pages_t *self, const roster_reply_t *page,
                          const group_state_t *state, uint64_t *next)
{
    *next = UINT32_MAX;
    if (page->epoch != group_state_epoch(state))
        return STATUS_STALE_EPOCH;
    unsigned depth = group_state_depth(state);
    uint64_t leaves = (uint64_t)1 << depth;
    for (size_t i = 0; i < page->entries.count; i++) {
        status_t status = append(self, &page->entries.items[i], leaves);
        if (status)
            return status;
    }
    bool has_more = page->next_leaf < leaves;
    if (has_more &&
        (!page->entries.count || page->next_leaf <= self->members[self->count - 1].leaf))
        return STATUS_BAD_PROOF;
    if (has_more) {
        *next = page->next_leaf;
        return STATUS_OK;
    }
    uint8_t root[HASH_BYTES];
    compute_root(self, depth, root);
    if (memcmp(root, group_state_roster_root(state), HASH_BYTES))
        return STATUS_BAD_PROOF;
    self->epoch = page->epoch;
    self->is_running = false;
    self->is_complete = true;
    return STATUS_OK;
}

bool roster_pages_are_complete(const roster_pages_t *self, const group_state_t *state)
{
    return self->is_complete && self->epoch == group_state_epoch(state);
}
