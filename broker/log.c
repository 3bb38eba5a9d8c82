/* SPDX-License-Identifier: MPL-2.0 */
/* Lines are put together on the stack and written with one write(2). */
#include "broker/log.h"

#include "proto/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES   4096
#define BURST_EVENTS 32 /* event names with a burst of their own; the rest share the last one */

typedef struct {
    const char *event;
    int64_t since_seconds;
    unsigned written;
    uint64_t suppressed;
} burst_t;

struct log {
    int fd;
    log_format_t format;
    atomic_uint level; /* log_level_t */
    bool is_coloured;
    bool has_prefix;       /* <N>: syslog's severity, as the journal wants it */
    pthread_mutex_t mutex; /* guards bursts */
    burst_t bursts[BURST_EVENTS];
};

typedef struct {
    char bytes[LINE_BYTES];
    size_t size;
} line_t;

const char *const log_level_names[] = {"error", "warn", "info", "debug", NULL};
const char *const log_format_names[] = {"text", "json", "journal", NULL};

static const char *const level_prefixes[] = {"<3>", "<4>", "<6>", "<7>"};
static const char *const level_colours[] = {"\033[31m", "\033[33m", "\033[32m", "\033[2m"};

log_field_t log_event(const char *name)
{
    return (log_field_t){.key = "event", .text = name};
}

log_field_t log_text(const char *key, const char *text)
{
    return (log_field_t){.key = key, .text = text ? text : ""};
}

log_field_t log_count(const char *key, uint64_t number)
{
    return (log_field_t){.key = key, .number = (int64_t)number};
}

log_field_t log_integer(const char *key, int64_t number)
{
    return (log_field_t){.key = key, .number = number, .is_signed = true};
}

log_field_t log_status(const char *key, status_t status)
{
    return (log_field_t){.key = key, .text = status_name(status)};
}

log_field_t log_errno(const char *key, int error)
{
    const char *text = strerrordesc_np(error);
    return (log_field_t){.key = key, .text = text ? text : "unknown error"};
}

/* systemd says which device and inode its stream is (systemd.exec(5)). */
bool log_fd_is_journal(int fd)
{
    struct stat about;
    char name[64];
    const char *stream = getenv("JOURNAL_STREAM");
    if (!stream || fstat(fd, &about) != 0) {
        return false;
    }
    snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)about.st_dev, (uintmax_t)about.st_ino);
    return strcmp(name, stream) == 0;
}

log_t *log_new(int fd, log_format_t format, log_level_t level)
{
    log_t *self = mem_zalloc(1, sizeof *self);
    const char *no_color = getenv("NO_COLOR");
    self->fd = fd;
    self->has_prefix = format == LOG_JOURNAL || log_fd_is_journal(fd);
    self->format = self->has_prefix && format == LOG_TEXT ? LOG_JOURNAL : format;
    atomic_init(&self->level, level);
    self->is_coloured = self->format == LOG_TEXT && isatty(fd) && !(no_color && *no_color);
    pthread_mutex_init(&self->mutex, NULL);
    return self;
}

void log_destroy(log_t **self)
{
    if (*self) {
        pthread_mutex_destroy(&(*self)->mutex);
        free(*self);
        *self = NULL;
    }
}

void log_set_level(log_t *self, log_level_t level)
{
    atomic_store_explicit(&self->level, level, memory_order_relaxed);
}

bool log_wants(const log_t *self, log_level_t level)
{
    return self && level <= atomic_load_explicit(&self->level, memory_order_relaxed);
}

/* Leaves room for what ends a line, so that a cut line is still a whole one. */
static void line_add(line_t *line, const char *text, size_t size)
{
    size_t room = LINE_BYTES - 8 - line->size;
    size_t taken = size < room ? size : room;
    memcpy(line->bytes + line->size, text, taken);
    line->size += taken;
}

static void line_text(line_t *line, const char *text)
{
    line_add(line, text, strlen(text));
}

static bool needs_quotes(const char *text)
{
    if (!*text) {
        return true;
    }
    for (const char *c = text; *c; c++) {
        if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\' || *c == '=') {
            return true;
        }
    }
    return false;
}

/* An escape is written whole or not at all. JSON knows no \x, so both formats use \u00XX. */
static void line_escaped(line_t *line, const char *text)
{
    for (size_t i = 0; i < LOG_TEXT_MAX && text[i]; i++) {
        unsigned char c = (unsigned char)text[i];
        char escape[8];
        int size;
        if (c == '"' || c == '\\') {
            size = snprintf(escape, sizeof escape, "\\%c", c);
        } else if (c < ' ' || c > '~') {
            size = snprintf(escape, sizeof escape, "\\u%04x", c);
        } else {
            size = snprintf(escape, sizeof escape, "%c", c);
        }
        if (line->size + (size_t)size > LINE_BYTES - 64) {
            return;
        }
        line_add(line, escape, (size_t)size);
    }
}

