/* SPDX-License-Identifier: MPL-2.0 */
/* The line editor's half that needs a terminal: libedit, fed key by key. */
#include "client/ui/line_terminal.h"

#include "client/ui/format.h"
#include "client/ui/line_keys.h"
#include "client/ui/line_layout.h"
#include "client/ui/text_buffer.h"
#include "client/ui/utf8.h"
#include "proto/memory.h"

#include <histedit.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define CHARACTERS_MAX (LINE_EDITOR_LINE_MAX / UTF8_MAX_BYTES) /* of a line being edited */

struct line_terminal {
    FILE *out;
    FILE *nowhere; /* for libedit's remarks about the terminal */
    EditLine *edit;
    HistoryW *history;
    const char *up, *clear; /* to the row above; to the end of the screen */
    bool suspended;
    bool echo;
    wchar_t *prompt;
    wchar_t key[LINE_KEYS_SEQUENCE_MAX]; /* the key that libedit is reading */
    size_t key_size, key_at;
    line_editor_event_t event; /* set by the functions bound to keys */
    line_editor_complete_fn complete;
    void *complete_context;
    line_completion_t completion;
};

static line_terminal_t *terminal_of(EditLine *edit)
{
    void *self = NULL;
    (void)el_wget(edit, EL_CLIENTDATA, &self);
    return self;
}

/* On this platform a wchar_t is a Unicode character, in every locale. */
static wchar_t *wide_text(const char *text)
{
    size_t size = strlen(text), count = 0;
    wchar_t *wide = mem_zalloc(size + 1, sizeof *wide);
    for (size_t at = 0; at < size;) {
        uint32_t character;
        at += utf8_next(text + at, size - at, &character);
        wide[count++] = (wchar_t)character;
    }
    return wide;
}

static char *narrow_text(const wchar_t *wide, size_t count)
{
    text_buffer_t text = {0};
    for (size_t i = 0; i < count; i++) {
        char encoded[UTF8_MAX_BYTES];
        text_buffer_add(&text, encoded, utf8_put(encoded, (uint32_t)wide[i]));
    }
    return text_buffer_take(&text);
}

/* --- the screen --- */

/* A capability of the terminal, such as "up"; NULL if it has none. */
static const char *capability(EditLine *edit, const char *name)
{
    char *sequence = NULL;
    char key[] = {name[0], name[1], '\0'};
    return el_get(edit, EL_GETTC, key, &sequence) == 0 ? sequence : NULL;
}

static bool can_erase(const line_terminal_t *self)
{
    return self->up && self->clear;
}

/* Takes prompt and line off the screen and leaves the cursor where the prompt began. On a terminal
   that can't go up they stay, and the cursor goes below. */
static void erase(line_terminal_t *self)
{
    const LineInfoW *line = el_wline(self->edit);
    size_t typed = (size_t)(line->cursor - line->buffer);
    if (can_erase(self)) {
        (void)fputc('\r', self->out);
        size_t row = line_layout_row(self->prompt, line->buffer, typed, format_columns(self->out));
        for (; row > 0; row--)
            (void)fputs(self->up, self->out);
        (void)fputs(self->clear, self->out);
    } else if (*self->prompt || typed) {
        (void)fputc('\n', self->out);
    }
    (void)fflush(self->out);
}

/* --- what libedit calls --- */

static wchar_t *show_prompt(EditLine *edit)
{
    return terminal_of(edit)->prompt;
}

/* Hands out the key at hand. At its end libedit is told that nothing follows, and gives control
 * back. */
static int next_character(EditLine *edit, wchar_t *character)
{
    line_terminal_t *self = terminal_of(edit);
    if (self->key_at >= self->key_size) {
        *character = L'\0';
        return 0;
    }
    *character = self->key[self->key_at++];
    return 1;
}

static unsigned char submit(EditLine *edit, int key)
{
    (void)key;
    terminal_of(edit)->event = LINE_EDITOR_LINE;
    return CC_NORM;
}

