/* SPDX-License-Identifier: MPL-2.0 */
/* `conclaved user add|list|disable|enable|reset`: the operator's side of accounts. */
#ifndef CONCLAVE_BROKER_USERS_USER_COMMAND_H
#define CONCLAVE_BROKER_USERS_USER_COMMAND_H

#include "broker/settings/options.h"

/* argv[1] is "user". Asks the broker that runs on --data over its operator's socket, or, if none
 * runs, works on the store itself. STATUS_USAGE: told on err. Any other failure is told there too,
 * with the next step. */
MUST_CHECK status_t user_command_run(int argc, char **argv, FILE *out, FILE *err);

#endif
