/* SPDX-License-Identifier: MPL-2.0 */
/* Options as people read them: --help and --print-config. */
#include "broker/settings/option_table.h"

#include <string.h>

#define HELP_COLUMN 25
#define HELP_INDENT "                         " /* up to that column */
#define HELP_WIDTH  90

/* The lines of a help text, with `indent` before each but the first. */
static void print_lines(FILE *out, const char *text, const char *indent)
{
    for (const char *c = text; *c; c++) {
        fputc(*c, out);
        if (*c == '\n') {
            fputs(indent, out);
        }
    }
}

/* The default goes to a line of its own where the help's last line has no room for it. */
static void print_default(const option_row_t *row, FILE *out)
{
    const char *last_line = strrchr(row->help, '\n');
    size_t used = HELP_COLUMN + strlen(last_line ? last_line + 1 : row->help);
    bool has_room = used + strlen(" []") + strlen(row->initial) <= HELP_WIDTH;
    fprintf(out, "%s[%s]", has_room ? " " : "\n" HELP_INDENT, row->initial);
}

static void print_help_row(const option_row_t *row, FILE *out)
{
    char head[64];
    snprintf(head, sizeof head, "  --%s%s%s", row->name, row->argument ? " " : "",
             row->argument ? row->argument : "");
    fprintf(out, "%-*s%s", HELP_COLUMN, head, strlen(head) < HELP_COLUMN ? "" : "\n" HELP_INDENT);
    print_lines(out, row->help, HELP_INDENT);
    if (*row->initial) {
        print_default(row, out);
    }
    fputc('\n', out);
}

void options_print_help(FILE *out)
{
    fputs("Usage: conclaved [OPTION]...\n"
          "The Conclave broker: carries the messages of locked rooms and can read none.\n\n",
          out);
    for (const option_row_t *row = option_rows; row < option_rows + OPTION_ROWS; row++) {
        print_help_row(row, out);
    }
    fputs("\nWhen ready, it writes DIR/broker.url: the address that clients need, key included.\n"
          "Exit codes: 0 stopped by SIGTERM or SIGINT, 1 could not start, 2 wrong usage.\n",
          out);
}

static void print_setting(const options_t *self, const option_row_t *row, FILE *out)
{
    const void *field = option_field_of(self, row);
    size_t count = option_value_count(row, field);
    fputs("\n# ", out);
    print_lines(out, row->help, "# ");
    fputc('\n', out);
    if (count == 0) {
        fprintf(out, "#%s =\n", row->name);
    }
    for (size_t i = 0; i < count; i++) {
        char value[OPTION_TEXT_BYTES];
        option_value_format(row, field, i, value, sizeof value);
        fprintf(out, "%s = %s\n", row->name, value);
    }
}

void options_print_config(const options_t *self, FILE *out)
{
    fputs("# Settings of conclaved. All keys: conclaved.conf(5).\n", out);
    for (const option_row_t *row = option_rows; row < option_rows + OPTION_ROWS; row++) {
        if (row->change != FLAG_ONLY) {
            print_setting(self, row, out);
        }
    }
}
