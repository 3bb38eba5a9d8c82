/* SPDX-License-Identifier: MPL-2.0 */
/* Asks the person at the terminal: a question, a choice, a password without echo. */
#include "client/ui/prompt.h"

#include "client/ui/signals.h"
#include "client/ui/text_buffer.h"
#include "proto/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

/* What is changed while a question waits, and how it was before. */
typedef struct {
    int fd;      /* the terminal asked on */
    int signals; /* a signalfd, -1 if there is none */
    sigset_t mask;
    bool silenced;
    struct termios terminal;
} watch_t;

static void watch_begin(watch_t *self, int fd, bool echo)
{
    static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    sigset_t set;
    signals_heeded(&set, watched, sizeof watched / sizeof watched[0]);
    self->fd = fd;
    self->silenced = false;
    (void)pthread_sigmask(SIG_BLOCK, &set, &self->mask);
    self->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (!echo && tcgetattr(fd, &self->terminal) == 0) {
        struct termios silent = self->terminal;
        silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
        silent.c_lflag |= ICANON | ISIG;
        self->silenced = tcsetattr(fd, TCSADRAIN, &silent) == 0;
    }
}

/* Puts everything back as it was, then lets a signal that came meanwhile (0: none) do its work. */
static void watch_end(watch_t *self, int signal_number)
{
    if (self->silenced)
        (void)tcsetattr(self->fd, TCSADRAIN, &self->terminal);
    if (self->signals >= 0)
        close(self->signals);
    if (signal_number == SIGTSTP) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTSTP);
        (void)raise(SIGTSTP);
        (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* stops here until SIGCONT */
    } else if (signal_number && signal_number != SIGINT) {
        (void)kill(getpid(), signal_number);
    }
    (void)pthread_sigmask(SIG_SETMASK, &self->mask, NULL);
}

