/* SPDX-License-Identifier: MPL-2.0 */
/* The person's side of a pseudo terminal: a small emulator, what is typed into it, and what it must
 * come to show. */
#ifndef CONCLAVE_TESTS_UNIT_CLIENT_UI_TERMINAL_H
#define CONCLAVE_TESTS_UNIT_CLIENT_UI_TERMINAL_H

#include "client/ui/utf8.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#define ROWS    10
#define COLUMNS 20

typedef struct {
    int master;
    pid_t child;
    uint32_t cells[ROWS][COLUMNS];
    size_t columns; /* of the window; COLUMNS at first */
    size_t row, column;
    bool wrapping; /* the last column was written, the cursor still stands on it */
    bool inserting;
    char bytes[256];
    size_t size;
} terminal_t;

static inline void terminal_line_feed(terminal_t *self)
{
    if (++self->row < ROWS)
        return;
    self->row = ROWS - 1;
    memmove(self->cells[0], self->cells[1], sizeof self->cells[0] * (ROWS - 1));
    memset(self->cells[ROWS - 1], 0, sizeof self->cells[0]);
}

static inline void terminal_put(terminal_t *self, uint32_t character)
{
    if (self->wrapping) {
        self->column = 0;
        terminal_line_feed(self);
    }
    uint32_t *line = self->cells[self->row];
    if (self->inserting)
        memmove(line + self->column + 1, line + self->column,
                sizeof *line * (COLUMNS - 1 - self->column));
    line[self->column] = character;
    self->wrapping = self->column == self->columns - 1;
    if (!self->wrapping)
        self->column++;
}

static inline void terminal_clear_from(terminal_t *self, bool below)
{
    memset(self->cells[self->row] + self->column, 0, sizeof(uint32_t) * (COLUMNS - self->column));
    for (size_t row = self->row + 1; below && row < ROWS; row++)
        memset(self->cells[row], 0, sizeof self->cells[row]);
}

static inline size_t at_most(size_t wanted, size_t limit)
{
    return wanted < limit ? wanted : limit;
}

/* CSI of one parameter at most. */
static inline void terminal_control(terminal_t *self, size_t number, bool given, char final)
{
    uint32_t *line = self->cells[self->row] + self->column;
    size_t n = given ? number : 1, rest = COLUMNS - self->column;
    self->wrapping = false;
    switch (final) {
    case 'A':
        self->row -= at_most(n, self->row);
        break;
    case 'B':
        self->row += at_most(n, ROWS - 1 - self->row);
        break;
    case 'C':
        self->column += at_most(n, rest - 1);
        break;
    case 'D':
        self->column -= at_most(n, self->column);
        break;
    case 'G':
        self->column = n - 1;
        break;
    case 'J':
        terminal_clear_from(self, true);
        break;
    case 'K':
        terminal_clear_from(self, false);
        break;
    case 'P':
        n = at_most(n, rest);
        memmove(line, line + n, sizeof *line * (rest - n));
        memset(line + rest - n, 0, sizeof *line * n);
        break;
    case '@':
        n = at_most(n, rest);
        memmove(line + n, line, sizeof *line * (rest - n));
        memset(line, 0, sizeof *line * n);
        break;
    case 'h':
    case 'l':
        assert_int_equal(number, 4);
        self->inserting = final == 'h';
        break;
    case 'm':
        break;
    default:
        fail_msg("unknown control sequence ...%c", final);
    }
}

/* Interprets one unit of output; false if it isn't all there yet. */
static inline bool terminal_show(terminal_t *self)
{
    size_t used = 1;
    if (!self->size)
        return false;
    if (self->bytes[0] == '\033') {
        size_t number = 0, at = 2;
        while (at < self->size && self->bytes[at] >= '0' && self->bytes[at] <= '9')
            number = number * 10 + (size_t)(self->bytes[at++] - '0');
        if (at >= self->size)
            return false;
        assert_int_equal(self->bytes[1], '[');
        terminal_control(self, number, at > 2, self->bytes[at]);
        used = at + 1;
    } else if (self->bytes[0] == '\r') {
        self->column = 0;
        self->wrapping = false;
    } else if (self->bytes[0] == '\n') {
        terminal_line_feed(self);
        self->wrapping = false;
    } else if (self->bytes[0] == '\b') {
        self->column -= self->column > 0;
        self->wrapping = false;
    } else if (self->bytes[0] != '\a') {
        uint32_t character;
        if (utf8_is_partial(self->bytes, self->size))
            return false;
        used = utf8_next(self->bytes, self->size, &character);
        assert_true(character >= 0x20);
        terminal_put(self, character);
    }
    self->size -= used;
    memmove(self->bytes, self->bytes + used, self->size);
    return true;
}

/* The screen as text: rows without spaces at the end, then all of them without empty rows at the
 * end. */
static inline void terminal_render(const terminal_t *self, char *text)
{
    char *end = text;
    for (size_t row = 0; row < ROWS; row++) {
        size_t last = COLUMNS;
        while (last && (!self->cells[row][last - 1] || self->cells[row][last - 1] == ' '))
            last--;
        for (size_t column = 0; column < last; column++) {
            uint32_t character = self->cells[row][column];
            text += utf8_put(text, character ? character : ' ');
        }
        if (last)
            end = text;
        *text++ = '\n';
    }
    *end = '\0';
}

static inline void type(terminal_t *self, const char *keys)
{
    assert_int_equal(write(self->master, keys, strlen(keys)), strlen(keys));
}

/* Makes the window half as wide; the cursor's row flows into the next one, as in most terminals. */
static inline void halve(terminal_t *self)
{
    struct winsize size = {.ws_row = ROWS, .ws_col = COLUMNS / 2};
    uint32_t *from = self->cells[self->row] + COLUMNS / 2;
    self->columns = COLUMNS / 2;
    if (self->column >= self->columns) {
        memcpy(self->cells[self->row + 1], from, sizeof *from * self->columns);
        memset(from, 0, sizeof *from * self->columns);
        self->row++;
        self->column -= self->columns;
    }
    assert_int_equal(ioctl(self->master, TIOCSWINSZ, &size), 0);
    kill(self->child, SIGWINCH);
}

#define SCREEN_BYTES (ROWS * (COLUMNS * UTF8_MAX_BYTES + 1) + 1)

/* Until the screen shows this, and has not changed for a moment; or, after long, whatever it shows.
 * Exactly this, or this somewhere. */
static inline void terminal_await(terminal_t *self, const char *wanted, bool is_exact,
                                  char text[static SCREEN_BYTES])
{
    for (unsigned idle_ms = 0; idle_ms < 20000;) {
        struct pollfd source = {.fd = self->master, .events = POLLIN};
        terminal_render(self, text);
        bool is_there = is_exact ? strcmp(text, wanted) == 0 : strstr(text, wanted) != NULL;
        int ready = poll(&source, 1, is_there ? 60 : 20);
        if (ready == 0 && is_there)
            return;
        if (ready <= 0) {
            idle_ms += 20;
            continue;
        }
        ssize_t got = read(self->master, self->bytes + self->size, sizeof self->bytes - self->size);
        if (got <= 0)
            break;
        self->size += (size_t)got;
        while (terminal_show(self)) {
        }
    }
}

/* Waits until the screen shows exactly this. */
static inline void expect(terminal_t *self, const char *wanted)
{
    char text[SCREEN_BYTES];
    terminal_await(self, wanted, true, text);
    assert_string_equal(text, wanted);
}

#endif
