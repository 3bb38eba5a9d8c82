/* SPDX-License-Identifier: MPL-2.0 */
/* From argv to a command with its options and words, by the table; and help for it. */
#ifndef CONCLAVE_CLIENT_UI_COMMAND_LINE_H
#define CONCLAVE_CLIENT_UI_COMMAND_LINE_H

#include "client/ui/command.h"

/*
 * Fills globals, options, command and words; without a command, `chat` is meant. --help and
 * --version leave the rest unchecked. STATUS_USAGE or STATUS_BAD_NAME come with a complaint. argv
 * must outlive self.
 */
status_t command_line_parse(invocation_t *self, int argc, char **argv) MUST_CHECK;

/* The usage of the program (NULL) or of a command; the caller frees it. */
char *command_line_help(const command_row_t *command);

#endif
