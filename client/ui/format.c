/* SPDX-License-Identifier: MPL-2.0 */
/* How things look: all colours, decorations and line layouts of the client, and its only escape
 * sequences. */
#include "client/ui/format.h"

#include "client/ui/safe_text.h"
#include "client/ui/text_buffer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define RESET           "\033[0m"
#define COLUMNS_DEFAULT 80
#define TIME_END_MS     253402300800000u /* the year 10000; what claims to be later is not shown */
#define MESSAGE_INDENT  8                /* columns of "[12:03] " */

/* Middle tones, with a contrast of 3.5 or more on black and on white alike; red is left to what is
 * wrong. */
static const uint8_t name_colours_256[] = {166, 130, 100, 64,  28,  30,  31, 33,
                                           63,  98,  129, 134, 164, 162, 168};
static const uint8_t name_colours_16[] = {32, 34, 35, 36};

/* Select Graphic Rendition (ECMA-48 8.3.117) of each style. */
static const char *const styles_256[] = {
    [FORMAT_PLAIN] = "",       [FORMAT_BOLD] = "1",           [FORMAT_DIM] = "38;5;244",
    [FORMAT_GOOD] = "38;5;28", [FORMAT_WARNING] = "38;5;166", [FORMAT_BAD] = "1;38;5;160",
};
static const char *const styles_16[] = {
    [FORMAT_PLAIN] = "",  [FORMAT_BOLD] = "1",     [FORMAT_DIM] = "2",
    [FORMAT_GOOD] = "32", [FORMAT_WARNING] = "33", [FORMAT_BAD] = "1;31",
};

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

/* How many colours the terminal that TERM names can show. */
static format_colours_t terminal_colours(const char *term)
{
    static const char *const rich[] = {"256color",  "direct", "kitty",
                                       "alacritty", "foot",   "ghostty"};
    if (is_set("COLORTERM"))
        return FORMAT_COLOURS_256;
    for (size_t i = 0; term && i < sizeof rich / sizeof rich[0]; i++)
        if (strstr(term, rich[i]))
            return FORMAT_COLOURS_256;
    return FORMAT_COLOURS_16;
}

format_t format_for_stream(FILE *stream, bool ascii)
{
    format_t self = {.colours = FORMAT_COLOURS_NONE, .ascii = ascii};
    const char *term = getenv("TERM");
    const char *force = getenv("CLICOLOR_FORCE");
    bool forced = force && *force && strcmp(force, "0") != 0;
    bool able = term && *term && strcmp(term, "dumb") != 0 && isatty(fileno(stream));
    if (!is_set("NO_COLOR") && (forced || able))
        self.colours = terminal_colours(term);
    return self;
}

size_t format_columns(FILE *stream)
{
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col)
        return size.ws_col;
    return COLUMNS_DEFAULT;
}

static void begin(const format_t *self, text_buffer_t *out, format_style_t style)
{
    if (self->colours != FORMAT_COLOURS_NONE && style != FORMAT_PLAIN)
        text_buffer_add_format(
            out, "\033[%sm", (self->colours == FORMAT_COLOURS_256 ? styles_256 : styles_16)[style]);
}

static void end(const format_t *self, text_buffer_t *out, format_style_t style)
{
    if (self->colours != FORMAT_COLOURS_NONE && style != FORMAT_PLAIN)
        text_buffer_add_text(out, RESET);
}

static void add_safe(const format_t *self, text_buffer_t *out, const char *text)
{
    char *safe = safe_text_new(text, strlen(text), (safe_text_options_t){.ascii = self->ascii});
    text_buffer_add_text(out, safe);
    free(safe);
}

static void add_styled(const format_t *self, text_buffer_t *out, format_style_t style,
                       const char *text)
{
    begin(self, out, style);
    add_safe(self, out, text);
    end(self, out, style);
}

/* FNV-1a, which is enough to spread names over a dozen colours. */
static uint32_t name_hash(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash ^ hash >> 16;
}

