/* SPDX-License-Identifier: MPL-2.0 */
/* The line editor on a real pseudo terminal, judged by what a small terminal emulator then has on
 * its screen. */
#include "client/ui/line_editor.h"

#include "client/ui/locale.h"
#include "tests/unit/client/ui_terminal.h"

#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

/* --- the program's side --- */

static void list_names(void *context, const char *left, size_t word_start,
                       line_completion_t *completion)
{
    (void)context;
    static const char *const names[] = {"/join", "/groups", "/grants", "home"};
    if (word_start == 0 && left[0])
        for (size_t i = 0; i < 4; i++)
            line_completion_offer(completion, names[i]);
}

/* What the tested program does with an entered line. */
static void react(line_editor_t *editor, const char *line)
{
    char text[256];
    if (strcmp(line, "quiet") == 0) {
        line_editor_set_echo(editor, false);
    } else if (strcmp(line, "prompt") == 0) {
        line_editor_set_prompt(editor, "\001\033[1m\001new>\001\033[0m\001 ");
    } else if (strcmp(line, "pause") == 0) {
        struct termios terminal;
        line_editor_suspend(editor);
        int known = tcgetattr(STDIN_FILENO, &terminal);
        bool cooked = known == 0 && terminal.c_lflag & ICANON && terminal.c_lflag & ISIG;
        line_editor_print_above(editor, cooked ? "cooked" : "raw");
        line_editor_resume(editor);
    } else {
        (void)snprintf(text, sizeof text, "[%s]", line);
        line_editor_print_above(editor, text);
    }
    line_editor_remember(editor, line);
}

/* Signals stand for what else happens in a program: USR1 is a message, WINCH a resize. Exits 7 at
 * the end. */
static void program(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    (void)locale_init();
    line_editor_t *editor = line_editor_new(stdin, stdout);
    line_editor_set_prompt(editor, "> ");
    line_editor_set_complete(editor, list_names, NULL);
    for (;;) {
        struct timespec none = {0};
        struct pollfd source = {.fd = line_editor_fd(editor), .events = POLLIN};
        int timeout_ms = line_editor_timeout_ms(editor);
        (void)poll(&source, 1, timeout_ms < 0 || timeout_ms > 10 ? 10 : timeout_ms);
        int signal_number = sigtimedwait(&set, NULL, &none);
        if (signal_number == SIGUSR1)
            line_editor_print_above(editor, "a message");
        if (signal_number == SIGWINCH)
            line_editor_resize(editor);
        char *line;
        line_editor_event_t event;
        while ((event = line_editor_feed(editor, &line)) == LINE_EDITOR_LINE ||
               event == LINE_EDITOR_INTERRUPT) {
            react(editor, event == LINE_EDITOR_LINE ? line : "interrupt");
            free(line);
        }
        if (event == LINE_EDITOR_EOF)
            break;
    }
    line_editor_destroy(&editor);
    _exit(7);
}

/* --- tests --- */

static int start_as(void **state, const char *term)
{
    terminal_t *self = calloc(1, sizeof *self);
    struct winsize size = {.ws_row = ROWS, .ws_col = COLUMNS};
    assert_non_null(self);
    self->columns = COLUMNS;
    self->child = forkpty(&self->master, NULL, NULL, &size);
    assert_true(self->child >= 0);
    if (self->child == 0) {
        setenv("TERM", term, 1);
        setenv("LC_ALL", "C", 1); /* the editor must cope */
        program();
    }
    *state = self;
    expect(self, ">");
    return 0;
}

static int start(void **state)
{
    return start_as(state, "xterm");
}

static int start_dumb(void **state)
{
    return start_as(state, "dumb");
}

static int stop(void **state)
{
    terminal_t *self = *state;
    close(self->master);
    kill(self->child, SIGKILL);
    waitpid(self->child, NULL, 0);
    free(self);
    return 0;
}

static void test_line_is_entered(void **state)
{
    terminal_t *self = *state;
    type(self, "hello");
    expect(self, "> hello");
    type(self, "\r");
    expect(self, "> hello\n[hello]\n>");
    type(self, "one\rtwo\rthr");
    expect(self, "> hello\n[hello]\n> one\n[one]\n> two\n[two]\n> thr");
}

static void test_utf8(void **state)
{
    terminal_t *self = *state;
    type(self, "caf\xC3");
    expect(self, "> caf");
    type(self, "\xA9!\x7F\x7F\xC3\xA9\xC3\xBC\xF0\x9F\x98\x80\x7F\r");
    expect(self, "> caféü\n[caféü]\n>");
    type(self, "\xFF\xC3x\xE2\x82\r"); /* ill-formed bytes vanish */
    expect(self, "> caféü\n[caféü]\n> x\n[x]\n>");
}

