/* SPDX-License-Identifier: MPL-2.0 */
/* Turns chunks of bytes into lines, such as from a pipe. */
#ifndef CONCLAVE_CLIENT_UI_LINE_SPLITTER_H
#define CONCLAVE_CLIENT_UI_LINE_SPLITTER_H

#include "client/ui/text_buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialised but for `line_max` is empty. Sans I/O. */
typedef struct {
    size_t line_max; /* bytes of a line; what exceeds it is dropped */
    text_buffer_t pending;
    size_t taken;  /* bytes of `pending` that were returned as lines */
    bool skipping; /* the rest of a line that was too long */
} line_splitter_t;

void line_splitter_wipe(line_splitter_t *self);

void line_splitter_add(line_splitter_t *self, const char *bytes, size_t size);

/*
 * The next complete line without its LF or CR LF, or NULL; at the `end` of the input also what is
 * left without newline. NUL becomes U+FFFD. The caller frees it.
 */
char *line_splitter_take(line_splitter_t *self, bool end);

#endif