static void add_name(const format_t *self, text_buffer_t *out, const char *name)
{
    if (self->colours == FORMAT_COLOURS_256)
        text_buffer_add_format(out, "\033[38;5;%um",
                               name_colours_256[name_hash(name) % sizeof name_colours_256]);
    else if (self->colours == FORMAT_COLOURS_16)
        text_buffer_add_format(out, "\033[%um",
                               name_colours_16[name_hash(name) % sizeof name_colours_16]);
    add_safe(self, out, name);
    if (self->colours != FORMAT_COLOURS_NONE)
        text_buffer_add_text(out, RESET);
}

static bool local_time(uint64_t time_ms, struct tm *local)
{
    time_t seconds = (time_t)(time_ms / 1000);
    return time_ms < TIME_END_MS && localtime_r(&seconds, local) != NULL;
}

/* "[12:03]", without a space after it. */
static void add_time(const format_t *self, text_buffer_t *out, uint64_t time_ms)
{
    struct tm local;
    begin(self, out, FORMAT_DIM);
    if (local_time(time_ms, &local))
        text_buffer_add_format(out, "[%02d:%02d]", local.tm_hour, local.tm_min);
    else
        text_buffer_add_text(out, "[--:--]");
    end(self, out, FORMAT_DIM);
}

static void add_group(const format_t *self, text_buffer_t *out, const char *group)
{
    if (!group)
        return;
    begin(self, out, FORMAT_DIM);
    text_buffer_add_text(out, "#");
    add_safe(self, out, group);
    end(self, out, FORMAT_DIM);
    text_buffer_add_text(out, " ");
}

/* "[12:03] alice: " */
static void add_message_head(const format_t *self, text_buffer_t *out,
                             const format_message_t *message)
{
    bool marked = message->own && self->colours == FORMAT_COLOURS_NONE;
    add_time(self, out, message->time_ms);
    text_buffer_add_text(out, marked ? "*" : " ");
    add_group(self, out, message->group);
    if (message->own)
        add_styled(self, out, FORMAT_BOLD, message->sender);
    else
        add_name(self, out, message->sender);
    if (message->unverified)
        add_styled(self, out, FORMAT_WARNING, "?");
    text_buffer_add_text(out, ": ");
}

char *format_message(const format_t *self, const format_message_t *message)
{
    text_buffer_t out = {0};
    safe_text_options_t options = {.lines = true, .indent = MESSAGE_INDENT, .ascii = self->ascii};
    char *safe = safe_text_new(message->text, message->text_size, options);
    add_message_head(self, &out, message);
    text_buffer_add_text(&out, safe);
    free(safe);
    return text_buffer_take(&out);
}

char *format_placeholder(const format_t *self, const format_message_t *message, const char *reason)
{
    text_buffer_t out = {0};
    add_message_head(self, &out, message);
    begin(self, &out, FORMAT_DIM);
    text_buffer_add_text(&out, "(");
    add_safe(self, &out, reason);
    text_buffer_add_text(&out, ")");
    end(self, &out, FORMAT_DIM);
    return text_buffer_take(&out);
}

char *format_notice(const format_t *self, const format_notice_t *notice)
{
    text_buffer_t out = {0};
    if (notice->time_ms) {
        add_time(self, &out, notice->time_ms);
        text_buffer_add_text(&out, " ");
    }
    add_group(self, &out, notice->group);
    text_buffer_add_text(&out, self->ascii ? "-- " : "— ");
    if (notice->who) {
        add_name(self, &out, notice->who);
        text_buffer_add_text(&out, " ");
    }
    add_safe(self, &out, notice->what);
    if (notice->detail) {
        text_buffer_add_text(&out, " ");
        begin(self, &out, FORMAT_DIM);
        text_buffer_add_text(&out, "(");
        add_safe(self, &out, notice->detail);
        text_buffer_add_text(&out, ")");
        end(self, &out, FORMAT_DIM);
    }
    return text_buffer_take(&out);
}

