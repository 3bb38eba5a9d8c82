/* SPDX-License-Identifier: MPL-2.0 */
/* Cuts what a terminal sends into keys, so that the line editor never waits in the middle of one.
 */
#ifndef CONCLAVE_CLIENT_UI_LINE_KEYS_H
#define CONCLAVE_CLIENT_UI_LINE_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#define LINE_KEYS_ESCAPE       0x1B
#define LINE_KEYS_ESCAPE_MS    50 /* after so long an Escape stands for itself */
#define LINE_KEYS_SEQUENCE_MAX 32 /* bytes; longer ones are no key sequence */

typedef enum {
    LINE_KEY_PARTIAL,   /* more bytes are needed to tell */
    LINE_KEY_CHARACTER, /* one UTF-8 character, controls included */
    LINE_KEY_META,      /* Escape and a character */
    LINE_KEY_SEQUENCE,  /* Escape [ … or Escape O …, whole */
    LINE_KEY_GARBAGE,   /* ill-formed UTF-8, an unfinished or endless sequence */
} line_key_t;

/*
 * Tells what `bytes` (size >= 1) starts with, and how many bytes that takes (0 if PARTIAL). With
 * `waited` what starts with an Escape becomes a key as it is; the rest of a character is always
 * waited for. Sequences: ECMA-48 5.4 (CSI) and SS3.
 */
line_key_t line_keys_next(const char *bytes, size_t size, bool waited, size_t *length);

#endif
