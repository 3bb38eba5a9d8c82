/* SPDX-License-Identifier: MPL-2.0 */
/* How things look: all colours, decorations and line layouts of the client, and its only escape
 * sequences. */
#ifndef CONCLAVE_CLIENT_UI_FORMAT_H
#define CONCLAVE_CLIENT_UI_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum {
    FORMAT_COLOURS_NONE, /* no escape sequence at all */
    FORMAT_COLOURS_16,
    FORMAT_COLOURS_256,
} format_colours_t;

/* A plain value: what one output stream can show. Copy it freely; it never changes. */
typedef struct {
    format_colours_t colours;
    bool ascii;
} format_t;

/* Encloses what takes no columns in a prompt (see format_prompt and line_editor_set_prompt). */
#define FORMAT_PROMPT_MARK '\001'

/*
 * Decides once for a stream. Colours: none if NO_COLOR is set and not empty; else those of TERM if
 * CLICOLOR_FORCE is set and not "0", or if the stream is a terminal and TERM is set and not "dumb".
 * Characters: as `ascii` says, which locale_init() returned.
 */
format_t format_for_stream(FILE *stream, bool ascii);

/* Columns of the stream's terminal; 80 if it is none or does not say. */
size_t format_columns(FILE *stream);

/*
 * Everything below returns one line (a message may have several) without final newline, which the
 * caller frees. Every text that goes in may be remote: it is made safe here. Times are ms since
 * 1970, shown in local time.
 */

typedef struct {
    uint64_t time_ms;
    const char *group; /* NULL unless lines of several groups are mixed */
    const char *sender;
    const char *text;
    size_t text_size;
    bool own; /* sent by this user: name in bold, or "*" before it where there are no styles */
    bool unverified; /* the sender or group is not confirmed yet: marked with "?" */
} format_message_t;

/* `[12:03] alice: text`, with a group `[12:03] #home alice: text`; further lines start under the
 * sender. */
char *format_message(const format_t *self, const format_message_t *message);

/* `[12:03] alice: (REASON)`, dimmed: a message that could not be shown. */
char *format_placeholder(const format_t *self, const format_message_t *message, const char *reason);

typedef struct {
    uint64_t time_ms;   /* 0: no time */
    const char *group;  /* as above */
    const char *who;    /* NULL if nobody in particular */
    const char *what;   /* "joined" */
    const char *detail; /* "admitted by alice", or NULL */
} format_notice_t;

/* `[12:03] — bob joined (admitted by alice)` */
char *format_notice(const format_t *self, const format_notice_t *notice);

/* `epoch 7 · 12 members · three words here`; words NULL: left away. */
char *format_group_line(const format_t *self, uint64_t epoch, uint64_t members, const char *words);

/* `── Monday, 23 November 2026 ──`: goes between messages of two days. */
char *format_day(const format_t *self, uint64_t time_ms);

/* Whether two times fall on the same local day. */
bool format_same_day(uint64_t a_ms, uint64_t b_ms);

/* `conclave: TEXT` and `conclave: warning: TEXT` for standard error, what stands before TEXT in red
 * or yellow. */
char *format_error(const format_t *self, const char *text);
char *format_warning(const format_t *self, const char *text);

/* `!! TEXT`: loud and lasting, such as a changed key or messages flowing in an old epoch. */
char *format_banner(const format_t *self, const char *text);

/* A person's name in its colour: always the same for a name. */
char *format_name(const format_t *self, const char *name);

/* `home> ` for line_editor_set_prompt; its styles stand between FORMAT_PROMPT_MARKs. NULL: `> `. */
char *format_prompt(const format_t *self, const char *group);

typedef enum {
    FORMAT_PLAIN,
    FORMAT_BOLD, /* headings, safety words */
    FORMAT_DIM,  /* what is rarely read: times, hints */
    FORMAT_GOOD,
    FORMAT_WARNING,
    FORMAT_BAD,
} format_style_t;

/* One line in a style. */
char *format_styled(const format_t *self, format_style_t style, const char *text);

/* The same, cut or filled with spaces to exactly `columns` columns: a table's cell. */
char *format_cell(const format_t *self, format_style_t style, const char *text, size_t columns);

#endif
