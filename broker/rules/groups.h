/* SPDX-License-Identifier: MPL-2.0 */
/* Join requests, as asking to be let in and creating a group both need them. */
#ifndef CONCLAVE_BROKER_RULES_GROUPS_H
#define CONCLAVE_BROKER_RULES_GROUPS_H

#include "broker/rules/state.h"

/* STATUS_BAD_JOIN, STATUS_BAD_KEY; STATUS_BAD_SIGNATURE also if the key isn't the user's;
 * STATUS_STORE_FAILED. */
MUST_CHECK status_t check_join_request(rules_t *rules, const uint8_t *group, const name_t *user,
                                       bytes_t bytes);

#endif
