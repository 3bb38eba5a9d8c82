/* SPDX-License-Identifier: MPL-2.0 */
/* Command lines, right and wrong. */
#include "client/ui/global_options.h"
#include "client/ui/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    uint64_t wait_ms;
    uint64_t count;
    const char *kdf;
    bool yes;
} values_t;

static const option_row_t rows[] = {
    {"wait", 0, OPTION_SECONDS, "SECONDS", "how long", offsetof(values_t, wait_ms), 0, 3600000},
    {"count", 'n', OPTION_NUMBER, "N", "how many", offsetof(values_t, count), 1, 0},
    {"kdf", 0, OPTION_CHOICE, "interactive|moderate", "cost", offsetof(values_t, kdf), 0, 0},
    {"yes", 'y', OPTION_FLAG, NULL, "do not ask", offsetof(values_t, yes), 0, 0},
};

typedef struct {
    global_options_t global;
    values_t own;
    const char *words[8];
    size_t word_count;
    char error[256];
} line_t;

/* Parses as main does: the command's options are known once its name is. */
static status_t parse(line_t *line, const char *const *arguments)
{
    static char storage[16][64] = {"conclave"};
    static char *argv[16] = {storage[0]};
    int argc = 1;
    for (; *arguments; arguments++, argc++) {
        argv[argc] = storage[argc];
        (void)snprintf(argv[argc], sizeof storage[argc], "%s", *arguments);
    }
    *line = (line_t){0};
    global_options_init(&line->global);
    options_t options;
    const char *word = NULL;
    options_init(&options, argc, argv);
    options_add_set(&options, global_option_rows, global_option_count, &line->global);
    status_t status;
    while ((status = options_next(&options, &word)) == STATUS_OK && word) {
        if (line->word_count == 0)
            options_add_set(&options, rows, 4, &line->own);
        line->words[line->word_count++] = word;
    }
    (void)snprintf(line->error, sizeof line->error, "%s", options_error(&options));
    options_wipe(&options);
    return status;
}

#define PARSE(line, ...) parse(line, (const char *const[]){__VA_ARGS__, NULL})

static void test_globals_before_and_after_the_command(void **state)
{
    (void)state;
    line_t line;
    assert_int_equal(PARSE(&line, "--home", "/a", "--json", "join", "--timeout=1.5", "g", "--wait",
                           "10", "--quiet"),
                     STATUS_OK);
    assert_string_equal(line.global.home, "/a");
    assert_true(line.global.json && line.global.quiet);
    assert_int_equal(line.global.timeout_ms, 1500);
    assert_int_equal(line.own.wait_ms, 10000);
    assert_int_equal(line.word_count, 2);
    assert_string_equal(line.words[0], "join");
    assert_string_equal(line.words[1], "g");
}

static void test_forms(void **state)
{
    (void)state;
    line_t line;
    assert_int_equal(PARSE(&line, "-h"), STATUS_OK);
    assert_true(line.global.help);
    assert_int_equal(PARSE(&line, "-V"), STATUS_OK);
    assert_true(line.global.version);
    assert_int_equal(PARSE(&line, "c", "-n", "3", "-y", "--kdf=moderate", "--count=4"), STATUS_OK);
    assert_int_equal(line.own.count, 4); /* the last one counts */
    assert_true(line.own.yes);
    assert_string_equal(line.own.kdf, "moderate");
    assert_int_equal(PARSE(&line, "--home=a=b", "c"), STATUS_OK);
    assert_string_equal(line.global.home, "a=b");
    assert_int_equal(PARSE(&line, "--home", "--json", "c"), STATUS_OK);
    assert_string_equal(line.global.home, "--json");
}

static void test_dashes(void **state)
{
    (void)state;
    line_t line;
    assert_int_equal(PARSE(&line, "send", "g", "-", "--", "--wait", "-x", "--"), STATUS_OK);
    assert_int_equal(line.word_count, 6);
    assert_string_equal(line.words[2], "-");
    assert_string_equal(line.words[3], "--wait");
    assert_string_equal(line.words[5], "--");
}