static unsigned char interrupt(EditLine *edit, int key)
{
    (void)key;
    terminal_of(edit)->event = LINE_EDITOR_INTERRUPT;
    return CC_NORM;
}

static unsigned char delete_or_end(EditLine *edit, int key)
{
    (void)key;
    const LineInfoW *line = el_wline(edit);
    if (line->lastchar == line->buffer) {
        terminal_of(edit)->event = LINE_EDITOR_EOF;
        return CC_NORM;
    }
    if (line->cursor == line->lastchar)
        return CC_ERROR;
    (void)el_cursor(edit, 1);
    el_wdeletestr(edit, 1);
    return CC_REFRESH;
}

/* The terminal makes no signal of Ctrl-Z here, so it is raised for all that run in the foreground
   with us. Where nobody could wake us up again (an orphaned process group) the system ignores it.
 */
static unsigned char stop(EditLine *edit, int key)
{
    (void)key;
    sigset_t set, before;
    line_terminal_t *self = terminal_of(edit);
    line_terminal_suspend(self);
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, &before);
    (void)kill(0, SIGTSTP);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    line_terminal_resume(self);
    return CC_NORM;
}

/* Inserts what all offers have in common beyond the word, or else shows them. */
static unsigned char complete(EditLine *edit, int key)
{
    (void)key;
    line_terminal_t *self = terminal_of(edit);
    const LineInfoW *line = el_wline(edit);
    if (!self->complete)
        return CC_ERROR;
    char *left = narrow_text(line->buffer, (size_t)(line->cursor - line->buffer));
    const char *space = strrchr(left, ' ');
    self->completion.word = space ? space + 1 : left;
    self->complete(self->complete_context, left, (size_t)(self->completion.word - left),
                   &self->completion);

    unsigned char result = CC_ERROR;
    char *rest = line_completion_rest(&self->completion);
    if (rest) {
        wchar_t *wide = wide_text(rest);
        if (el_winsertstr(edit, wide) == 0)
            result = CC_REFRESH;
        free(wide);
    } else if (self->completion.count) {
        line_terminal_print_above(self, self->completion.offers.bytes);
        result = CC_NORM;
    }
    free(rest);
    line_completion_wipe(&self->completion);
    free(left);
    return result;
}

/* --- setting up --- */

static const struct {
    const wchar_t *keys;
    const wchar_t *command;
} bindings[] = {
    {L"^M", L"conclave-submit"},
    {L"^J", L"conclave-submit"},
    {L"^C", L"conclave-interrupt"},
    {L"^D", L"conclave-delete"},
    {L"^I", L"conclave-complete"},
    {L"^Z", L"conclave-stop"},
    {L"^R", L"ed-search-prev-history"},
    {L"^V", L"ed-unassigned"}, /* these three would wait for more keys */
    {L"\\ex", L"ed-unassigned"},
    {L"\\eX", L"ed-unassigned"},
    {L"^W", L"ed-delete-prev-word"},
    {L"\\e[A", L"ed-prev-history"},
    {L"\\eOA", L"ed-prev-history"},
    {L"\\e[B", L"ed-next-history"},
    {L"\\eOB", L"ed-next-history"},
    {L"\\e[C", L"ed-next-char"},
    {L"\\eOC", L"ed-next-char"},
    {L"\\e[D", L"ed-prev-char"},
    {L"\\eOD", L"ed-prev-char"},
    {L"\\e[H", L"ed-move-to-beg"},
    {L"\\eOH", L"ed-move-to-beg"},
    {L"\\e[1~", L"ed-move-to-beg"},
    {L"\\e[7~", L"ed-move-to-beg"},
    {L"\\e[F", L"ed-move-to-end"},
    {L"\\eOF", L"ed-move-to-end"},
    {L"\\e[4~", L"ed-move-to-end"},
    {L"\\e[8~", L"ed-move-to-end"},
    {L"\\e[3~", L"ed-delete-next-char"},
    {L"\\e[1;5C", L"em-next-word"},
    {L"\\e[1;5D", L"ed-prev-word"},
};

