/* SPDX-License-Identifier: MPL-2.0 */
/* What a line typed in the chat means: a text to send or one of the commands, which stand in a
 * table. */
#ifndef CONCLAVE_CLIENT_UI_CHAT_INPUT_H
#define CONCLAVE_CLIENT_UI_CHAT_INPUT_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    CHAT_NOTHING, /* an empty line */
    CHAT_TEXT,    /* argument is what to send: "//x" sends "/x" */
    CHAT_HELP,
    CHAT_GROUPS,
    CHAT_JOIN,
    CHAT_LEAVE,
    CHAT_MEMBERS,
    CHAT_WHO,
    CHAT_CREATE,
    CHAT_SWITCH,
    CHAT_HISTORY,
    CHAT_IGNORE,
    CHAT_STATUS,
    CHAT_QUIT,
    CHAT_UNKNOWN, /* argument is the word after the slash; nearest may be set */
    CHAT_BAD,     /* the wrong number of words: row tells the usage */
} chat_input_kind_t;

typedef struct {
    const char *name; /* "switch" */
    const char *arguments;
    const char *help;
    chat_input_kind_t kind;
    size_t words_min, words_max;
    bool takes_group; /* the word is a group's name; else a person's */
} chat_row_t;

extern const chat_row_t chat_rows[];
extern const size_t chat_row_count;

typedef struct {
    chat_input_kind_t kind;
    const chat_row_t *row; /* of a command, and of CHAT_BAD */
    const char *nearest;   /* of CHAT_UNKNOWN, or NULL */
    char *argument;        /* the text, or the command's only word; NULL if there is none */
} chat_input_t;

/* Reads a line. Wipe what comes out. */
chat_input_t chat_input_parse(const char *line);
void chat_input_wipe(chat_input_t *self);

#endif
