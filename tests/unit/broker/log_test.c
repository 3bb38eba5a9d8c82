/* SPDX-License-Identifier: MPL-2.0 */
/* Lines of the log: fields, escapes, limits, bursts. */
#include "broker/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct {
    int fds[2];
    char text[65536];
} pipe_t;

static void pipe_open(pipe_t *self)
{
    assert_int_equal(pipe(self->fds), 0);
}

/* Closes the writing end and reads all there was. */
static const char *pipe_read(pipe_t *self)
{
    size_t size = 0;
    ssize_t got;
    close(self->fds[1]);
    while ((got = read(self->fds[0], self->text + size, sizeof self->text - 1 - size)) > 0) {
        size += (size_t)got;
    }
    self->text[size] = '\0';
    close(self->fds[0]);
    return self->text;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

static void test_text_line(void **state)
{
    pipe_t pipe;
    (void)state;
    pipe_open(&pipe);
    log_t *log = log_new(pipe.fds[1], LOG_TEXT, LEVEL_INFO);
    LOG(log, LEVEL_INFO, log_event("ready"), log_text("url", "tcp://127.0.0.1:1"),
        log_count("most", UINT64_MAX), log_integer("least", -5), log_text("empty", NULL),
        log_status("status", STATUS_STALE_EPOCH), log_errno("cause", ENOENT));
    log_destroy(&log);
    assert_null(log);
    const char *line = pipe_read(&pipe);
    assert_non_null(strstr(line, "Z info  ready url=tcp://127.0.0.1:1 most=18446744073709551615 "
                                 "least=-5 empty=\"\" status=STALE_EPOCH "
                                 "cause=\"No such file or directory\"\n"));
    assert_int_equal(line[4], '-');
    assert_int_equal(line[10], 'T');
}

static void test_json_line(void **state)
{
    pipe_t pipe;
    (void)state;
    pipe_open(&pipe);
    log_t *log = log_new(pipe.fds[1], LOG_JSON, LEVEL_DEBUG);
    LOG(log, LEVEL_DEBUG, log_event("x"), log_text("a", "q\"b\\"), log_count("n", 7));
    log_destroy(&log);
    const char *line = pipe_read(&pipe);
    assert_memory_equal(line, "{\"time\":\"", 9);
    assert_non_null(
        strstr(line, "\"level\":\"debug\",\"event\":\"x\",\"a\":\"q\\\"b\\\\\",\"n\":7}\n"));
}

static void test_remote_bytes_are_escaped(void **state)
{
    (void)state;
    for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
        pipe_t pipe;
        pipe_open(&pipe);
        log_t *log = log_new(pipe.fds[1], (log_format_t)format, LEVEL_INFO);
        LOG(log, LEVEL_INFO, log_event("peer"), log_text("name", "a\n2026 fake\x1b[31m\x9b\x7f"));
        log_destroy(&log);
        const char *line = pipe_read(&pipe);
        assert_int_equal(count_of(line, "\n"), 1);
        assert_null(strchr(line, '\x1b'));
        assert_null(strchr(line, '\x9b'));
        assert_non_null(strstr(line, "\"a\\u000a2026 fake\\u001b[31m\\u009b\\u007f\""));
    }
}