static void bind_keys(EditLine *edit)
{
    (void)el_wset(edit, EL_ADDFN, L"conclave-submit", L"Enter the line", submit);
    (void)el_wset(edit, EL_ADDFN, L"conclave-interrupt", L"Drop the line", interrupt);
    (void)el_wset(edit, EL_ADDFN, L"conclave-delete", L"Delete, or end", delete_or_end);
    (void)el_wset(edit, EL_ADDFN, L"conclave-complete", L"Complete the word", complete);
    (void)el_wset(edit, EL_ADDFN, L"conclave-stop", L"Suspend", stop);
    for (size_t i = 0; i < sizeof bindings / sizeof bindings[0]; i++)
        (void)el_wset(edit, EL_BIND, bindings[i].keys, bindings[i].command, NULL);
}

static void start_history(line_terminal_t *self)
{
    HistEventW event;
    self->history = history_winit();
    if (!self->history)
        return;
    (void)history_w(self->history, &event, H_SETSIZE, LINE_EDITOR_HISTORY);
    (void)history_w(self->history, &event, H_SETUNIQUE, 1);
    (void)el_wset(self->edit, EL_HIST, history_w, self->history);
}

line_terminal_t *line_terminal_new(FILE *in, FILE *out)
{
    FILE *nowhere = fopen("/dev/null", "w");
    if (!nowhere)
        return NULL;
    EditLine *edit = el_init("conclave", in, out, nowhere);
    if (!edit) {
        (void)fclose(nowhere);
        return NULL;
    }
    line_terminal_t *self = mem_zalloc(1, sizeof *self);
    self->out = out;
    self->nowhere = nowhere;
    self->edit = edit;
    self->echo = true;
    self->prompt = wide_text("");
    (void)el_wset(edit, EL_CLIENTDATA, self);
    (void)el_wset(edit, EL_EDITOR, L"emacs");
    (void)el_wset(edit, EL_SIGNAL, 0);
    (void)el_wset(edit, EL_GETCFN, next_character);
    (void)el_wset(edit, EL_PROMPT_ESC, show_prompt, (wchar_t)FORMAT_PROMPT_MARK);
    (void)el_wset(edit, EL_SETTY, L"-d", L"-isig", NULL);
    start_history(self);
    bind_keys(edit);
    self->up = capability(edit, "up");
    self->clear = capability(edit, "cd");
    (void)el_wset(edit, EL_UNBUFFERED, 1);
    return self;
}

void line_terminal_destroy(line_terminal_t **self_pointer)
{
    line_terminal_t *self = *self_pointer;
    if (!self)
        return;
    if (!self->suspended)
        erase(self);
    (void)el_wset(self->edit, EL_UNBUFFERED, 0);
    el_end(self->edit);
    if (self->history)
        history_wend(self->history);
    (void)fclose(self->nowhere);
    free(self->prompt);
    free(self);
    *self_pointer = NULL;
}

/* --- keys --- */

/* Whether Escape [ … is a key we know. Others would leave their tail in the line, such as the marks
 * around a paste. */
static bool is_bound(const char *sequence, size_t size)
{
    for (size_t i = 0; i < sizeof bindings / sizeof bindings[0]; i++) {
        const wchar_t *keys = bindings[i].keys;
        if (wcsncmp(keys, L"\\e", 2) != 0 || wcslen(keys) != size + 1)
            continue;
        size_t same = 1;
        while (same < size && (wchar_t)sequence[same] == keys[same + 1])
            same++;
        if (same == size)
            return true;
    }
    return false;
}

/* Whether a key that inserts itself still fits. */
static bool has_room(line_terminal_t *self, const char *key)
{
    const LineInfoW *line = el_wline(self->edit);
    bool control = (unsigned char)key[0] < 0x20 || key[0] == 0x7F;
    return control || line->lastchar - line->buffer < CHARACTERS_MAX;
}

