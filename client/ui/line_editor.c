/* SPDX-License-Identifier: MPL-2.0 */
/* A prompt that arriving messages never break, driven by somebody else's poll loop. */
#include "client/ui/line_editor.h"

#include "client/home/clock.h"
#include "client/ui/line_keys.h"
#include "client/ui/line_splitter.h"
#include "client/ui/line_terminal.h"
#include "proto/memory.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_BYTES 4096

struct line_editor {
    FILE *in;
    FILE *out;
    bool ended;
    line_splitter_t splitter;  /* what a pipe sent */
    line_terminal_t *terminal; /* NULL without one */
    char typed[INPUT_BYTES];   /* read from the terminal, but no whole key yet */
    size_t typed_size;
    uint64_t typed_ms; /* when the last of it was read */
};

line_editor_t *line_editor_new(FILE *in, FILE *out)
{
    line_editor_t *self = mem_zalloc(1, sizeof *self);
    self->in = in;
    self->out = out;
    self->splitter.line_max = LINE_EDITOR_LINE_MAX;
    if (isatty(fileno(in)) && isatty(fileno(out)))
        self->terminal = line_terminal_new(in, out);
    return self;
}

void line_editor_destroy(line_editor_t **self_pointer)
{
    line_editor_t *self = *self_pointer;
    if (!self)
        return;
    line_terminal_destroy(&self->terminal);
    line_splitter_wipe(&self->splitter);
    free(self);
    *self_pointer = NULL;
}

int line_editor_fd(const line_editor_t *self)
{
    return fileno(self->in);
}

int line_editor_timeout_ms(const line_editor_t *self)
{
    bool waiting = self->typed_size && self->typed[0] == LINE_KEYS_ESCAPE && !self->ended;
    if (!waiting || line_terminal_is_suspended(self->terminal))
        return -1;
    uint64_t age_ms = clock_boot_ms() - self->typed_ms;
    return age_ms >= LINE_KEYS_ESCAPE_MS ? 0 : (int)(LINE_KEYS_ESCAPE_MS - age_ms);
}

/* Reads what is there; false if nothing is. The end and a lost terminal set `ended`. */
static bool read_more(line_editor_t *self, char *bytes, size_t capacity, size_t *size)
{
    struct pollfd source = {.fd = fileno(self->in), .events = POLLIN};
    *size = 0;
    if (self->ended || !capacity || poll(&source, 1, 0) <= 0)
        return false;
    ssize_t got = read(source.fd, bytes, capacity);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return false;
    if (got <= 0)
        self->ended = true;
    else
        *size = (size_t)got;
    return true;
}

static line_editor_event_t feed_plain(line_editor_t *self, char **line)
{
    for (;;) {
        char bytes[INPUT_BYTES];
        size_t size;
        *line = line_splitter_take(&self->splitter, self->ended);
        if (*line)
            return LINE_EDITOR_LINE;
        if (self->ended)
            return LINE_EDITOR_EOF;
        if (!read_more(self, bytes, sizeof bytes, &size))
            return LINE_EDITOR_NOTHING;
        line_splitter_add(&self->splitter, bytes, size);
    }
}

/* Takes what was typed key by key until something comes of it. */
static line_editor_event_t press_keys(line_editor_t *self, char **line)
{
    line_editor_event_t event = LINE_EDITOR_NOTHING;
    while (event == LINE_EDITOR_NOTHING && self->typed_size) {
        size_t length;
        bool waited = clock_boot_ms() - self->typed_ms >= LINE_KEYS_ESCAPE_MS;
        line_key_t key = line_keys_next(self->typed, self->typed_size, waited, &length);
        if (key == LINE_KEY_PARTIAL)
            break;
        if (key != LINE_KEY_GARBAGE)
            event = line_terminal_press(self->terminal, self->typed, length, line);
        self->typed_size -= length;
        memmove(self->typed, self->typed + length, self->typed_size);
    }
    return event;
}

static line_editor_event_t feed_terminal(line_editor_t *self, char **line)
{
    while (!self->ended) {
        size_t size;
        line_editor_event_t event = press_keys(self, line);
        self->ended = event == LINE_EDITOR_EOF;
        if (event != LINE_EDITOR_NOTHING)
            return event;
        if (!read_more(self, self->typed + self->typed_size, INPUT_BYTES - self->typed_size, &size))
            return LINE_EDITOR_NOTHING;
        self->typed_size += size;
        self->typed_ms = clock_boot_ms();
    }
    return LINE_EDITOR_EOF;
}

line_editor_event_t line_editor_feed(line_editor_t *self, char **line)
{
    *line = NULL;
    if (!self->terminal)
        return feed_plain(self, line);
    if (line_terminal_is_suspended(self->terminal))
        return LINE_EDITOR_NOTHING;
    return feed_terminal(self, line);
}

void line_editor_print_above(line_editor_t *self, const char *text)
{
    size_t size = strlen(text);
    if (self->terminal) {
        line_terminal_print_above(self->terminal, text);
        return;
    }
    (void)fputs(text, self->out);
    if (!size || text[size - 1] != '\n')
        (void)fputc('\n', self->out);
    (void)fflush(self->out);
}

/* The rest means something on a terminal only. */

void line_editor_set_prompt(line_editor_t *self, const char *prompt)
{
    if (self->terminal)
        line_terminal_set_prompt(self->terminal, prompt);
}

void line_editor_set_echo(line_editor_t *self, bool echo)
{
    if (self->terminal)
        line_terminal_set_echo(self->terminal, echo);
}

void line_editor_set_complete(line_editor_t *self, line_editor_complete_fn complete, void *context)
{
    if (self->terminal)
        line_terminal_set_complete(self->terminal, complete, context);
}

void line_editor_remember(line_editor_t *self, const char *line)
{
    if (self->terminal)
        line_terminal_remember(self->terminal, line);
}

void line_editor_resize(line_editor_t *self)
{
    if (self->terminal)
        line_terminal_resize(self->terminal);
}

void line_editor_suspend(line_editor_t *self)
{
    if (self->terminal)
        line_terminal_suspend(self->terminal);
}

void line_editor_resume(line_editor_t *self)
{
    if (self->terminal)
        line_terminal_resume(self->terminal);
}
