/* SPDX-License-Identifier: MPL-2.0 */
/* All commands: the table that help, parsing and dispatch come from. */
#ifndef CONCLAVE_CLIENT_UI_COMMAND_TABLE_H
#define CONCLAVE_CLIENT_UI_COMMAND_TABLE_H

#include "client/ui/command.h"

extern const command_row_t command_table[];
extern const size_t command_count;

/* NULL if there is none of that name. */
const command_row_t *command_find(const char *name);
/* The name that was probably meant, or NULL. */
const char *command_nearest(const char *name);

/* Handlers. Each returns what the call comes to, with a complaint where that isn't STATUS_OK. */
status_t command_register(invocation_t *self);
status_t command_passwd(invocation_t *self);
status_t command_unregister(invocation_t *self);
status_t command_whoami(invocation_t *self);
status_t command_create(invocation_t *self);
status_t command_join(invocation_t *self);
status_t command_leave(invocation_t *self);
status_t command_groups(invocation_t *self);
status_t command_members(invocation_t *self);
status_t command_pending(invocation_t *self);
status_t command_ignore(invocation_t *self);
status_t command_send(invocation_t *self);
status_t command_listen(invocation_t *self);
status_t command_history(invocation_t *self);
status_t command_serve(invocation_t *self);
status_t command_status(invocation_t *self);
status_t command_chat(invocation_t *self);
status_t command_help(invocation_t *self);

#endif
