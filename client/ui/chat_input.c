/* SPDX-License-Identifier: MPL-2.0 */
/* What a line typed in the chat means. */
#include "client/ui/chat_input.h"

#include "client/ui/options.h"
#include "client/ui/text_buffer.h"
#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define BLANKS      " \t"

const chat_row_t chat_rows[] = {
    {"help", "", "this list", CHAT_HELP, 0, 0, false},
    {"groups", "", "your groups, with unread counts", CHAT_GROUPS, 0, 0, false},
    {"join", "GROUP", "ask to be let into a group", CHAT_JOIN, 1, 1, true},
    {"leave", "[GROUP]", "leave this group, or another", CHAT_LEAVE, 0, 1, true},
    {"members", "", "who is in, with safety words", CHAT_MEMBERS, 0, 0, false},
    {"who", "", "who is in, in one line", CHAT_WHO, 0, 0, false},
    {"create", "GROUP", "make a group and be its admin", CHAT_CREATE, 1, 1, true},
    {"switch", "[GROUP]", "talk in another group", CHAT_SWITCH, 0, 1, true},
    {"history", "[N]", "show the last N lines again", CHAT_HISTORY, 0, 1, false},
    {"ignore", "NAME", "show nothing of NAME any more, here", CHAT_IGNORE, 1, 1, false},
    {"status", "", "the broker, the outbox, who holds the home", CHAT_STATUS, 0, 0, false},
    {"quit", "", "end (also Ctrl-D)", CHAT_QUIT, 0, 0, false},
};
const size_t chat_row_count = COUNT(chat_rows);

static const chat_row_t *find(const char *name)
{
    for (size_t i = 0; i < chat_row_count; i++)
        if (strcmp(chat_rows[i].name, name) == 0)
            return &chat_rows[i];
    return NULL;
}

static const char *nearest(const char *name)
{
    const char *names[COUNT(chat_rows)];
    for (size_t i = 0; i < chat_row_count; i++)
        names[i] = chat_rows[i].name;
    return options_nearest(name, names, chat_row_count);
}

static chat_input_t parse_command(const char *line)
{
    size_t size = strcspn(line, BLANKS);
    char *name = text_new(line, size);
    chat_input_t out = {.kind = CHAT_UNKNOWN, .row = find(name)};
    if (!out.row) {
        out.nearest = nearest(name);
        out.argument = name; /* transferred */
        return out;
    }
    free(name);
    line += size;
    size_t words = 0;
    while (*(line += strspn(line, BLANKS))) {
        size = strcspn(line, BLANKS);
        if (words++ == 0)
            out.argument = text_new(line, size);
        line += size;
    }
    out.kind = out.row->kind;
    if (words < out.row->words_min || words > out.row->words_max)
        out.kind = CHAT_BAD;
    return out;
}

chat_input_t chat_input_parse(const char *line)
{
    if (!line[strspn(line, BLANKS)])
        return (chat_input_t){.kind = CHAT_NOTHING};
    if (line[0] != '/')
        return (chat_input_t){.kind = CHAT_TEXT, .argument = mem_strdup(line)};
    if (line[1] == '/')
        return (chat_input_t){.kind = CHAT_TEXT, .argument = mem_strdup(line + 1)};
    return parse_command(line + 1);
}

void chat_input_wipe(chat_input_t *self)
{
    free(self->argument);
    *self = (chat_input_t){0};
}