/* Gives out the line if it was entered, and shows an empty prompt. */
static line_editor_event_t finish(line_terminal_t *self, char **line)
{
    line_editor_event_t event = self->event;
    const LineInfoW *info = el_wline(self->edit);
    int count = (int)(info->lastchar - info->buffer);
    self->event = LINE_EDITOR_NOTHING;
    if (event == LINE_EDITOR_LINE)
        *line = narrow_text(info->buffer, (size_t)count);
    if (event == LINE_EDITOR_EOF)
        return event;
    if (self->echo || event == LINE_EDITOR_INTERRUPT) {
        if (can_erase(self)) {
            erase(self);
            (void)el_cursor(self->edit, count);
            (void)el_wset(self->edit, EL_REFRESH);
        }
        (void)fputs(event == LINE_EDITOR_INTERRUPT ? "^C\n" : "\n", self->out);
        (void)fflush(self->out);
    } else {
        erase(self);
    }
    (void)el_wset(self->edit, EL_UNBUFFERED, 0);
    (void)el_wset(self->edit, EL_UNBUFFERED, 1);
    return event;
}

line_editor_event_t line_terminal_press(line_terminal_t *self, const char *key, size_t size,
                                        char **line)
{
    bool sequence = key[0] == LINE_KEYS_ESCAPE && size > 2 && (key[1] == '[' || key[1] == 'O');
    if (sequence ? !is_bound(key, size) : !has_room(self, key))
        return LINE_EDITOR_NOTHING;
    self->key_size = self->key_at = 0;
    for (size_t at = 0; at < size && self->key_size < LINE_KEYS_SEQUENCE_MAX;) {
        uint32_t character;
        at += utf8_next(key + at, size - at, &character);
        self->key[self->key_size++] = (wchar_t)character;
    }
    while (self->key_at < self->key_size && self->event == LINE_EDITOR_NOTHING) {
        int count;
        (void)el_wgets(self->edit, &count);
    }
    return self->event == LINE_EDITOR_NOTHING ? LINE_EDITOR_NOTHING : finish(self, line);
}

/* --- the rest --- */

static void redraw(line_terminal_t *self)
{
    (void)el_wset(self->edit, EL_REFRESH);
}

void line_terminal_print_above(line_terminal_t *self, const char *text)
{
    size_t size = strlen(text);
    if (!self->suspended)
        erase(self);
    (void)fputs(text, self->out);
    if (!size || text[size - 1] != '\n')
        (void)fputc('\n', self->out);
    (void)fflush(self->out);
    if (!self->suspended)
        redraw(self);
}

void line_terminal_set_prompt(line_terminal_t *self, const char *prompt)
{
    if (!self->suspended)
        erase(self);
    free(self->prompt);
    self->prompt = wide_text(prompt);
    if (!self->suspended)
        redraw(self);
}

void line_terminal_set_echo(line_terminal_t *self, bool echo)
{
    self->echo = echo;
}

void line_terminal_set_complete(line_terminal_t *self, line_editor_complete_fn complete_word,
                                void *context)
{
    self->complete = complete_word;
    self->complete_context = context;
}

void line_terminal_remember(line_terminal_t *self, const char *line)
{
    HistEventW event;
    if (!self->history || !*line)
        return;
    wchar_t *wide = wide_text(line);
    (void)history_w(self->history, &event, H_ENTER, wide);
    free(wide);
}

/* Most terminals let long rows flow into the next one when they get narrower, so the new width
 * counts. */
void line_terminal_resize(line_terminal_t *self)
{
    if (self->suspended)
        return;
    erase(self);
    el_resize(self->edit);
    redraw(self);
}

bool line_terminal_is_suspended(const line_terminal_t *self)
{
    return self->suspended;
}

void line_terminal_suspend(line_terminal_t *self)
{
    if (self->suspended)
        return;
    erase(self);
    (void)el_wset(self->edit, EL_PREP_TERM, 0);
    self->suspended = true;
}

void line_terminal_resume(line_terminal_t *self)
{
    if (!self->suspended)
        return;
    self->suspended = false;
    (void)el_wset(self->edit, EL_PREP_TERM, 1);
    el_resize(self->edit);
    redraw(self);
}
