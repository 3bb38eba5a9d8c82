/* SPDX-License-Identifier: MPL-2.0 */
/* The options every command takes, their defaults and their environment variables. */
#ifndef CONCLAVE_CLIENT_UI_GLOBAL_OPTIONS_H
#define CONCLAVE_CLIENT_UI_GLOBAL_OPTIONS_H

#include "client/ui/options.h"

/* Strings point into argv or the environment. */
typedef struct {
    const char *home; /* NULL: global_options_home decides */
    const char *broker;
    const char *password_file;
    uint64_t poll_ms;
    uint64_t timeout_ms;
    bool json;
    bool quiet;
    bool trace;
    bool help;
    bool version;
} global_options_t;

extern const option_row_t global_option_rows[];
extern const size_t global_option_count;

/* Defaults, then CONCLAVE_HOME, CONCLAVE_BROKER and CONCLAVE_PASSWORD_FILE (an empty one counts as
 * unset). */
void global_options_init(global_options_t *self);

/* The home: as given, else $XDG_DATA_HOME/conclave, else ~/.local/share/conclave. The caller frees
   it. STATUS_NOT_FOUND: no home directory is known. */
status_t global_options_home(const global_options_t *self, char **path) MUST_CHECK;

#endif
