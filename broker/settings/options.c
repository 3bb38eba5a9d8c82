/* SPDX-License-Identifier: MPL-2.0 */
/* Long options only: a broker is started by a unit file, where they explain themselves. Flags are
   read first, since one names the config file, and laid over what it says at the end. */
#include "broker/settings/options.h"

#include "broker/settings/config_text.h"
#include "broker/settings/option_name.h"
#include "broker/settings/option_table.h"
#include "broker/settings/options_check.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_VALUE 256 /* of getopt's, so that none is '?' or ':' */
#define SHOWN_BYTES 80  /* of a text that is shown in a problem */

/* One source of options, being read. */
typedef struct {
    options_t *options;
    bool is_given[OPTION_ROWS];
    size_t given_line[OPTION_ROWS];
    const char *file; /* NULL: the command line */
    size_t line;
    options_tell_t *tell;
    void *context;
    size_t *told;
} source_t;

static void tell(source_t *self, const char *text)
{
    const options_problem_t problem = {.file = self->file, .line = self->line, .text = text};
    if (++*self->told <= OPTIONS_TOLD_MAX) {
        self->tell(self->context, &problem);
    }
}

/* What the user wrote, made fit for a terminal and short. */
static const char *shown(char out[static SHOWN_BYTES], const char *text)
{
    size_t size = 0;
    for (; size < SHOWN_BYTES - 1 && text[size]; size++) {
        out[size] = text[size] >= ' ' && text[size] <= '~' ? text[size] : '?';
    }
    out[size] = '\0';
    return out;
}

static void tell_of_key(source_t *self, const char *key, const char *why)
{
    char text[512];
    char shown_key[SHOWN_BYTES];
    snprintf(text, sizeof text, "key '%s': %s", shown(shown_key, key), why);
    tell(self, text);
}

static void tell_of_value(source_t *self, const option_row_t *row, const char *value)
{
    char text[512];
    char allowed[160];
    char shown_value[SHOWN_BYTES];
    option_value_allowed(row, allowed, sizeof allowed);
    snprintf(text, sizeof text, "can't be '%s'; allowed: %s%s", shown(shown_value, value), allowed,
             self->file && strstr(value, " #") ? "; a comment needs a line of its own" : "");
    if (self->file) {
        tell_of_key(self, row->name, text);
    } else {
        char line[640];
        snprintf(line, sizeof line, "--%s %s", row->name, text);
        tell(self, line);
    }
}

/* The first value of a source replaces the default; a list's next one adds to it. */
static void take_value(source_t *self, const option_row_t *row, const char *value)
{
    size_t index = (size_t)(row - option_rows);
    void *field = option_field(self->options, row);
    if (!self->is_given[index]) {
        memset(field, 0, row->size);
    }
    self->is_given[index] = true;
    self->given_line[index] = self->line;
    if (!option_value_parse(row, field, value)) {
        tell_of_value(self, row, value);
    }
}

/* --- The config file -------------------------------------------------------------------------- */

static const option_row_t *row_of_key(const char *key)
{
    for (const option_row_t *row = option_rows; row < option_rows + OPTION_ROWS; row++) {
        if (strcmp(row->name, key) == 0) {
            return row;
        }
    }
    return NULL;
}

static void tell_unknown_key(source_t *self, const char *key)
{
    char why[160];
    const char *near = NULL;
    for (const option_row_t *row = option_rows; row < option_rows + OPTION_ROWS; row++) {
        if (row->change != FLAG_ONLY && option_name_is_near(key, row->name)) {
            near = row->name;
        }
    }
    if (near) {
        snprintf(why, sizeof why, "unknown; did you mean '%s'?", near);
    } else {
        snprintf(why, sizeof why, "unknown; allowed are the keys that --print-config prints");
    }
    tell_of_key(self, key, why);
}

static void take_line(source_t *self, const config_line_t *line)
{
    const option_row_t *row = row_of_key(line->key);
    if (!row) {
        tell_unknown_key(self, line->key);
    } else if (row->change == FLAG_ONLY) {
        tell_of_key(self, line->key, "only a flag; not allowed in a config file");
    } else if (self->is_given[row - option_rows] && row->kind != OPTION_ENDPOINTS) {
        char why[96];
        snprintf(why, sizeof why, "given twice, first in line %zu; allowed once",
                 self->given_line[row - option_rows]);
        tell_of_key(self, line->key, why);
    } else {
        take_value(self, row, line->value);
    }
}