static void test_message_above_half_typed_line(void **state)
{
    terminal_t *self = *state;
    type(self, "half");
    expect(self, "> half");
    kill(self->child, SIGUSR1);
    expect(self, "a message\n> half");
    type(self, "\033[D\033[DX");
    expect(self, "a message\n> haXlf");
    kill(self->child, SIGUSR1);
    expect(self, "a message\na message\n> haXlf");
    type(self, "Y\r");
    expect(self, "a message\na message\n> haXYlf\n[haXYlf]\n>");
}

static void test_message_above_long_line(void **state)
{
    terminal_t *self = *state;
    type(self, "12345678901234567890abc");
    expect(self, "> 123456789012345678\n90abc");
    kill(self->child, SIGUSR1);
    expect(self, "a message\n> 123456789012345678\n90abc");
    type(self, "\001"); /* to the beginning: the cursor is on the first of two rows */
    expect(self, "a message\n> 123456789012345678\n90abc");
    kill(self->child, SIGUSR1);
    expect(self, "a message\na message\n> 123456789012345678\n90abc");
    type(self, "\r");
    expect(self, "a message\na message\n> 123456789012345678\n90abc\n"
                 "[1234567890123456789\n0abc]\n>");
}

static void test_message_above_exactly_full_row(void **state)
{
    terminal_t *self = *state;
    type(self, "123456789012345678");
    expect(self, "> 123456789012345678");
    kill(self->child, SIGUSR1);
    expect(self, "a message\n> 123456789012345678");
    type(self, "9");
    expect(self, "a message\n> 123456789012345678\n9");
}

static void test_interrupt_drops_the_line(void **state)
{
    terminal_t *self = *state;
    type(self, "oops\003");
    expect(self, "> oops^C\n[interrupt]\n>");
    type(self, "ok\r");
    expect(self, "> oops^C\n[interrupt]\n> ok\n[ok]\n>");
}

