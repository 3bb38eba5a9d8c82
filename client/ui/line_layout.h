/* SPDX-License-Identifier: MPL-2.0 */
/* Where libedit has put the cursor, which it does not tell. */
#ifndef CONCLAVE_CLIENT_UI_LINE_LAYOUT_H
#define CONCLAVE_CLIENT_UI_LINE_LAYOUT_H

#include <stddef.h>
#include <wchar.h>

/*
 * The row of what follows a prompt and `count` characters of a line, counted from the prompt's own
 * row, on a terminal `width` (at least 1) columns wide. What stands between FORMAT_PROMPT_MARKs in
 * the prompt takes no columns.
 */
size_t line_layout_row(const wchar_t *prompt, const wchar_t *line, size_t count, size_t width);

#endif
