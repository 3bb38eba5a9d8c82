/* SPDX-License-Identifier: MPL-2.0 */
/* Questions on a real pseudo terminal. */
#include "client/ui/prompt.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

typedef status_t (*ask_fn)(prompt_t *prompt, char *result, size_t capacity);

/* The terminal with a program on it that asks one thing and then prints "STATUS=result, echo
 * on|off". */
typedef struct {
    int master;
    pid_t child;
    char seen[4096];
    size_t size;
} terminal_t;

static void copy(char *result, size_t capacity, const char *text)
{
    (void)snprintf(result, capacity, "%s", text ? text : "");
}

static status_t ask_line(prompt_t *prompt, char *result, size_t capacity)
{
    char *answer;
    status_t status = prompt_ask(prompt, "Name", NULL, &answer);
    copy(result, capacity, answer);
    free(answer);
    return status;
}

static status_t ask_with_fallback(prompt_t *prompt, char *result, size_t capacity)
{
    char *answer;
    status_t status = prompt_ask(prompt, "Broker", "local", &answer);
    copy(result, capacity, answer);
    free(answer);
    return status;
}

static status_t ask_confirm(prompt_t *prompt, char *result, size_t capacity)
{
    bool yes = false;
    status_t status = prompt_confirm(prompt, "Sure", false, &yes);
    copy(result, capacity, yes ? "yes" : "no");
    return status;
}

static status_t ask_choice(prompt_t *prompt, char *result, size_t capacity)
{
    static const char *const choices[] = {"create", "join"};
    size_t chosen = 9;
    status_t status = prompt_choose(prompt, "What", choices, 2, &chosen);
    (void)snprintf(result, capacity, "%zu", chosen);
    return status;
}

static status_t ask_password(prompt_t *prompt, char *result, size_t capacity)
{
    password_t password = {0};
    status_t status = prompt_password(prompt, "Password", &password);
    copy(result, capacity, password.size == 6 ? "six" : password.bytes);
    password_wipe(&password);
    return status;
}

static status_t ask_new_password(prompt_t *prompt, char *result, size_t capacity)
{
    password_t password = {0};
    status_t status = prompt_new_password(prompt, "New password", &password);
    copy(result, capacity, password.size == 6 ? "six" : password.bytes);
    password_wipe(&password);
    return status;
}

static void program(ask_fn ask, bool blocked)
{
    prompt_t prompt;
    struct termios after;
    char result[256] = "";
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    if (blocked)
        sigprocmask(SIG_BLOCK, &set, NULL);
    if (prompt_open(&prompt) != STATUS_OK)
        _exit(1);
    status_t status = ask(&prompt, result, sizeof result);
    if (tcgetattr(prompt.in, &after) != 0)
        _exit(2);
    bool pending = sigpending(&set) == 0 && sigismember(&set, SIGTERM) == 1;
    printf("%s=%s, echo %s%s;", status_name(status), result, after.c_lflag & ECHO ? "on" : "off",
           pending ? ", told" : "");
    fflush(stdout);
    prompt_close(&prompt);
    pause();
}

static void start(terminal_t *self, ask_fn ask, bool blocked)
{
    *self = (terminal_t){0};
    self->child = forkpty(&self->master, NULL, NULL, NULL);
    assert_true(self->child >= 0);
    if (self->child == 0)
        program(ask, blocked);
}

static void stop(terminal_t *self)
{
    close(self->master);
    kill(self->child, SIGKILL);
    waitpid(self->child, NULL, 0);
}

/* Waits for output that ends so, and forgets what came before. */
static void expect(terminal_t *self, const char *ending)
{
    size_t wanted = strlen(ending);
    while (self->size < wanted || strcmp(self->seen + self->size - wanted, ending) != 0) {
        struct pollfd source = {.fd = self->master, .events = POLLIN};
        if (poll(&source, 1, 60000) <= 0)
            fail_msg("no \"%s\" in \"%s\"", ending, self->seen);
        ssize_t got =
            read(self->master, self->seen + self->size, sizeof self->seen - 1 - self->size);
        if (got <= 0)
            fail_msg("no \"%s\" in \"%s\"", ending, self->seen);
        self->size += (size_t)got;
        self->seen[self->size] = '\0';
    }
}

static void type(terminal_t *self, const char *keys)
{
    /* The question is printed after the echo is off, so that nothing typed now can show. */
    self->size = 0;
    self->seen[0] = '\0';
    assert_int_equal(write(self->master, keys, strlen(keys)), strlen(keys));
}

static void test_questions(void **state)
{
    (void)state;
    terminal_t terminal;
    start(&terminal, ask_line, false);
    expect(&terminal, "Name: ");
    type(&terminal, "\n");
    expect(&terminal, "Name: ");
    type(&terminal, "  alice b \n");
    expect(&terminal, "OK=alice b, echo on;");
    stop(&terminal);

    start(&terminal, ask_with_fallback, false);
    expect(&terminal, "Broker [local]: ");
    type(&terminal, "\n");
    expect(&terminal, "OK=local, echo on;");
    stop(&terminal);

    start(&terminal, ask_confirm, false);
    expect(&terminal, "Sure [y/N]: ");
    type(&terminal, "maybe\n");
    expect(&terminal, "Sure [y/N]: ");
    type(&terminal, "YES\n");
    expect(&terminal, "OK=yes, echo on;");
    stop(&terminal);

    start(&terminal, ask_choice, false);
    expect(&terminal, "  1) create\r\n  2) join\r\nWhat [1]: ");
    type(&terminal, "3\n");
    expect(&terminal, "Type a number of the list; Ctrl-D ends.\r\nWhat [1]: ");
    type(&terminal, "2\n");
    expect(&terminal, "OK=1, echo on;");
    stop(&terminal);
}

