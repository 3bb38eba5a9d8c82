/* SPDX-License-Identifier: MPL-2.0 */
/* A prompt that arriving messages never break, driven by somebody else's poll loop. */
#ifndef CONCLAVE_CLIENT_UI_LINE_EDITOR_H
#define CONCLAVE_CLIENT_UI_LINE_EDITOR_H

#include "client/ui/line_completion.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define LINE_EDITOR_LINE_MAX                                                                       \
    (64 * 1024) /* bytes; far above what may be sent, so that callers can refuse it */
#define LINE_EDITOR_HISTORY 500 /* lines remembered */

typedef enum {
    LINE_EDITOR_NOTHING,   /* no complete line yet */
    LINE_EDITOR_LINE,      /* *line is set */
    LINE_EDITOR_INTERRUPT, /* Ctrl-C; the half-typed line was dropped */
    LINE_EDITOR_EOF,       /* Ctrl-D on an empty line, end of the pipe, or a lost terminal; final */
} line_editor_event_t;

/*
 * Owned by one thread. If both streams are terminals lines are edited (libedit's emacs keys,
 * history, completion); else lines are read plainly, nothing is prompted or echoed, and everything
 * below works all the same. While the editor lives the terminal does not turn Ctrl-C into a signal;
 * Ctrl-Z suspends as usual. Needs locale_init().
 */
typedef struct line_editor line_editor_t;

/* Streams stay the caller's and must outlive it; `in` must not have been read through stdio. Never
 * NULL. */
line_editor_t *line_editor_new(FILE *in, FILE *out);

/* Takes the prompt off the screen and gives the terminal back as it was. */
void line_editor_destroy(line_editor_t **self);

/* What to poll for POLLIN. */
int line_editor_fd(const line_editor_t *self);

/* How long, in ms, until line_editor_feed should be called without input (a lone Escape key waits
   for what may follow it); -1: only when there is input. */
int line_editor_timeout_ms(const line_editor_t *self);

/*
 * Takes what was typed and never blocks. When line_editor_fd is readable, call it until it returns
 * NOTHING or EOF: one read may hold several lines. *line is NULL, or after LINE a string without
 * newline that the caller frees: valid UTF-8 from a terminal, any bytes from a pipe except that NUL
 * became U+FFFD.
 */
line_editor_event_t line_editor_feed(line_editor_t *self, char **line);

/* Prints `text` (safe, a newline is added if missing) above the prompt and what is half typed,
 * which stay. */
void line_editor_print_above(line_editor_t *self, const char *text);

/* Copies `prompt` (see format_prompt) and shows it. */
void line_editor_set_prompt(line_editor_t *self, const char *prompt);

/* Adds a line to the history; an empty one, and one equal to the last, are not. Nothing is added
 * otherwise. */
void line_editor_remember(line_editor_t *self, const char *line);

/* To be called after SIGWINCH. */
void line_editor_resize(line_editor_t *self);

/* Whether an entered line stays on the screen; the default is yes. Without, the caller shows what
 * became of it. */
void line_editor_set_echo(line_editor_t *self, bool echo);

/* Between these two the prompt is off the screen and the terminal is as it was: for a question, a
 * password, a pager. */
void line_editor_suspend(line_editor_t *self);
void line_editor_resume(line_editor_t *self);

/* Called at Tab with the text left of the cursor; names each possible completion of its last word
   (which begins at byte `word_start`) with line_completion_offer, which drops those that don't fit.
 */
typedef void (*line_editor_complete_fn)(void *context, const char *left, size_t word_start,
                                        line_completion_t *completion);
void line_editor_set_complete(line_editor_t *self, line_editor_complete_fn complete, void *context);

#endif