static void test_long_lines_stay_whole(void **state)
{
    pipe_t pipe;
    char text[LOG_TEXT_MAX * 4];
    (void)state;
    memset(text, '\n', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    pipe_open(&pipe);
    log_t *log = log_new(pipe.fds[1], LOG_JSON, LEVEL_INFO);
    LOG(log, LEVEL_INFO, log_event("long"), log_text("a", text), log_text("b", text),
        log_text("c", text), log_text("d", text), log_count("e", 1));
    LOG(log, LEVEL_INFO, log_event("next"), log_count("n", 1));
    log_destroy(&log);
    const char *lines = pipe_read(&pipe);
    assert_int_equal(count_of(lines, "\n"), 2);
    assert_int_equal(count_of(lines, "}\n"), 2);
    assert_int_equal(count_of(lines, "\"") % 2, 0);
    assert_true(strlen(lines) < 2 * 4096);
}

static void test_levels(void **state)
{
    pipe_t pipe;
    (void)state;
    pipe_open(&pipe);
    log_t *log = log_new(pipe.fds[1], LOG_TEXT, LEVEL_WARN);
    LOG(log, LEVEL_INFO, log_event("no"));
    log_set_level(log, LEVEL_DEBUG);
    assert_true(log_wants(log, LEVEL_DEBUG));
    log_set_level(log, LEVEL_WARN);
    LOG(log, LEVEL_ERROR, log_event("yes"));
    assert_true(log_wants(log, LEVEL_WARN));
    assert_false(log_wants(log, LEVEL_INFO));
    assert_false(log_wants(NULL, LEVEL_ERROR));
    LOG(NULL, LEVEL_ERROR, log_event("nowhere"));
    log_destroy(&log);
    const char *lines = pipe_read(&pipe);
    assert_int_equal(count_of(lines, "\n"), 1);
    assert_non_null(strstr(lines, "error yes\n"));
    assert_string_equal(log_level_names[LEVEL_WARN], "warn");
    assert_string_equal(log_format_names[LOG_JSON], "json");
}

static void test_repeated_warnings_are_limited(void **state)
{
    pipe_t pipe;
    (void)state;
    pipe_open(&pipe);
    log_t *log = log_new(pipe.fds[1], LOG_TEXT, LEVEL_INFO);
    for (int i = 0; i < 1000; i++) {
        LOG(log, LEVEL_WARN, log_event("often"), log_integer("i", i));
    }
    LOG(log, LEVEL_WARN, log_event("seldom"));
    for (int i = 0; i < LOG_BURST * 2; i++) {
        LOG(log, LEVEL_ERROR, log_event("error_event"));
    }
    log_destroy(&log);
    const char *lines = pipe_read(&pipe);
    assert_int_equal(count_of(lines, "often"), LOG_BURST);
    assert_int_equal(count_of(lines, "seldom"), 1);
    assert_int_equal(count_of(lines, "error_event"), LOG_BURST * 2);
}

static void test_the_journal_gets_prefixes(void **state)
{
    pipe_t pipe;
    struct stat about;
    char stream[64];
    (void)state;
    pipe_open(&pipe);
    assert_int_equal(fstat(pipe.fds[1], &about), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)about.st_dev, (uintmax_t)about.st_ino);
    /* Explicit; then by the journal's own stream; then with another's. */
    log_t *logs[5];
    logs[0] = log_new(pipe.fds[1], LOG_JOURNAL, LEVEL_DEBUG);
    setenv("JOURNAL_STREAM", stream, 1);
    logs[1] = log_new(pipe.fds[1], LOG_TEXT, LEVEL_DEBUG);
    logs[2] = log_new(pipe.fds[1], LOG_JSON, LEVEL_DEBUG);
    setenv("JOURNAL_STREAM", "1:1", 1);
    logs[3] = log_new(pipe.fds[1], LOG_TEXT, LEVEL_DEBUG);
    unsetenv("JOURNAL_STREAM");
    logs[4] = log_new(pipe.fds[1], LOG_JSON, LEVEL_DEBUG);
    for (log_level_t level = LEVEL_ERROR; level <= LEVEL_DEBUG; level++) {
        LOG(logs[0], level, log_event("one"), log_text("key", "<0>\nx"));
        LOG(logs[1], level, log_event("two"));
    }
    for (size_t i = 2; i < 5; i++) {
        LOG(logs[i], LEVEL_INFO, log_event("three"));
    }
    for (size_t i = 0; i < 5; i++) {
        log_destroy(&logs[i]);
    }
    const char *lines = pipe_read(&pipe);
    const char *wanted = "<3>one key=\"<0>\\u000ax\"\n<3>two\n<4>one key=\"<0>\\u000ax\"\n<4>two\n"
                         "<6>one key=\"<0>\\u000ax\"\n<6>two\n<7>one key=\"<0>\\u000ax\"\n<7>two\n"
                         "<6>{\"time\":";
    assert_memory_equal(lines, wanted, strlen(wanted));
    assert_int_equal(count_of(lines, "\n2"), 1);
    assert_int_equal(count_of(lines, "\n{\"time\""), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_line),
        cmocka_unit_test(test_json_line),
        cmocka_unit_test(test_remote_bytes_are_escaped),
        cmocka_unit_test(test_long_lines_stay_whole),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_repeated_warnings_are_limited),
        cmocka_unit_test(test_the_journal_gets_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