/* Waits for input; returns 0 when there is some, or the signal that came first. */
static int watch_wait(const watch_t *self)
{
    for (;;) {
        struct pollfd sources[] = {{.fd = self->signals, .events = POLLIN},
                                   {.fd = self->fd, .events = POLLIN}};
        if (poll(sources, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            return 0;
        }
        struct signalfd_siginfo info;
        if (sources[0].revents && read(self->signals, &info, sizeof info) == (ssize_t)sizeof info)
            return (int)info.ssi_signo;
        if (sources[1].revents)
            return 0;
    }
}

/*
 * Reads a line byte by byte, so that what follows it stays unread. *size does not count the
 * newline; what exceeds `capacity` is dropped and gives STATUS_TOO_LARGE.
 */
static status_t read_line(const watch_t *watch, char *bytes, size_t capacity, size_t *size,
                          int *signal_number)
{
    status_t status = STATUS_OK;
    *size = 0;
    for (;;) {
        char byte;
        *signal_number = watch_wait(watch);
        if (*signal_number)
            return STATUS_INTERRUPTED;
        ssize_t got = read(watch->fd, &byte, 1);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return STATUS_IO_ERROR;
        if (got == 0)
            return *size ? status : STATUS_INTERRUPTED;
        if (byte == '\n')
            return status;
        if (*size < capacity)
            bytes[(*size)++] = byte;
        else
            status = STATUS_TOO_LARGE;
        sodium_memzero(&byte, sizeof byte);
    }
}

static status_t write_all(int fd, const char *text)
{
    size_t size = strlen(text);
    while (size) {
        ssize_t put = write(fd, text, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return STATUS_IO_ERROR;
        text += put;
        size -= (size_t)put;
    }
    return STATUS_OK;
}

/* One question, repeated after a suspension. */
static status_t ask_once(prompt_t *self, const char *question, bool echo, char *bytes,
                         size_t capacity, size_t *size)
{
    for (;;) {
        watch_t watch;
        int signal_number = 0;
        watch_begin(&watch, self->in, echo);
        status_t status = write_all(self->out, question);
        if (status == STATUS_OK)
            status = read_line(&watch, bytes, capacity, size, &signal_number);
        /* The newline that was typed was not shown, or none was typed. */
        if (!echo || status == STATUS_INTERRUPTED)
            (void)write_all(self->out, "\n");
        watch_end(&watch, signal_number);
        if (signal_number != SIGTSTP)
            return status;
    }
}

status_t prompt_open(prompt_t *self)
{
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0)
        return STATUS_NO_TERMINAL;
    *self = (prompt_t){.in = terminal, .out = terminal, .owned = true};
    return STATUS_OK;
}

void prompt_init(prompt_t *self, int in, int out)
{
    *self = (prompt_t){.in = in, .out = out};
}

void prompt_close(prompt_t *self)
{
    if (self->owned)
        close(self->in);
    *self = (prompt_t){.in = -1, .out = -1};
}

status_t prompt_print(prompt_t *self, const char *text)
{
    return write_all(self->out, text);
}

/* Spaces and tabs at both ends go. */
static char *stripped(const char *bytes, size_t size)
{
    while (size && strchr(" \t\r", bytes[size - 1]))
        size--;
    while (size && strchr(" \t\r", bytes[0])) {
        bytes++;
        size--;
    }
    text_buffer_t answer = {0};
    text_buffer_add(&answer, bytes, size);
    return text_buffer_take(&answer);
}

static char *question_line(const char *question, const char *hint)
{
    text_buffer_t line = {0};
    text_buffer_add_text(&line, question);
    if (hint)
        text_buffer_add_format(&line, " [%s]", hint);
    text_buffer_add_text(&line, ": ");
    return text_buffer_take(&line);
}

/* An answer that may be empty. */
static status_t ask(prompt_t *self, const char *question, const char *hint, char **answer)
{
    char bytes[PROMPT_ANSWER_MAX_BYTES];
    size_t size = 0;
    char *line = question_line(question, hint);
    status_t status = ask_once(self, line, true, bytes, sizeof bytes, &size);
    free(line);
    *answer = status == STATUS_OK ? stripped(bytes, size) : NULL;
    return status;
}

status_t prompt_ask(prompt_t *self, const char *question, const char *fallback, char **answer)
{
    for (;;) {
        status_t status = ask(self, question, fallback, answer);
        if (status == STATUS_TOO_LARGE)
            continue;
        if (status != STATUS_OK || **answer)
            return status;
        free(*answer);
        *answer = NULL;
        if (fallback) {
            *answer = mem_strdup(fallback);
            return STATUS_OK;
        }
    }
}

status_t prompt_confirm(prompt_t *self, const char *question, bool fallback, bool *yes)
{
    for (;;) {
        char *answer;
        status_t status = ask(self, question, fallback ? "Y/n" : "y/N", &answer);
        if (status == STATUS_TOO_LARGE)
            continue;
        if (status != STATUS_OK)
            return status;
        bool empty = !*answer;
        bool said_yes = !strcasecmp(answer, "y") || !strcasecmp(answer, "yes");
        bool said_no = !strcasecmp(answer, "n") || !strcasecmp(answer, "no");
        free(answer);
        if (empty || said_yes || said_no) {
            *yes = empty ? fallback : said_yes;
            return STATUS_OK;
        }
    }
}

/* The number that `answer` is, from 1 to `count`, or 0. */
static size_t choice(const char *answer, size_t count)
{
    char *rest;
    if (*answer < '0' || *answer > '9')
        return 0;
    unsigned long long number = strtoull(answer, &rest, 10);
    return *rest || number > count ? 0 : (size_t)number;
}

status_t prompt_choose(prompt_t *self, const char *question, const char *const *choices,
                       size_t count, size_t *chosen)
{
    text_buffer_t menu = {0};
    for (size_t i = 0; i < count; i++)
        text_buffer_add_format(&menu, "  %zu) %s\n", i + 1, choices[i]);
    char *text = text_buffer_take(&menu);
    status_t status = write_all(self->out, text);
    free(text);
    while (status == STATUS_OK) {
        char *answer;
        status = prompt_ask(self, question, "1", &answer);
        if (status != STATUS_OK)
            break;
        size_t number = choice(answer, count);
        free(answer);
        if (number) {
            *chosen = number - 1;
            break;
        }
        status = write_all(self->out, "Type a number of the list; Ctrl-D ends.\n");
    }
    return status;
}

status_t prompt_password(prompt_t *self, const char *question, password_t *password)
{
    char *bytes = sodium_malloc(PASSWORD_MAX_BYTES);
    if (!bytes)
        abort();
    size_t size = 0;
    char *line = question_line(question, NULL);
    status_t status = ask_once(self, line, false, bytes, PASSWORD_MAX_BYTES, &size);
    free(line);
    if (status == STATUS_OK)
        status = password_set(password, bytes, size);
    sodium_free(bytes);
    return status;
}

status_t prompt_new_password(prompt_t *self, const char *question, password_t *password)
{
    status_t status = STATUS_INVALID;
    for (unsigned tries = 0; tries < PROMPT_TRIES; tries++) {
        password_t first = {0}, second = {0};
        status = prompt_password(self, question, &first);
        if (status == STATUS_OK)
            status = prompt_password(self, "The same again", &second);
        bool alike = status == STATUS_OK && password_equal(&first, &second);
        password_wipe(&second);
        if (alike) {
            password_wipe(password);
            *password = first; /* transferred */
            return STATUS_OK;
        }
        password_wipe(&first);
        if (status == STATUS_INTERRUPTED || status == STATUS_IO_ERROR)
            return status;
        const char *reason = status == STATUS_OK          ? "The two differ.\n"
                             : status == STATUS_TOO_LARGE ? "That is too long.\n"
                                                          : "A password can't be empty.\n";
        status_t written = write_all(self->out, reason);
        if (written != STATUS_OK)
            return written;
        status = STATUS_INVALID;
    }
    return status;
}
