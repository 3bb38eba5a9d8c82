/* SPDX-License-Identifier: MPL-2.0 */
/* Remote text made safe to show on a terminal, and how many columns a text takes there. */
#include "client/ui/safe_text.h"

#include "client/ui/text_buffer.h"
#include "client/ui/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define JOINER_NOT  0x200Cu
#define JOINER      0x200Du
#define SELECT_TEXT 0xFE0Eu /* variation selectors that ask for plain or for emoji style */
#define SELECT_PICT 0xFE0Fu
#define SKIN_FIRST  0x1F3FBu /* emoji modifiers */
#define SKIN_LAST   0x1F3FFu

#define ELLIPSIS       "\xE2\x80\xA6"
#define ELLIPSIS_ASCII "..."
#define DOTTED_CIRCLE  "\xE2\x97\x8C"
#define REPLACEMENT    "\xEF\xBF\xBD"

/* One pass over a text. */
typedef struct {
    const char *bytes;
    size_t size;
    size_t at;
    safe_text_options_t options;
    text_buffer_t out;
    size_t column;     /* in the current line, for tabs */
    uint32_t previous; /* the character shown last, 0 at the start of a line */
    uint32_t base;     /* the last one that is no mark, joiner or selector, 0 if none */
    unsigned marks;    /* on that base */
} pass_t;

static void show(pass_t *pass, const char *text, size_t columns)
{
    text_buffer_add_text(&pass->out, text);
    pass->column += columns;
}

/* Written out as its number; nothing can be drawn onto that. */
static void show_number(pass_t *pass, uint32_t character)
{
    size_t before = pass->out.size;
    text_buffer_add_format(&pass->out, pass->options.ascii ? "<U+%04X>" : "‹U+%04X›", character);
    pass->column += pass->out.size - before - (pass->options.ascii ? 0 : 4);
    pass->previous = pass->base = 0;
    pass->marks = 0;
}

static void show_character(pass_t *pass, uint32_t character)
{
    char encoded[UTF8_MAX_BYTES + 1] = {0};
    (void)utf8_put(encoded, character);
    show(pass, encoded, utf8_columns(character));
    pass->previous = character;
}

static void show_mark(pass_t *pass, uint32_t mark)
{
    if (!pass->base || utf8proc_category((utf8proc_int32_t)pass->base) == UTF8PROC_CATEGORY_ZS) {
        show(pass, DOTTED_CIRCLE, 1);
        pass->base = mark;
        pass->marks = 0;
    }
    pass->marks++;
    if (pass->marks <= SAFE_TEXT_MARKS_MAX)
        show_character(pass, mark);
    else if (pass->marks == SAFE_TEXT_MARKS_MAX + 1)
        show(pass, REPLACEMENT, 1);
}

static void break_line(pass_t *pass)
{
    text_buffer_add_repeated(&pass->out, '\n', 1);
    text_buffer_add_repeated(&pass->out, ' ', pass->options.indent);
    pass->column = 0;
    pass->previous = pass->base = 0;
    pass->marks = 0;
}

static bool is_emoji(uint32_t character)
{
    return utf8proc_get_property((utf8proc_int32_t)character)->boundclass ==
           UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC;
}

/* Letters of Arabic, Syriac, Thaana and the Indic scripts, where joiners are spelling. */
static bool is_joined_script(uint32_t character)
{
    return character >= 0x0600 && character <= 0x0DFF && utf8_is_printable(character);
}

/* Whether a character that shows nothing is a needed part of what surrounds it. */
static bool belongs(const pass_t *pass, uint32_t character, uint32_t next)
{
    bool after_emoji =
        is_emoji(pass->base) || (pass->base >= SKIN_FIRST && pass->base <= SKIN_LAST);
    switch (character) {
    case SELECT_TEXT:
    case SELECT_PICT:
        return pass->previous == pass->base && is_emoji(pass->base);
    case JOINER:
        if (after_emoji && is_emoji(next) && pass->previous != JOINER)
            return true;
        /* fallthrough */
    case JOINER_NOT:
        return is_joined_script(pass->previous) && is_joined_script(next);
    default:
        return false;
    }
}

static uint32_t peek(const pass_t *pass)
{
    uint32_t next = 0;
    if (pass->at < pass->size)
        (void)utf8_next(pass->bytes + pass->at, pass->size - pass->at, &next);
    return next;
}

static void step(pass_t *pass)
{
    uint32_t character;
    pass->at += utf8_next(pass->bytes + pass->at, pass->size - pass->at, &character);
    bool lines = pass->options.lines;
    if (lines && character == '\r' && peek(pass) == '\n')
        return;
    if (lines && character == '\n') {
        break_line(pass);
    } else if (lines && character == '\t') {
        size_t spaces = SAFE_TEXT_TAB - pass->column % SAFE_TEXT_TAB;
        text_buffer_add_repeated(&pass->out, ' ', spaces);
        pass->column += spaces;
        pass->previous = pass->base = ' ';
    } else if (pass->options.ascii && character >= 0x80) {
        show_number(pass, character);
    } else if (belongs(pass, character, peek(pass))) {
        show_character(pass, character);
    } else if (!utf8_is_printable(character)) {
        show_number(pass, character);
    } else if (utf8_is_mark(character)) {
        show_mark(pass, character);
    } else {
        show_character(pass, character);
        pass->base = character;
        pass->marks = 0;
    }
}

char *safe_text_new(const char *bytes, size_t size, safe_text_options_t options)
{
    if (options.lines)
        while (size && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r'))
            size--;
    const char *ellipsis = options.ascii ? ELLIPSIS_ASCII : ELLIPSIS;
    pass_t pass = {.bytes = bytes, .size = size, .options = options};
    while (pass.at < pass.size) {
        size_t before = pass.out.size;
        step(&pass);
        if (pass.out.size > SAFE_TEXT_MAX_BYTES - strlen(ellipsis)) {
            text_buffer_cut(&pass.out, before);
            text_buffer_add_text(&pass.out, ellipsis);
            break;
        }
    }
    return text_buffer_take(&pass.out);
}

char *safe_text_line(const char *text)
{
    return safe_text_new(text, strlen(text), (safe_text_options_t){0});
}

/* Bytes of the longest beginning of at most `limit` columns, marks with their base. */
static size_t fit(const char *text, size_t limit, size_t *columns)
{
    size_t size = strlen(text);
    size_t at = 0;
    *columns = 0;
    while (at < size) {
        uint32_t character;
        size_t length = utf8_next(text + at, size - at, &character);
        size_t width = utf8_columns(character);
        if (width > limit - *columns)
            break;
        *columns += width;
        at += length;
    }
    return at;
}

size_t safe_text_width(const char *text)
{
    size_t columns;
    (void)fit(text, SIZE_MAX, &columns);
    return columns;
}

char *safe_text_truncate(const char *text, size_t columns, bool ascii)
{
    const char *ellipsis = ascii ? ELLIPSIS_ASCII : ELLIPSIS;
    size_t ellipsis_columns = ascii ? strlen(ELLIPSIS_ASCII) : 1;
    text_buffer_t out = {0};
    size_t used;
    size_t whole = fit(text, columns, &used);
    if (!text[whole]) {
        text_buffer_add(&out, text, whole);
    } else {
        size_t room = columns > ellipsis_columns ? columns - ellipsis_columns : 0;
        text_buffer_add(&out, text, fit(text, room, &used));
        text_buffer_add(&out, ellipsis,
                        columns >= ellipsis_columns ? strlen(ellipsis) : (ascii ? columns : 0));
    }
    return text_buffer_take(&out);
}