static void take_config(source_t *self, bytes_t bytes)
{
    config_text_t text = {.left = bytes};
    config_line_t line;
    while (config_text_next(&text, &line) && *self->told <= OPTIONS_TOLD_MAX) {
        self->line = text.line;
        if (line.problem) {
            tell(self, line.problem);
        } else {
            take_line(self, &line);
        }
    }
}

static void read_config(source_t *self)
{
    buffer_t bytes = {0};
    const char *problem = config_file_read(self->file, &bytes);
    if (problem) {
        tell(self, problem);
    } else {
        take_config(self, buffer_view(&bytes));
    }
    buffer_free(&bytes);
}

/* --- The command line ------------------------------------------------------------------------- */

/* `before`, what the user wrote, `after`. */
static void tell_of_argument(source_t *self, const char *before, const char *argument,
                             const char *after)
{
    char text[160];
    char shown_argument[SHOWN_BYTES];
    snprintf(text, sizeof text, "%s%s%s", before, shown(shown_argument, argument), after);
    tell(self, text);
}

static void read_flags(source_t *self, int argc, char **argv)
{
    struct option flags[OPTION_ROWS + 1] = {0};
    int option;
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        flags[i] =
            (struct option){.name = option_rows[i].name,
                            .has_arg = option_rows[i].argument ? required_argument : no_argument,
                            .val = FIRST_VALUE + (int)i};
    }
    optind = 0; /* glibc: start anew */
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:", flags, NULL)) != -1) {
        if (option == ':') {
            tell_of_argument(self, "a value is missing after ", argv[optind - 1], "");
        } else if (option == '?') {
            tell_of_argument(self, "there is no option ", argv[optind - 1], "");
        } else {
            const option_row_t *row = &option_rows[option - FIRST_VALUE];
            if (row->kind == OPTION_ACTION) {
                self->options->action = (options_action_t)row->action;
            } else {
                take_value(self, row, optarg);
            }
        }
    }
    if (optind < argc) {
        tell_of_argument(self, "'", argv[optind], "' is not understood");
    }
}

static void take_defaults(options_t *out)
{
    memset(out, 0, sizeof *out);
    for (const option_row_t *row = option_rows; row < option_rows + OPTION_ROWS; row++) {
        if (*row->initial && !option_value_parse(row, option_field(out, row), row->initial)) {
            abort(); /* options.def contradicts itself */
        }
    }
}

/* What flags say goes before what the file says. */
static void lay_over(options_t *out, const source_t *flags)
{
    for (const option_row_t *row = option_rows; row < option_rows + OPTION_ROWS; row++) {
        if (flags->is_given[row - option_rows]) {
            memcpy(option_field(out, row), option_field(flags->options, row), row->size);
        }
    }
    out->action = flags->options->action;
}

typedef struct {
    source_t *flags;
    source_t *file;
} sources_t;

/* Told of whom the value is from. */
static void tell_fault(void *context, const char *name, const char *why)
{
    const sources_t *self = context;
    size_t index = (size_t)(row_of_key(name) - option_rows);
    if (self->flags->is_given[index]) {
        char text[512];
        snprintf(text, sizeof text, "--%s: %s", name, why);
        tell(self->flags, text);
    } else {
        self->file->line = self->file->given_line[index];
        tell_of_key(self->file, name, why);
    }
}

/* Only for who is about to run a broker: others don't need what it needs. */
static bool is_to_run(const options_t *options)
{
    return (options->action == OPTIONS_RUN || options->action == OPTIONS_CHECK_CONFIG) &&
           !options->restore[0];
}

status_t options_load(options_t *out, int argc, char **argv, options_tell_t *tell_fn, void *context)
{
    options_t from_flags;
    size_t told = 0;
    source_t flags = {.options = &from_flags, .tell = tell_fn, .context = context, .told = &told};
    take_defaults(&from_flags);
    read_flags(&flags, argc, argv);
    take_defaults(out);
    out->argc = argc;
    out->argv = argv;
    bool needs_file = from_flags.action != OPTIONS_HELP && from_flags.action != OPTIONS_VERSION;
    source_t file = {.options = out,
                     .file = from_flags.config,
                     .tell = tell_fn,
                     .context = context,
                     .told = &told};
    if (needs_file && from_flags.config[0]) {
        read_config(&file);
    }
    lay_over(out, &flags);
    if (is_to_run(out)) {
        options_check(out, tell_fault, &(sources_t){.flags = &flags, .file = &file});
    }
    return told == 0 ? STATUS_OK : STATUS_USAGE;
}
