/* SPDX-License-Identifier: MPL-2.0 */
/* What conclaved is told to do: by flags, then by the config file, then by defaults. */
#ifndef CONCLAVE_BROKER_SETTINGS_OPTIONS_H
#define CONCLAVE_BROKER_SETTINGS_OPTIONS_H

#include "broker/log.h"
#include "broker/settings/option_value.h"

#include <stdio.h>

typedef enum {
    OPTIONS_RUN,
    OPTIONS_CHECK_CONFIG,
    OPTIONS_PRINT_CONFIG,
    OPTIONS_FSCK,
    OPTIONS_VERSION,
    OPTIONS_HELP
} options_action_t;

/* A copy is a whole one: nothing is owned. argv is borrowed, for the next options_load. */
typedef struct {
    options_action_t action;
    int argc;
    char **argv;
#define TEXT(field, ...)      char field[OPTION_TEXT_BYTES];
#define ENDPOINTS(field, ...) endpoint_list_t field;
#define ADDRESS(field, ...)   local_address_t field;
#define CHOICE(field, ...)    unsigned field;
#define NUMBER(field, ...)    uint64_t field;
#include "broker/settings/options.def"
} options_t;

/* What is wrong, where, and what is allowed: one line of printable ASCII. Lent for the call. */
typedef struct {
    const char *file; /* NULL: a flag */
    size_t line;      /* from 1; 0: the file as a whole */
    const char *text;
} options_problem_t;

typedef void options_tell_t(void *context, const options_problem_t *problem);

/* Reads flags and, if they name one, the config file. Each problem is told, up to OPTIONS_TOLD_MAX
   of them; --help and --version need no file. STATUS_USAGE: there was a problem, *out is not to be
   used. Not thread-safe (getopt). */
MUST_CHECK status_t options_load(options_t *out, int argc, char **argv, options_tell_t *tell,
                                 void *context);

#define OPTIONS_TOLD_MAX 20

/* A difference between two settings, as texts that live for the call. */
typedef void options_changed_t(void *context, const char *name, const char *old, const char *new);

/* Takes over from `from` what may change while running, telling `changed` of each option that
   differs, and `restart` of each that differs and stays. */
void options_take_reloaded(options_t *self, const options_t *from, options_changed_t *changed,
                           options_changed_t *restart, void *context);

/* --help / all settings as a config file. Whether it could be written shows in ferror(out). */
void options_print_help(FILE *out);
void options_print_config(const options_t *self, FILE *out);

#endif
