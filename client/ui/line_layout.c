/* SPDX-License-Identifier: MPL-2.0 */
/* Where libedit has put the cursor, which it does not tell. */
#include "client/ui/line_layout.h"

#include "client/ui/format.h"

#include <stdbool.h>
#include <string.h>
#include <wctype.h>

/* Columns of a character as libedit draws it (ct_visual_width). */
static size_t drawn_columns(wchar_t c)
{
    if (c < 0x20 || c == 0x7F)
        return strlen("^A");
    int columns = wcwidth(c);
    if (iswprint((wint_t)c) && columns >= 0)
        return (size_t)columns;
    return c > 0xFFFF ? strlen("\\U+12345") : strlen("\\U+1234");
}

/* Moves a position on by one character; a wide one does not straddle the edge. */
static size_t advance(size_t position, wchar_t c, size_t width)
{
    size_t columns = drawn_columns(c);
    bool straddles = wcwidth(c) == 2 && position % width == width - 1;
    return position + straddles + columns;
}

size_t line_layout_row(const wchar_t *prompt, const wchar_t *line, size_t count, size_t width)
{
    size_t position = 0;
    bool hidden = false;
    for (; *prompt; prompt++) {
        if (*prompt == FORMAT_PROMPT_MARK)
            hidden = !hidden;
        else if (!hidden)
            position = advance(position, *prompt, width);
    }
    for (size_t i = 0; i < count; i++)
        position = advance(position, line[i], width);
    return position / width;
}
