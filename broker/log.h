/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's log: one event per line, as text or as JSON. */
#ifndef CONCLAVE_BROKER_LOG_H
#define CONCLAVE_BROKER_LOG_H

#include "proto/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG } log_level_t;
/* LOG_JOURNAL: text without time and level, which systemd's journal knows from a prefix. */
typedef enum { LOG_TEXT, LOG_JSON, LOG_JOURNAL } log_format_t;

/* Their names in the order of the values, and a NULL. */
extern const char *const log_level_names[];
extern const char *const log_format_names[];

/* One `key=value`. Made by the constructors below and by nothing else: there is none for bytes, so
   that a payload, a token or a key can't be logged by mistake. */
typedef struct {
    const char *key;
    const char *text; /* NULL: a number */
    int64_t number;
    bool is_signed;
} log_field_t;

/* The first field of every line: the event's name, e.g. "store_failed". */
log_field_t log_event(const char *name);
/* Any text, remote text too: it is cut at LOG_TEXT_MAX bytes, and whatever is not printable ASCII
   is escaped. It must live until the line is written. NULL is logged as "". */
log_field_t log_text(const char *key, const char *text);
log_field_t log_count(const char *key, uint64_t number);
log_field_t log_integer(const char *key, int64_t number);
log_field_t log_status(const char *key, status_t status);
/* errno's value as text. */
log_field_t log_errno(const char *key, int error);

#define LOG_TEXT_MAX 512

/* Threads: every function below may be called in any thread; a line is one write(2). */
typedef struct log log_t;

/* Writes to `fd`, which stays the caller's. Text is coloured if fd is a terminal and NO_COLOR is
   not set. If fd is the journal ($JOURNAL_STREAM), text is LOG_JOURNAL, and JSON has its prefix.
   Never NULL. */
log_t *log_new(int fd, log_format_t format, log_level_t level);
void log_destroy(log_t **self);

/* Lines above the level are dropped from now on. */
void log_set_level(log_t *self, log_level_t level);
/* Whether fd is systemd's journal, so that a line is to start with "<N>", N its severity. */
bool log_fd_is_journal(int fd);

bool log_wants(const log_t *self, log_level_t level);

/* Writes a line; the first field is log_event(). Lines at LEVEL_WARN repeat at most LOG_BURST times
   in LOG_BURST_SECONDS for one event; the next one that is written says `suppressed=N`.
   A NULL self logs nothing. */
void log_write(log_t *self, log_level_t level, const log_field_t *fields, size_t count);

#define LOG_BURST         5
#define LOG_BURST_SECONDS 10

/* LOG(log, LEVEL_INFO, log_event("ready"), log_text("url", url)) */
#define LOG(self, level, ...)                                                                      \
    log_write((self), (level), (const log_field_t[]){__VA_ARGS__},                                 \
              sizeof((const log_field_t[]){__VA_ARGS__}) / sizeof(log_field_t))

#endif