static void line_number(line_t *line, const log_field_t *field)
{
    char text[24];
    if (field->is_signed) {
        snprintf(text, sizeof text, "%" PRId64, field->number);
    } else {
        snprintf(text, sizeof text, "%" PRIu64, (uint64_t)field->number);
    }
    line_text(line, text);
}

static void line_field(line_t *line, log_format_t format, const log_field_t *field)
{
    /* A field that may not fit is left out whole. */
    if (line->size + strlen(field->key) + 96 > LINE_BYTES) {
        return;
    }
    bool is_json = format == LOG_JSON;
    line_text(line, is_json ? ",\"" : " ");
    line_text(line, field->key);
    line_text(line, is_json ? "\":" : "=");
    if (!field->text) {
        line_number(line, field);
        return;
    }
    bool is_quoted = is_json || needs_quotes(field->text);
    line_text(line, is_quoted ? "\"" : "");
    line_escaped(line, field->text);
    line_text(line, is_quoted ? "\"" : "");
}

static void line_start(line_t *line, const log_t *self, log_level_t level, const char *event)
{
    struct timespec now;
    struct tm utc;
    char stamp[48];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t size = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(stamp + size, sizeof stamp - size, ".%03dZ", (int)(now.tv_nsec / 1000000));
    if (self->has_prefix) {
        line_text(line, level_prefixes[level]);
    }
    if (self->format == LOG_JOURNAL) {
        line_escaped(line, event);
        return;
    }
    if (self->format == LOG_JSON) {
        line_text(line, "{\"time\":\"");
        line_text(line, stamp);
        line_text(line, "\",\"level\":\"");
        line_text(line, log_level_names[level]);
        line_text(line, "\",\"event\":\"");
        line_escaped(line, event);
        line_text(line, "\"");
        return;
    }
    char head[96];
    snprintf(head, sizeof head, "%s %s%-5s%s ", stamp,
             self->is_coloured ? level_colours[level] : "", log_level_names[level],
             self->is_coloured ? "\033[0m" : "");
    line_text(line, head);
    line_escaped(line, event);
}

/* Finds the event's burst by name; names are literals. Called with the mutex held. */
static burst_t *burst_of(log_t *self, const char *event)
{
    for (size_t i = 0; i < BURST_EVENTS; i++) {
        burst_t *burst = &self->bursts[i];
        if (!burst->event || i == BURST_EVENTS - 1) {
            burst->event = event;
            return burst;
        }
        if (strcmp(burst->event, event) == 0) {
            return burst;
        }
    }
    return NULL;
}

/* False if this line is one too many. *suppressed: how many were left out before it. */
static bool burst_allows(log_t *self, const char *event, uint64_t *suppressed)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&self->mutex);
    burst_t *burst = burst_of(self, event);
    if (burst->written == 0 || now.tv_sec - burst->since_seconds >= LOG_BURST_SECONDS) {
        burst->since_seconds = now.tv_sec;
        burst->written = 0;
    }
    bool is_allowed = burst->written < LOG_BURST;
    if (is_allowed) {
        burst->written++;
        *suppressed = burst->suppressed;
        burst->suppressed = 0;
    } else {
        burst->suppressed++;
    }
    pthread_mutex_unlock(&self->mutex);
    return is_allowed;
}

void log_write(log_t *self, log_level_t level, const log_field_t *fields, size_t count)
{
    uint64_t suppressed = 0;
    if (!log_wants(self, level) || count == 0 || !fields[0].text) {
        return;
    }
    if (level == LEVEL_WARN && !burst_allows(self, fields[0].text, &suppressed)) {
        return;
    }
    line_t line;
    line.size = 0;
    line_start(&line, self, level, fields[0].text);
    for (size_t i = 1; i < count; i++) {
        line_field(&line, self->format, &fields[i]);
    }
    if (suppressed > 0) {
        log_field_t field = log_count("suppressed", suppressed);
        line_field(&line, self->format, &field);
    }
    line_text(&line, self->format == LOG_JSON ? "}\n" : "\n");
    ssize_t written;
    do {
        written = write(self->fd, line.bytes, line.size);
    } while (written < 0 && errno == EINTR);
}
