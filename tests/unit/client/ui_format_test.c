/* SPDX-License-Identifier: MPL-2.0 */
/* Lines as they are shown, and when they are coloured. */
#include "client/ui/format.h"

#include "client/ui/locale.h"

#include <locale.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define NOON_MS 1795435380000u /* 2026-11-23 12:03 UTC */

static const format_t plain = {FORMAT_COLOURS_NONE, false};
static const format_t ascii = {FORMAT_COLOURS_NONE, true};
static const format_t rich = {FORMAT_COLOURS_256, false};
static const format_t basic = {FORMAT_COLOURS_16, false};

static void check(char *line, const char *wanted)
{
    assert_string_equal(line, wanted);
    free(line);
}

static format_message_t message(const char *text)
{
    return (format_message_t){
        .time_ms = NOON_MS, .sender = "alice", .text = text, .text_size = strlen(text)};
}

static void test_message(void **state)
{
    (void)state;
    format_message_t m = message("hi there");
    check(format_message(&plain, &m), "[12:03] alice: hi there");
    m.group = "home";
    check(format_message(&plain, &m), "[12:03] #home alice: hi there");
    m.own = true;
    m.group = NULL;
    check(format_message(&plain, &m), "[12:03]*alice: hi there");
    check(format_message(&rich, &m), "\033[38;5;244m[12:03]\033[0m \033[1malice\033[0m: hi there");
    m.own = false;
    m.unverified = true;
    check(format_message(&plain, &m), "[12:03] alice?: hi there");
    m.time_ms = UINT64_MAX;
    check(format_placeholder(&plain, &m, "no key\n"), "[--:--] alice?: (no key‹U+000A›)");
}

static void test_remote_text_cannot_pass_for_a_line_of_ours(void **state)
{
    (void)state;
    format_message_t m = message("x\n[12:04] bob: lies\033[2J");
    check(format_message(&plain, &m), "[12:03] alice: x\n        [12:04] bob: lies‹U+001B›[2J");
    m = message("\xC3\xA9\xE2\x80\xAE");
    check(format_message(&ascii, &m), "[12:03] alice: <U+00E9><U+202E>");
    m.sender = "a\033[1m\nb";
    m.text_size = 0;
    check(format_message(&plain, &m), "[12:03] a‹U+001B›[1m‹U+000A›b: ");
}

static void test_notices(void **state)
{
    (void)state;
    format_notice_t n = {.who = "bob", .what = "joined", .detail = "admitted by alice"};
    check(format_notice(&plain, &n), "— bob joined (admitted by alice)");
    n.time_ms = NOON_MS;
    n.detail = NULL;
    n.group = "home";
    check(format_notice(&ascii, &n), "[12:03] #home -- bob joined");
    n.who = NULL;
    n.what = "the group\nhas a new key";
    check(format_notice(&plain, &n), "[12:03] #home — the group‹U+000A›has a new key");
}

static void test_other_lines(void **state)
{
    (void)state;
    check(format_group_line(&plain, 7, 12, "oak river moon"),
          "epoch 7 · 12 members · oak river moon");
    check(format_group_line(&ascii, 0, 1, NULL), "epoch 0 | 1 member");
    check(format_day(&plain, NOON_MS), "── Monday, 23 November 2026 ──");
    check(format_day(&ascii, UINT64_MAX), "----");
    check(format_error(&plain, "wrong\npassword"), "conclave: wrong‹U+000A›password");
    check(format_warning(&plain, "x"), "conclave: warning: x");
    check(format_banner(&plain, "key changed"), "!! key changed");
    check(format_banner(&basic, "x"), "\033[1;7m !! x \033[0m");
    check(format_prompt(&plain, "home"), "home> ");
    check(format_prompt(&plain, NULL), "> ");
    check(format_prompt(&rich, "h"), "\001\033[1m\001h>\001\033[0m\001 ");
    check(format_styled(&basic, FORMAT_BAD, "no"), "\033[1;31mno\033[0m");
    check(format_styled(&plain, FORMAT_BAD, "no"), "no");
    check(format_cell(&plain, FORMAT_PLAIN, "日本", 6), "日本  ");
    check(format_cell(&plain, FORMAT_PLAIN, "日本語", 4), "日… ");
    check(format_cell(&rich, FORMAT_BOLD, "ab", 3), "\033[1mab\033[0m ");
    assert_true(format_same_day(NOON_MS, NOON_MS + 1000));
    assert_false(format_same_day(NOON_MS, NOON_MS + 86400000));
    assert_false(format_same_day(UINT64_MAX, UINT64_MAX));
}

