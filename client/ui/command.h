/* SPDX-License-Identifier: MPL-2.0 */
/* A command of the program, as one row of a table, and one call of it. */
#ifndef CONCLAVE_CLIENT_UI_COMMAND_H
#define CONCLAVE_CLIENT_UI_COMMAND_H

#include "client/ui/format.h"
#include "client/ui/global_options.h"
#include "client/ui/text_buffer.h"

/* The options of all commands; each command's rows name the fields it takes. */
typedef struct {
    const char *kdf; /* NULL, "interactive" or "moderate" */
    const char *invite;
    const char *new_password_file;
    uint64_t wait_ms; /* COMMAND_UNSET: not given */
    uint64_t count;   /* COMMAND_UNSET: not given */
    uint64_t last;
    bool no_queue;
    bool off;
    bool yes;
} command_options_t;

#define COMMAND_UNSET        UINT64_MAX
#define COMMAND_LAST_DEFAULT 50

typedef struct command_row command_row_t;

/* One call of the program. Owned by the main thread. */
typedef struct {
    global_options_t globals;
    command_options_t options;
    const command_row_t *command;
    const char **words; /* after the command's name; into argv */
    size_t word_count;

    const char *argv0;
    FILE *in, *out, *err;
    bool ascii;
    format_t out_format, err_format;

    int signal_fd;     /* SIGINT, SIGTERM, SIGHUP, SIGWINCH as they come; -1 none */
    int signal_number; /* the one that asked to end; 0 none */

    /* What went wrong, for the one line on stderr (complaint.h). */
    text_buffer_t what, cause, advice;
} invocation_t;

struct command_row {
    const char *name;
    const char *arguments; /* "GROUP [TEXT…]" */
    size_t words_min, words_max;
    size_t names; /* of the words, how many must be names of users or groups; from the first on */
    const option_row_t *options;
    size_t option_count;
    const char *summary; /* half a line */
    const char *details; /* sentences */
    status_t (*run)(invocation_t *self);
    bool is_repeatable; /* can be run again from the start when the home's holder ended */
};

void invocation_wipe(invocation_t *self);

#endif