static void test_end(void **state)
{
    terminal_t *self = *state;
    int status;
    type(self, "ab\002\004"); /* Ctrl-D in a line deletes */
    expect(self, "> a");
    type(self, "\004");
    expect(self, "> a");
    type(self, "\177\004");
    assert_int_equal(waitpid(self->child, &status, 0), self->child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void test_lost_terminal_is_the_end(void **state)
{
    terminal_t *self = *state;
    int status;
    kill(self->child, SIGSTOP); /* so that SIGHUP is not what ends it */
    close(self->master);
    self->master = -1;
    kill(self->child, SIGCONT);
    assert_int_equal(waitpid(self->child, &status, 0), self->child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 7);
}

static void test_history(void **state)
{
    terminal_t *self = *state;
    type(self, "first\rsecond\r");
    expect(self, "> first\n[first]\n> second\n[second]\n>");
    type(self, "\033[A\033[A");
    expect(self, "> first\n[first]\n> second\n[second]\n> first");
    type(self, "\033OB!\r");
    expect(self, "> first\n[first]\n> second\n[second]\n> second!\n[second!]\n>");
    type(self, "\033[A");
    expect(self, "> first\n[first]\n> second\n[second]\n> second!\n[second!]\n> second!");
}

static void test_resize(void **state)
{
    terminal_t *self = *state;
    type(self, "hi\r123456789");
    expect(self, "> hi\n[hi]\n> 123456789");
    halve(self);
    expect(self, "> hi\n[hi]\n> 12345678\n9");
    kill(self->child, SIGUSR1);
    expect(self, "> hi\n[hi]\na message\n> 12345678\n9");
}

static void test_completion(void **state)
{
    terminal_t *self = *state;
    type(self, "/j\t#1\r");
    expect(self, "> /join #1\n[/join #1]\n>");
    type(self, "/\t"); /* ambiguous: listed */
    expect(self, "> /join #1\n[/join #1]\n/join  /groups  /gra\nnts\n> /");
    type(self, "g\t");
    expect(self, "> /join #1\n[/join #1]\n/join  /groups  /gra\nnts\n> /gr");
    type(self, "o\tx\t");
    expect(self, "> /join #1\n[/join #1]\n/join  /groups  /gra\nnts\n> /groups x");
}

static void test_keys_that_mean_nothing(void **state)
{
    terminal_t *self = *state;
    type(self, "\033[200~paste\033[201~\033[?1;2c\033[99;99;99~\033OZ");
    expect(self, "> paste");
    type(self, "\033");
    kill(self->child, SIGUSR1);
    expect(self, "a message\n> paste");
    kill(self->child, SIGUSR1);
    expect(self, "a message\na message\n> paste"); /* the Escape was read in between */
    usleep(150 * 1000);
    type(self, "[A\026\030\022");
    expect(self, "a message\na message\n> paste[A");
    kill(self->child, SIGUSR1);
    expect(self, "a message\na message\na message\n> paste[A");
}

/* The parts belong together as long as each comes soon enough, which a busy machine may prevent. */
static void test_split_sequence(void **state)
{
    terminal_t *self = *state;
    char text[SCREEN_BYTES] = "";
    for (int i = 0; i < 100 && strcmp(text, "> aXb") != 0; i++) {
        type(self, "\005\025"); /* an empty line again */
        expect(self, ">");
        type(self, "ab\033");
        type(self, "[");
        type(self, "DX");
        terminal_await(self, "X", false, text);
    }
    assert_string_equal(text, "> aXb");
}

static void test_without_echo(void **state)
{
    terminal_t *self = *state;
    type(self, "quiet\rgone\r");
    expect(self, "> quiet\n[gone]\n>");
    type(self, "12345678901234567890abc\r");
    expect(self, "> quiet\n[gone]\n[1234567890123456789\n0abc]\n>");
}

static void test_prompt_changes(void **state)
{
    terminal_t *self = *state;
    type(self, "prompt\rhi");
    expect(self, "> prompt\nnew> hi");
    type(self, "34567890123456x");
    expect(self, "> prompt\nnew> hi3456789012345\n6x");
    kill(self->child, SIGUSR1);
    expect(self, "> prompt\na message\nnew> hi3456789012345\n6x");
}

static void test_suspension_restores_the_terminal(void **state)
{
    terminal_t *self = *state;
    type(self, "pause\rx");
    expect(self, "> pause\ncooked\n> x");
}

/* A child of forkpty leads an orphaned process group, where stopping is refused. */
static void test_stop_key_does_no_harm(void **state)
{
    terminal_t *self = *state;
    type(self, "ab\032c");
    expect(self, "> abc");
}

static void test_dumb_terminal(void **state)
{
    terminal_t *self = *state;
    type(self, "hi");
    expect(self, "> hi");
    kill(self->child, SIGUSR1);
    expect(self, "> hi\na message\n> hi");
    type(self, "!\r");
    expect(self, "> hi\na message\n> hi!\n>\n[hi!]\n>");
}

/* --- without a terminal --- */

static void test_pipe(void **state)
{
    (void)state;
    int ends[2];
    char *line;
    assert_int_equal(pipe(ends), 0);
    FILE *in = fdopen(ends[0], "r"), *out = fopen("/dev/null", "w");
    line_editor_t *editor = line_editor_new(in, out);
    line_editor_set_prompt(editor, "> ");
    assert_int_equal(line_editor_fd(editor), ends[0]);
    assert_int_equal(line_editor_timeout_ms(editor), -1);
    assert_int_equal(line_editor_feed(editor, &line), LINE_EDITOR_NOTHING);
    assert_int_equal(write(ends[1], "one\r\n\ntw\0o\nla", 13), 13);
    const char *const wanted[] = {"one", "", "tw\xEF\xBF\xBDo"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(line_editor_feed(editor, &line), LINE_EDITOR_LINE);
        assert_string_equal(line, wanted[i]);
        free(line);
    }
    assert_int_equal(line_editor_feed(editor, &line), LINE_EDITOR_NOTHING);
    assert_null(line);
    assert_int_equal(write(ends[1], "st", 2), 2);
    close(ends[1]);
    assert_int_equal(line_editor_feed(editor, &line), LINE_EDITOR_LINE);
    assert_string_equal(line, "last");
    free(line);
    assert_int_equal(line_editor_feed(editor, &line), LINE_EDITOR_EOF);
    assert_int_equal(line_editor_feed(editor, &line), LINE_EDITOR_EOF);
    line_editor_destroy(&editor);
    assert_null(editor);
    fclose(in);
    fclose(out);
}

int main(void)
{
#define ON_TERMINAL(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        ON_TERMINAL(test_line_is_entered),
        ON_TERMINAL(test_utf8),
        ON_TERMINAL(test_message_above_half_typed_line),
        ON_TERMINAL(test_message_above_long_line),
        ON_TERMINAL(test_message_above_exactly_full_row),
        ON_TERMINAL(test_interrupt_drops_the_line),
        ON_TERMINAL(test_end),
        ON_TERMINAL(test_lost_terminal_is_the_end),
        ON_TERMINAL(test_history),
        ON_TERMINAL(test_resize),
        ON_TERMINAL(test_completion),
        ON_TERMINAL(test_keys_that_mean_nothing),
        ON_TERMINAL(test_split_sequence),
        ON_TERMINAL(test_without_echo),
        ON_TERMINAL(test_prompt_changes),
        ON_TERMINAL(test_suspension_restores_the_terminal),
        ON_TERMINAL(test_stop_key_does_no_harm),
        cmocka_unit_test_setup_teardown(test_dumb_terminal, start_dumb, stop),
        cmocka_unit_test(test_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
