/* SPDX-License-Identifier: MPL-2.0 */
/* Collects what a word could become, and what all of that has in common. */
#ifndef CONCLAVE_CLIENT_UI_LINE_COMPLETION_H
#define CONCLAVE_CLIENT_UI_LINE_COMPLETION_H

#include "client/ui/text_buffer.h"

#include <stddef.h>

/* Zero-initialised but for `word`, which must outlive it, is empty. */
typedef struct {
    const char *word;
    text_buffer_t offers; /* those that fit, in one line */
    size_t count;
    size_t common; /* bytes that all of them begin with */
} line_completion_t;

void line_completion_wipe(line_completion_t *self);

/* Keeps a candidate that begins with the word; others are dropped. */
void line_completion_offer(line_completion_t *self, const char *candidate);

/* What is to be inserted after the word: the common part, and a space after the only candidate.
   NULL if there is nothing to insert. The caller frees it. */
char *line_completion_rest(const line_completion_t *self);

#endif
