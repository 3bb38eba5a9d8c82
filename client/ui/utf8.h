/* SPDX-License-Identifier: MPL-2.0 */
/* Steps through bytes that claim to be UTF-8, and tells which characters are safe to print. */
#ifndef CONCLAVE_CLIENT_UI_UTF8_H
#define CONCLAVE_CLIENT_UI_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xFFFDu
#define UTF8_MAX_BYTES   4

/*
 * Reads one character of `bytes` (size >= 1) and returns how many bytes it takes. An ill-formed
 * sequence gives UTF8_REPLACEMENT and the length of its maximal subpart (Unicode 3.9, table 3-8),
 * at least 1.
 */
size_t utf8_next(const char *bytes, size_t size, uint32_t *character);

/* Whether `size` bytes (fewer than 4) are the beginning of a character that isn't all there yet. */
bool utf8_is_partial(const char *bytes, size_t size);

/* Writes a character (a scalar value) and returns its length. */
size_t utf8_put(char bytes[UTF8_MAX_BYTES], uint32_t character);

/* Whether it prints something, and only where it stands: no control, separator of lines, format
   character, other default ignorable, private use, unassigned or noncharacter. */
bool utf8_is_printable(uint32_t character);

/* Whether it is drawn onto the character before: combining marks, and what else takes no column. */
bool utf8_is_mark(uint32_t character);

/* Columns on a terminal: 0, 1 or 2. */
size_t utf8_columns(uint32_t character);

#endif
