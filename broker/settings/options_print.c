/* SPDX-License-Identifier: MPL-2.0 */
/* Options as people read them: --help and --print-config. */
#include "broker/settings/option_table.h"

#include <string.h>

enum { HELP_COLUMN = 30, HELP_WIDTH = 80 };

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

/* At HELP_COLUMN; a new line where a word does not fit, and after each \n. */
static void print_wrapped(FILE *out, const char *text)
{
    size_t column = HELP_COLUMN;
    while (*text) {
        size_t size = strcspn(text, " \n");
        if (column > HELP_COLUMN && column + 1 + size > HELP_WIDTH) {
            fprintf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, size, out);
        column += size;
        text += size;
        if (*text == '\n') {
            fprintf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        text += *text != '\0';
    }
    fputc('\n', out);
}

static void print_help_row(const option_row_t *row, FILE *out)
{
    char head[64], text[512];
    bool has_default = *row->initial != '\0';
    snprintf(head, sizeof head, "  --%s%s%s", row->name, row->argument ? " " : "",
             row->argument ? row->argument : "");
    snprintf(text, sizeof text, "%s%s%s%s", row->help, has_default ? " [" : "", row->initial,
             has_default ? "]" : "");
    fprintf(out, "%-*s", HELP_COLUMN, head);
    print_wrapped(out, text);
}

void options_print_help(FILE *out)
{
    fputs("Usage: conclaved [OPTION]...\n"
          "       conclaved user --help\n"
          "The Conclave broker: carries the messages of locked rooms and can read none.\n\n",
          out);
    for (const option_row_t *row = option_rows; row < option_rows + OPTION_ROWS; row++) {
        print_help_row(row, out);
    }
    fputs("\nWhen ready, it writes DIR/broker.url: what clients need, the key included.\n"
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
