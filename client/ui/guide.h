/* SPDX-License-Identifier: MPL-2.0 */
/* The guided start in an empty home: name, password, broker; then a first group. Asks on the
 * terminal. */
#ifndef CONCLAVE_CLIENT_UI_GUIDE_H
#define CONCLAVE_CLIENT_UI_GUIDE_H

#include "client/ui/access.h"
#include "client/ui/prompt.h"

/* The home is locked and empty. *identity is registered then, and the broker remembered; the caller
 * destroys it. Complains on failure. */
status_t guide_account(invocation_t *self, prompt_t *prompt, home_t *home,
                       struct identity **identity) MUST_CHECK;

/* Creates or joins a group, or not: *group is empty then. Complains on failure. */
status_t guide_group(invocation_t *self, prompt_t *prompt, access_t *access,
                     name_t *group) MUST_CHECK;

/* Which of several groups: their names with unread counts. *group stays empty if there is none to
 * choose. Complains on failure. */
status_t guide_choose_group(invocation_t *self, prompt_t *prompt, access_t *access,
                            name_t *group) MUST_CHECK;

#endif