static void test_password_is_not_shown(void **state)
{
    (void)state;
    terminal_t terminal;
    start(&terminal, ask_password, false);
    expect(&terminal, "Password: ");
    type(&terminal, "secrex\177t\n");
    expect(&terminal, "OK=six, echo on;");
    assert_string_equal(terminal.seen, "\r\nOK=six, echo on;");
    stop(&terminal);
}

static void test_empty_and_long_passwords(void **state)
{
    (void)state;
    terminal_t terminal;
    char endless[PASSWORD_MAX_BYTES + 3];
    memset(endless, 'x', sizeof endless);
    endless[sizeof endless - 2] = '\n';
    endless[sizeof endless - 1] = '\0';
    start(&terminal, ask_password, false);
    expect(&terminal, "Password: ");
    type(&terminal, "\n");
    expect(&terminal, "INVALID=, echo on;");
    stop(&terminal);
    start(&terminal, ask_password, false);
    expect(&terminal, "Password: ");
    type(&terminal, endless);
    expect(&terminal, "TOO_LARGE=, echo on;");
    stop(&terminal);
}

static void test_new_password(void **state)
{
    (void)state;
    terminal_t terminal;
    start(&terminal, ask_new_password, false);
    expect(&terminal, "New password: ");
    type(&terminal, "secret\n");
    expect(&terminal, "The same again: ");
    type(&terminal, "secre1\n");
    expect(&terminal, "The two differ.\r\nNew password: ");
    type(&terminal, "\n");
    expect(&terminal, "can't be empty.\r\nNew password: ");
    type(&terminal, "secret\n");
    expect(&terminal, "The same again: ");
    type(&terminal, "secret\n");
    expect(&terminal, "OK=six, echo on;");
    stop(&terminal);
}

static void test_interruptions(void **state)
{
    (void)state;
    terminal_t terminal;
    static const char *const keys[] = {"\003", "\004", "abc\003"};
    for (size_t i = 0; i < 3; i++) {
        start(&terminal, ask_password, false);
        expect(&terminal, "Password: ");
        type(&terminal, keys[i]);
        expect(&terminal, "INTERRUPTED=, echo on;");
        stop(&terminal);
    }
    /* A program that takes its signals elsewhere still learns of it. */
    start(&terminal, ask_password, true);
    expect(&terminal, "Password: ");
    kill(terminal.child, SIGTERM);
    expect(&terminal, "INTERRUPTED=, echo on, told;");
    stop(&terminal);
}

static void test_termination_restores_the_terminal(void **state)
{
    (void)state;
    terminal_t terminal;
    struct termios after;
    int status;
    start(&terminal, ask_password, false);
    expect(&terminal, "Password: ");
    int slave = open(ptsname(terminal.master), O_RDWR | O_NOCTTY);
    assert_int_equal(tcgetattr(slave, &after), 0);
    assert_false(after.c_lflag & ECHO);
    kill(terminal.child, SIGTERM);
    assert_int_equal(waitpid(terminal.child, &status, 0), terminal.child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    assert_int_equal(tcgetattr(slave, &after), 0);
    assert_true(after.c_lflag & ECHO);
    close(slave);
    close(terminal.master);
}

static void test_without_a_terminal(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    if (child == 0) {
        prompt_t prompt;
        setsid();
        _exit(prompt_open(&prompt) == STATUS_NO_TERMINAL ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* What follows an answer in a pipe stays there. */
static void test_pipe(void **state)
{
    (void)state;
    int ends[2], nowhere = open("/dev/null", O_WRONLY);
    char *answer;
    password_t password = {0};
    prompt_t prompt;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "alice\nsecret\nrest", 17), 17);
    prompt_init(&prompt, ends[0], nowhere);
    assert_int_equal(prompt_ask(&prompt, "Name", NULL, &answer), STATUS_OK);
    assert_string_equal(answer, "alice");
    free(answer);
    assert_int_equal(prompt_password(&prompt, "Password", &password), STATUS_OK);
    assert_string_equal(password.bytes, "secret");
    password_wipe(&password);
    char rest[8] = "";
    assert_int_equal(read(ends[0], rest, sizeof rest), 4);
    close(ends[1]);
    assert_int_equal(prompt_ask(&prompt, "Name", NULL, &answer), STATUS_INTERRUPTED);
    assert_null(answer);
    prompt_close(&prompt);
    close(ends[0]);
    close(nowhere);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_password_is_not_shown),
        cmocka_unit_test(test_empty_and_long_passwords),
        cmocka_unit_test(test_new_password),
        cmocka_unit_test(test_interruptions),
        cmocka_unit_test(test_termination_restores_the_terminal),
        cmocka_unit_test(test_without_a_terminal),
        cmocka_unit_test(test_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
