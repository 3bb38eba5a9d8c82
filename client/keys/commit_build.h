/* SPDX-License-Identifier: MPL-2.0 */
/* How an admin makes a commit of all that waits (PROTOCOL.md sections 7 and 9). */
#ifndef CONCLAVE_CLIENT_KEYS_COMMIT_BUILD_H
#define CONCLAVE_CLIENT_KEYS_COMMIT_BUILD_H

#include "client/keys/commit_plan.h"
#include "client/keys/prepared_commit.h"

/*
 * The holder stays as it is; adopt what comes out once the broker has accepted it.
 * STATUS_TREE_FULL, STATUS_TOO_MANY, STATUS_ALREADY_MEMBER (an add's name is in, or twice in the
 * plan), STATUS_UNKNOWN_LEAF, STATUS_LAST_ADMIN (the committer removed or made a member),
 * STATUS_BAD_COMMIT (a leaf twice), STATUS_BAD_KEY (a prekey that nothing can be sealed to).
 */
MUST_CHECK status_t commit_build(const holder_t *holder, const identity_t *admin,
                                 const commit_plan_t *plan, prepared_commit_t **out);

#endif
