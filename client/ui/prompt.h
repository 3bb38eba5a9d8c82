/* SPDX-License-Identifier: MPL-2.0 */
/* Asks the person at the terminal: a question, a choice, a password without echo. */
#ifndef CONCLAVE_CLIENT_UI_PROMPT_H
#define CONCLAVE_CLIENT_UI_PROMPT_H

#include "client/ui/password.h"
#include "proto/status.h"

#include <stdbool.h>
#include <stddef.h>

#define PROMPT_ANSWER_MAX_BYTES 1024
#define PROMPT_TRIES            3

/*
 * Owned by one thread, which must be the only one that takes signals. While a question waits
 * SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGTSTP are blocked and watched: the terminal is restored
 * first, then SIGINT is the answer STATUS_INTERRUPTED, and the others are raised again, as is
 * SIGTSTP, after which the question is repeated.
 */
typedef struct {
    int in;
    int out;
    bool owned; /* close them */
} prompt_t;

/* Opens the controlling terminal. STATUS_NO_TERMINAL. */
status_t prompt_open(prompt_t *self) MUST_CHECK;

/* Asks on these descriptors instead, which stay the caller's. */
void prompt_init(prompt_t *self, int in, int out);

void prompt_close(prompt_t *self);

/* Prints text as it is: introductions of a menu. STATUS_IO_ERROR. */
status_t prompt_print(prompt_t *self, const char *text) MUST_CHECK;

/*
 * Asks for a line; an empty one means `fallback` (NULL: asks again). *answer is stripped of spaces
 * at both ends, and the caller frees it. STATUS_INTERRUPTED (Ctrl-C, Ctrl-D, a signal),
 * STATUS_IO_ERROR. `question` is printed as it is; the fallback is added as " [fallback]", then ":
 * ".
 */
status_t prompt_ask(prompt_t *self, const char *question, const char *fallback,
                    char **answer) MUST_CHECK;

/* Yes or no; an empty answer means `fallback`. */
status_t prompt_confirm(prompt_t *self, const char *question, bool fallback, bool *yes) MUST_CHECK;

/* A numbered menu of `count` (at least one) choices; *chosen is an index. */
status_t prompt_choose(prompt_t *self, const char *question, const char *const *choices,
                       size_t count, size_t *chosen) MUST_CHECK;

/* A password without echo. STATUS_INVALID if empty, STATUS_TOO_LARGE; `password` is unchanged on
 * failure. */
status_t prompt_password(prompt_t *self, const char *question, password_t *password) MUST_CHECK;

/* A new password, typed twice alike; up to PROMPT_TRIES times, then STATUS_INVALID. */
status_t prompt_new_password(prompt_t *self, const char *question, password_t *password) MUST_CHECK;

#endif