static void test_mistakes(void **state)
{
    (void)state;
    line_t line;
    assert_int_equal(PARSE(&line, "--hoem", "x"), STATUS_USAGE);
    assert_string_equal(line.error, "unknown option --hoem; did you mean --home?");
    assert_int_equal(PARSE(&line, "--pasword-file=x"), STATUS_USAGE);
    assert_string_equal(line.error,
                        "unknown option --pasword-file=x; did you mean --password-file?");
    assert_int_equal(PARSE(&line, "--wait", "3", "join"), STATUS_USAGE); /* not global */
    assert_int_equal(PARSE(&line, "send", "g", "-5"), STATUS_USAGE);
    assert_string_equal(line.error,
                        "unknown option -5 (-- goes before text that starts with a dash)");
    assert_int_equal(PARSE(&line, "-hV"), STATUS_USAGE);
    assert_int_equal(PARSE(&line, "--"), STATUS_OK);
    assert_int_equal(PARSE(&line, "--="), STATUS_USAGE);
    assert_int_equal(PARSE(&line, "--json=yes"), STATUS_USAGE);
    assert_string_equal(line.error, "--json takes no value");
    assert_int_equal(PARSE(&line, "--home"), STATUS_USAGE);
    assert_string_equal(line.error, "--home needs a value: DIR");
    assert_int_equal(PARSE(&line, "--home="), STATUS_USAGE);
    assert_int_equal(PARSE(&line, "--home", ""), STATUS_USAGE);
    assert_int_equal(PARSE(&line, "c", "--kdf", "mod"), STATUS_USAGE);
    assert_string_equal(line.error, "--kdf mod: one of interactive|moderate expected");
    assert_int_equal(PARSE(&line, "c", "--kdf", "interactive|moderate"), STATUS_USAGE);
    assert_int_equal(PARSE(&line, "c", "--kdf", ""), STATUS_USAGE);
}

static void test_numbers(void **state)
{
    (void)state;
    line_t line;
    static const char *const wrong[] = {
        "", "0", "-1", "+1", " 1", "1x", "1.", "0x1", "18446744073709551616"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(PARSE(&line, "c", "--count", wrong[i]), STATUS_USAGE);
    assert_string_equal(line.error, "--count 18446744073709551616: a number expected, at least 1");
    assert_int_equal(PARSE(&line, "c", "--count", "18446744073709551615"), STATUS_OK);
    assert_true(line.own.count == UINT64_MAX);
    assert_int_equal(PARSE(&line, "--poll-ms", "99"), STATUS_USAGE);
    assert_string_equal(line.error, "--poll-ms 99: a number expected from 100 to 3600000");
    assert_int_equal(PARSE(&line, "--poll-ms", "100"), STATUS_OK);
    static const char *const wrong_seconds[] = {".5",   "1.", "1.2345", "1,5",
                                                "3601", "-1", "1e3",    "18446744073709551615"};
    for (size_t i = 0; i < sizeof wrong_seconds / sizeof wrong_seconds[0]; i++)
        assert_int_equal(PARSE(&line, "c", "--wait", wrong_seconds[i]), STATUS_USAGE);
    assert_int_equal(PARSE(&line, "c", "--wait", "0.25"), STATUS_OK);
    assert_int_equal(line.own.wait_ms, 250);
}

static void test_environment_and_home(void **state)
{
    (void)state;
    line_t line;
    char *home;
    setenv("CONCLAVE_HOME", "/env", 1);
    setenv("CONCLAVE_BROKER", "", 1);
    assert_int_equal(PARSE(&line, "c"), STATUS_OK);
    assert_string_equal(line.global.home, "/env");
    assert_null(line.global.broker);
    assert_int_equal(line.global.poll_ms, 5000);
    assert_int_equal(line.global.timeout_ms, 30000);
    assert_int_equal(PARSE(&line, "c", "--home", "/opt"), STATUS_OK);
    assert_int_equal(global_options_home(&line.global, &home), STATUS_OK);
    assert_string_equal(home, "/opt");
    free(home);
    unsetenv("CONCLAVE_HOME");
    global_options_init(&line.global);
    setenv("HOME", "/me", 1);
    setenv("XDG_DATA_HOME", "/data", 1);
    assert_int_equal(global_options_home(&line.global, &home), STATUS_OK);
    assert_string_equal(home, "/data/conclave");
    free(home);
    setenv("XDG_DATA_HOME", "relative", 1);
    assert_int_equal(global_options_home(&line.global, &home), STATUS_OK);
    assert_string_equal(home, "/me/.local/share/conclave");
    free(home);
    unsetenv("HOME");
    assert_int_equal(global_options_home(&line.global, &home), STATUS_NOT_FOUND);
    assert_null(home);
}

static void test_texts(void **state)
{
    (void)state;
    char *text = options_synopsis(rows, 4);
    assert_string_equal(text, "[--wait SECONDS] [--count N] [--kdf interactive|moderate] [--yes]");
    free(text);
    text = options_help(rows, 4);
    assert_string_equal(text, "      --wait SECONDS              how long\n"
                              "  -n, --count N                   how many\n"
                              "      --kdf interactive|moderate  cost\n"
                              "  -y, --yes                       do not ask\n");
    free(text);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const commands[] = {"join", "leave", "listen", "whoami", "members"};
    assert_string_equal(options_nearest("jion", commands, 5), "join");
    assert_string_equal(options_nearest("lsiten", commands, 5), "listen");
    assert_string_equal(options_nearest("member", commands, 5), "members");
    assert_string_equal(options_nearest("whomai", commands, 5), "whoami");
    assert_null(options_nearest("xyz", commands, 5));
    assert_null(options_nearest("", commands, 5));
    char endless[5000];
    memset(endless, 'x', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    assert_null(options_nearest(endless, commands, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_globals_before_and_after_the_command),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_dashes),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_environment_and_home),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
