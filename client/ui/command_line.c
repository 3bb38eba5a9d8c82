/* SPDX-License-Identifier: MPL-2.0 */
/* From argv to a command with its options and words, by the table; and help for it. */
#include "client/ui/command_line.h"

#include "client/ui/command_table.h"
#include "client/ui/complaint.h"
#include "client/ui/safe_text.h"
#include "proto/memory.h"
#include "proto/name.h"

#include <stdlib.h>
#include <string.h>

#define HELP_COLUMNS 80

static status_t refuse_command(invocation_t *self, const char *word)
{
    const char *nearest = command_nearest(word);
    status_t status = complain(self, STATUS_USAGE, "there is no command %s", word);
    text_buffer_t advice = {0};
    if (nearest)
        text_buffer_add_format(&advice, "did you mean %s?", nearest);
    else
        text_buffer_add_text(&advice, "conclave help lists them");
    complain_advice(self, advice.bytes);
    text_buffer_wipe(&advice);
    return status;
}

static status_t check_words(invocation_t *self)
{
    const command_row_t *command = self->command;
    if (self->word_count < command->words_min || self->word_count > command->words_max) {
        status_t status = complain(self, STATUS_USAGE, "%s %s", command->name,
                                   self->word_count < command->words_min ? "needs more words"
                                                                         : "takes fewer words");
        text_buffer_t advice = {0};
        text_buffer_add_format(&advice, "usage: conclave %s %s", command->name, command->arguments);
        complain_advice(self, advice.bytes);
        text_buffer_wipe(&advice);
        return status;
    }
    for (size_t i = 0; i < self->word_count && i < command->names; i++) {
        name_t name;
        status_t status = name_parse(&name, self->words[i]);
        if (status != STATUS_OK)
            return complain(self, status, "\"%s\" can't be a name", self->words[i]);
    }
    return STATUS_OK;
}

static status_t take_words(invocation_t *self, options_t *options)
{
    for (;;) {
        const char *word;
        status_t status = options_next(options, &word);
        if (status != STATUS_OK) {
            status = complain(self, status, "%s", options_error(options));
            complain_advice(self, "conclave help lists the options");
            return status;
        }
        if (!word)
            return STATUS_OK;
        if (self->command) {
            self->words[self->word_count++] = word;
            continue;
        }
        self->command = command_find(word);
        if (!self->command)
            return refuse_command(self, word);
        if (self->command->option_count)
            options_add_set(options, self->command->options, self->command->option_count,
                            &self->options);
    }
}

status_t command_line_parse(invocation_t *self, int argc, char **argv)
{
    options_t options;
    global_options_init(&self->globals);
    self->argv0 = argc > 0 ? argv[0] : "conclave";
    self->options = (command_options_t){
        .wait_ms = COMMAND_UNSET, .count = COMMAND_UNSET, .last = COMMAND_LAST_DEFAULT};
    self->words = mem_zalloc((size_t)argc + 1, sizeof *self->words);
    self->word_count = 0;
    self->command = NULL;
    options_init(&options, argc, argv);
    options_add_set(&options, global_option_rows, global_option_count, &self->globals);
    status_t status = take_words(self, &options);
    options_wipe(&options);
    if (status != STATUS_OK || self->globals.help || self->globals.version)
        return status;
    if (!self->command)
        self->command = command_find("chat");
    return check_words(self);
}

/* Breaks sentences into lines of at most HELP_COLUMNS columns. */
static void add_wrapped(text_buffer_t *out, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t size = strcspn(text, " ");
        if (column && column + 1 + size > HELP_COLUMNS) {
            text_buffer_add_text(out, "\n");
            column = 0;
        } else if (column) {
            text_buffer_add_text(out, " ");
            column++;
        }
        text_buffer_add(out, text, size);
        column += size;
        text += size + (text[size] == ' ');
    }
    text_buffer_add_text(out, "\n");
}

static void add_options(text_buffer_t *out, const char *title, const option_row_t *rows,
                        size_t count)
{
    char *help = options_help(rows, count);
    text_buffer_add_format(out, "\n%s\n%s", title, help);
    free(help);
}

static char *help_of_command(const command_row_t *command)
{
    text_buffer_t out = {0};
    text_buffer_add_format(&out, "usage: conclave [options] %s%s%s\n\n%s: %s\n", command->name,
                           *command->arguments ? " " : "", command->arguments, command->name,
                           command->summary);
    if (*command->details) {
        text_buffer_add_text(&out, "\n");
        add_wrapped(&out, command->details);
    }
    if (command->option_count)
        add_options(&out, "options:", command->options, command->option_count);
    add_options(&out, "options of every command:", global_option_rows, global_option_count);
    return text_buffer_take(&out);
}

static char *help_of_program(void)
{
    text_buffer_t out = {0};
    size_t widest = 0;
    text_buffer_add_text(&out, "usage: conclave [options] [COMMAND]\n\n"
                               "Group chat that only its members can open. Without a COMMAND: "
                               "chat.\n\ncommands:\n");
    for (size_t i = 0; i < command_count; i++) {
        size_t width = strlen(command_table[i].name) + 1 + strlen(command_table[i].arguments);
        widest = width > widest ? width : widest;
    }
    for (size_t i = 0; i < command_count; i++) {
        const command_row_t *row = &command_table[i];
        size_t width = strlen(row->name) + 1 + strlen(row->arguments);
        text_buffer_add_format(&out, "  %s %s", row->name, row->arguments);
        text_buffer_add_repeated(&out, ' ', widest - width + 2);
        text_buffer_add_format(&out, "%s\n", row->summary);
    }
    add_options(&out, "options, before or after COMMAND (-- ends them):", global_option_rows,
                global_option_count);
    text_buffer_add_text(
        &out, "\nenvironment: CONCLAVE_HOME, CONCLAVE_BROKER, CONCLAVE_PASSWORD_FILE, NO_COLOR\n"
              "exit codes: 0 done, 2 usage, 3 refused by the broker, 4 not reachable or timed\n"
              "  out, 5 wrong password, 6 damaged local file, 7 home in use, 8 untrusted\n"
              "conclave help COMMAND tells more about one.\n");
    return text_buffer_take(&out);
}

char *command_line_help(const command_row_t *command)
{
    return command ? help_of_command(command) : help_of_program();
}
