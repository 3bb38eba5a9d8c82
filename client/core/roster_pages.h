/* SPDX-License-Identifier: MPL-2.0 */
/* A whole roster, fetched page by page and believed only when its Merkle root is the group's. */
#ifndef CONCLAVE_CLIENT_CORE_ROSTER_PAGES_H
#define CONCLAVE_CLIENT_CORE_ROSTER_PAGES_H

#include "client/keys/group_state.h"
#include "proto/message.h"

typedef struct {
    uint64_t epoch;
    roster_member_t *members; /* by ascending leaf */
    size_t count, capacity;
    bool is_running, is_complete;
    unsigned restarts; /* the group moved on between two pages */
} roster_pages_t;

roster_pages_t *roster_pages_new(void);
void roster_pages_destroy(roster_pages_t **self);
void roster_pages_restart(roster_pages_t *self);

/*
 * Takes a page. *next is the leaf to ask for next, or UINT32_MAX when all is there and the root is
 * right. STATUS_STALE_EPOCH: of another epoch than the state's, begin again. STATUS_BAD_PROOF: it
 * contradicts the root, or itself.
 */
MUST_CHECK status_t roster_pages_add(roster_pages_t *self, const roster_reply_t *page,
                                     const group_state_t *state, uint64_t *next);
bool roster_pages_are_complete(const roster_pages_t *self, const group_state_t *state);

#endif