/* Relative luminance and contrast as WCAG 2 defines them. */
static double luminance(unsigned colour)
{
    static const double levels[] = {0,      0.1144, 0.2423,
                                    0.4287, 0.6795, 1}; /* linear light of 0, 95, 135... */
    static const double weights[] = {0.2126, 0.7152, 0.0722};
    unsigned steps[] = {(colour - 16) / 36, (colour - 16) / 6 % 6, (colour - 16) % 6};
    double sum = 0;
    for (size_t i = 0; i < 3; i++)
        sum += weights[i] * levels[steps[i]];
    return sum;
}

static void test_name_colours(void **state)
{
    (void)state;
    bool seen[256] = {false};
    size_t different = 0;
    for (unsigned i = 0; i < 500; i++) {
        char name[16];
        unsigned colour = 0;
        (void)snprintf(name, sizeof name, "user%u", i);
        char *first = format_name(&rich, name), *second = format_name(&rich, name);
        assert_string_equal(first, second);
        assert_int_equal(sscanf(first, "\033[38;5;%um", &colour), 1);
        assert_in_range(colour, 16, 231);
        double light = luminance(colour);
        assert_true(1.05 / (light + 0.05) >= 3.5);
        assert_true((light + 0.05) / 0.05 >= 3.5);
        different += !seen[colour];
        seen[colour] = true;
        free(first);
        free(second);
    }
    assert_true(different >= 12);
    check(format_name(&plain, "bob"), "bob");
}

static void environment(const char *term, const char *no_color, const char *force)
{
    const char *const names[] = {"TERM", "NO_COLOR", "CLICOLOR_FORCE", "COLORTERM"};
    const char *const values[] = {term, no_color, force, NULL};
    for (size_t i = 0; i < 4; i++) {
        if (values[i])
            setenv(names[i], values[i], 1);
        else
            unsetenv(names[i]);
    }
}

static void test_when_coloured(void **state)
{
    (void)state;
    int master, slave;
    struct winsize size = {.ws_row = 24, .ws_col = 132};
    assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    FILE *terminal = fdopen(slave, "w"), *file = fopen("/dev/null", "w");
    static const struct {
        const char *term, *no_color, *force;
        format_colours_t on_terminal, on_file;
    } cases[] = {
        {"xterm-256color", NULL, NULL, FORMAT_COLOURS_256, FORMAT_COLOURS_NONE},
        {"xterm", NULL, NULL, FORMAT_COLOURS_16, FORMAT_COLOURS_NONE},
        {"xterm", "", NULL, FORMAT_COLOURS_16, FORMAT_COLOURS_NONE},
        {"xterm", "1", NULL, FORMAT_COLOURS_NONE, FORMAT_COLOURS_NONE},
        {"xterm", "1", "1", FORMAT_COLOURS_NONE, FORMAT_COLOURS_NONE},
        {"dumb", NULL, NULL, FORMAT_COLOURS_NONE, FORMAT_COLOURS_NONE},
        {NULL, NULL, NULL, FORMAT_COLOURS_NONE, FORMAT_COLOURS_NONE},
        {"", NULL, NULL, FORMAT_COLOURS_NONE, FORMAT_COLOURS_NONE},
        {"xterm-256color", NULL, "1", FORMAT_COLOURS_256, FORMAT_COLOURS_256},
        {"xterm", NULL, "0", FORMAT_COLOURS_16, FORMAT_COLOURS_NONE},
        {NULL, NULL, "1", FORMAT_COLOURS_16, FORMAT_COLOURS_16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        environment(cases[i].term, cases[i].no_color, cases[i].force);
        assert_int_equal(format_for_stream(terminal, false).colours, cases[i].on_terminal);
        assert_int_equal(format_for_stream(file, false).colours, cases[i].on_file);
    }
    assert_true(format_for_stream(file, true).ascii);
    assert_int_equal(format_columns(terminal), 132);
    assert_int_equal(format_columns(file), 80);
    fclose(terminal);
    fclose(file);
    close(master);
}

static void test_locale(void **state)
{
    (void)state;
    static const struct {
        const char *all, *lang;
        bool ascii;
    } cases[] = {
        {NULL, NULL, false},
        {NULL, "C.UTF-8", false},
        {NULL, "C", true},
        {"POSIX", "C.UTF-8", true},
        {"C.UTF-8", "C", false},
        {"xx_XX.UTF-8", NULL, false},
        {"xx_XX.ISO-8859-1", NULL, true},
        {"", "C", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsetenv("LC_ALL");
        unsetenv("LC_CTYPE");
        unsetenv("LANG");
        if (cases[i].all)
            setenv("LC_ALL", cases[i].all, 1);
        if (cases[i].lang)
            setenv("LANG", cases[i].lang, 1);
        assert_int_equal(locale_init(), cases[i].ascii);
        assert_string_equal(setlocale(LC_CTYPE, NULL), "C.UTF-8");
    }
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_remote_text_cannot_pass_for_a_line_of_ours),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_other_lines),
        cmocka_unit_test(test_name_colours),
        cmocka_unit_test(test_when_coloured),
        cmocka_unit_test(test_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