char *format_group_line(const format_t *self, uint64_t epoch, uint64_t members, const char *words)
{
    text_buffer_t out = {0};
    const char *dot = self->ascii ? " | " : " · ";
    text_buffer_add_format(&out, "epoch %" PRIu64 "%s%" PRIu64 " member%s", epoch, dot, members,
                           members == 1 ? "" : "s");
    if (words) {
        text_buffer_add_text(&out, dot);
        add_styled(self, &out, FORMAT_BOLD, words);
    }
    return text_buffer_take(&out);
}

char *format_day(const format_t *self, uint64_t time_ms)
{
    struct tm local;
    text_buffer_t out = {0};
    const char *rule = self->ascii ? "--" : "──";
    begin(self, &out, FORMAT_DIM);
    if (local_time(time_ms, &local)) {
        char weekday[32] = "", month[32] = "";
        (void)strftime(weekday, sizeof weekday, "%A", &local);
        (void)strftime(month, sizeof month, "%B %Y", &local);
        text_buffer_add_format(&out, "%s %s, %d %s %s", rule, weekday, local.tm_mday, month, rule);
    } else {
        text_buffer_add_format(&out, "%s%s", rule, rule);
    }
    end(self, &out, FORMAT_DIM);
    return text_buffer_take(&out);
}

bool format_same_day(uint64_t a_ms, uint64_t b_ms)
{
    struct tm a, b;
    return local_time(a_ms, &a) && local_time(b_ms, &b) && a.tm_year == b.tm_year &&
           a.tm_yday == b.tm_yday;
}

static char *program_line(const format_t *self, format_style_t style, const char *head,
                          const char *text)
{
    text_buffer_t out = {0};
    add_styled(self, &out, style, head);
    text_buffer_add_text(&out, " ");
    add_safe(self, &out, text);
    return text_buffer_take(&out);
}

char *format_error(const format_t *self, const char *text)
{
    return program_line(self, FORMAT_BAD, "conclave:", text);
}

char *format_warning(const format_t *self, const char *text)
{
    return program_line(self, FORMAT_WARNING, "conclave: warning:", text);
}

char *format_banner(const format_t *self, const char *text)
{
    text_buffer_t out = {0};
    bool styled = self->colours != FORMAT_COLOURS_NONE;
    text_buffer_add_text(&out, styled ? "\033[1;7m !! " : "!! ");
    add_safe(self, &out, text);
    if (styled)
        text_buffer_add_text(&out, " " RESET);
    return text_buffer_take(&out);
}

char *format_name(const format_t *self, const char *name)
{
    text_buffer_t out = {0};
    add_name(self, &out, name);
    return text_buffer_take(&out);
}

/* libedit loses a marked part at the very end, so the space comes last. */
char *format_prompt(const format_t *self, const char *group)
{
    text_buffer_t out = {0};
    bool styled = self->colours != FORMAT_COLOURS_NONE;
    if (styled)
        text_buffer_add_format(&out, "%c\033[1m%c", FORMAT_PROMPT_MARK, FORMAT_PROMPT_MARK);
    if (group)
        add_safe(self, &out, group);
    text_buffer_add_text(&out, ">");
    if (styled)
        text_buffer_add_format(&out, "%c%s%c", FORMAT_PROMPT_MARK, RESET, FORMAT_PROMPT_MARK);
    text_buffer_add_text(&out, " ");
    return text_buffer_take(&out);
}

char *format_styled(const format_t *self, format_style_t style, const char *text)
{
    text_buffer_t out = {0};
    add_styled(self, &out, style, text);
    return text_buffer_take(&out);
}

char *format_cell(const format_t *self, format_style_t style, const char *text, size_t columns)
{
    text_buffer_t out = {0};
    char *safe = safe_text_new(text, strlen(text), (safe_text_options_t){.ascii = self->ascii});
    char *cut = safe_text_truncate(safe, columns, self->ascii);
    begin(self, &out, style);
    text_buffer_add_text(&out, cut);
    end(self, &out, style);
    text_buffer_add_repeated(&out, ' ', columns - safe_text_width(cut));
    free(cut);
    free(safe);
    return text_buffer_take(&out);
}
