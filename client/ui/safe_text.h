/* SPDX-License-Identifier: MPL-2.0 */
/* Remote text made safe to show on a terminal, and how many columns a text takes there. */
#ifndef CONCLAVE_CLIENT_UI_SAFE_TEXT_H
#define CONCLAVE_CLIENT_UI_SAFE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define SAFE_TEXT_MAX_BYTES                                                                        \
    (64 * 1024)               /* of a result; longer ones are cut and end in an ellipsis */
#define SAFE_TEXT_MARKS_MAX 4 /* combining marks shown on one character */
#define SAFE_TEXT_TAB       4 /* columns of a tab stop, where tabs are allowed */

/* Zero-initialised: one line of UTF-8, newline and tab neutralised like any other control. */
typedef struct {
    bool lines; /* newlines (LF, CRLF) start a new line, tabs become spaces; trailing ones go */
    unsigned indent; /* spaces at the start of each line after the first, so that no line of a
                        message can pass for one of the program's own */
    bool ascii;      /* the terminal shows ASCII only: everything else is written as <U+00E9> */
} safe_text_options_t;

/*
 * A copy of `bytes` that moves no cursor, reorders and hides nothing, in valid UTF-8:
 *  - each ill-formed sequence becomes U+FFFD (maximal subparts, Unicode 3.9);
 *  - controls (C0, DEL, C1), line and paragraph separators, format characters (bidi, zero width,
 * tags), other default ignorables, private use, unassigned and noncharacters are written out: ESC
 * becomes ‹U+001B›. Kept are joiners inside emoji and inside Arabic and Indic words, and one
 * variation selector after an emoji;
 *  - more than SAFE_TEXT_MARKS_MAX combining marks on a character become one U+FFFD, and a mark
 * without a base gets a dotted circle, so that it does not land on what the caller printed before.
 * Never NULL; the caller frees it.
 */
char *safe_text_new(const char *bytes, size_t size, safe_text_options_t options);

/* The same for a string, as one line of UTF-8. */
char *safe_text_line(const char *text);

/* Columns of a one-line text that is safe already. */
size_t safe_text_width(const char *text);

/*
 * A copy of a safe one-line text of at most `columns` columns, ending in an ellipsis (U+2026, or
 * "..." when `ascii`) if something was cut. A mark is never parted from its base. The caller frees
 * it.
 */
char *safe_text_truncate(const char *text, size_t columns, bool ascii);

#endif
