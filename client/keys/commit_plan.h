/* SPDX-License-Identifier: MPL-2.0 */
/* What an admin wants a commit to do, checked against the group and laid out in the commit's lists.
 */
#ifndef CONCLAVE_CLIENT_KEYS_COMMIT_PLAN_H
#define CONCLAVE_CLIENT_KEYS_COMMIT_PLAN_H

#include "client/keys/holder.h"
#include "client/keys/welcome.h"

/* Lists in any order, borrowed for the call. All empty is allowed: the commit then only moves the
 * epoch on. */
typedef struct {
    const served_request_t *adds;
    size_t add_count; /* at most COMMIT_ADDS_MAX, and so on */
    const leaf_index_t *removals;
    size_t removal_count;
    const served_request_t *refreshes; /* is_held */
    size_t refresh_count;
    const commit_role_t *roles; /* the first commit's is {0, ROLE_ADMIN} */
    size_t role_count;
} commit_plan_t;

/* Fills the commit's lists, in order and with leaves, and all that is known before keys move.
 * Statuses as commit_build says; *out is empty then. */
MUST_CHECK status_t commit_plan_validate(const commit_plan_t *plan, const holder_t *holder,
                                         const identity_t *admin, commit_t *out);

/* The admins as they are after the commit, by ascending leaf. STATUS_TOO_MANY, STATUS_LAST_ADMIN
 * (none left). */
MUST_CHECK status_t commit_admins_after(const roster_table_t *roster, const commit_t *commit,
                                        welcome_admin_t admins[static ADMINS_MAX], size_t *count);

#endif
