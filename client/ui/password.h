/* SPDX-License-Identifier: MPL-2.0 */
/* A password in locked memory, and reading one from a file. */
#ifndef CONCLAVE_CLIENT_UI_PASSWORD_H
#define CONCLAVE_CLIENT_UI_PASSWORD_H

#include "proto/status.h"

#include <stdbool.h>
#include <stddef.h>

#define PASSWORD_MAX_BYTES 1024

/* Zero-initialised is empty. Bytes lie in sodium_malloc memory, NUL-terminated beyond `size`. */
typedef struct {
    char *bytes;
    size_t size;
} password_t;

/* Erases and frees; empty afterwards. */
void password_wipe(password_t *self);

/* Copies bytes in; what was there is wiped. STATUS_INVALID: empty or holds NUL; STATUS_TOO_LARGE.
 */
status_t password_set(password_t *self, const char *bytes, size_t size) MUST_CHECK;

/* Whether two are the same, in constant time for equal sizes. */
bool password_equal(const password_t *a, const password_t *b);

/*
 * The first line of a file, without its newline (or CR LF). A FIFO or /dev/fd/N works and is read
 * to the line's end. Whoever can write the file could lock the user out, so one that group or
 * others can write is refused with STATUS_UNSAFE_PERMISSIONS. One they can only read is taken,
 * since container secrets are usually mounted 0444, and *exposed (if not NULL) is set so that the
 * caller can warn. Others: STATUS_IO_ERROR (errno; directories too), STATUS_INVALID (empty, NUL),
 * STATUS_TOO_LARGE. `self` is unchanged on failure.
 */
status_t password_read_file(password_t *self, const char *path, bool *exposed) MUST_CHECK;

#endif
