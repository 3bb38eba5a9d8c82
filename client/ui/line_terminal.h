/* SPDX-License-Identifier: MPL-2.0 */
/* The line editor's half that needs a terminal: libedit, fed key by key. */
#ifndef CONCLAVE_CLIENT_UI_LINE_TERMINAL_H
#define CONCLAVE_CLIENT_UI_LINE_TERMINAL_H

#include "client/ui/line_completion.h"
#include "client/ui/line_editor.h"

/* Owned by one thread. What has a namesake in line_editor.h does what is said there. */
typedef struct line_terminal line_terminal_t;

/* Puts the terminal into raw mode and shows an empty prompt. NULL if libedit can't start. */
line_terminal_t *line_terminal_new(FILE *in, FILE *out);
void line_terminal_destroy(line_terminal_t **self);

/* Acts on one whole key (see line_keys.h); an escape sequence that is bound to nothing does
   nothing, as its tail would end up in the line, such as the marks around a paste. *line is set
   with LINE_EDITOR_LINE, and the caller frees it. */
line_editor_event_t line_terminal_press(line_terminal_t *self, const char *key, size_t size,
                                        char **line);

/* Whether the prompt is off the screen, by suspend. */
bool line_terminal_is_suspended(const line_terminal_t *self);
void line_terminal_suspend(line_terminal_t *self);
void line_terminal_resume(line_terminal_t *self);

void line_terminal_print_above(line_terminal_t *self, const char *text);
void line_terminal_set_prompt(line_terminal_t *self, const char *prompt);
void line_terminal_set_echo(line_terminal_t *self, bool echo);
void line_terminal_set_complete(line_terminal_t *self, line_editor_complete_fn complete,
                                void *context);
void line_terminal_remember(line_terminal_t *self, const char *line);
void line_terminal_resize(line_terminal_t *self);

#endif
