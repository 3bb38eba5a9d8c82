/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/load_listener.h"

#include "tests/bench/load_client.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void load_listener_start(load_listener_t *self, const char *program, const char *const *arguments)
{
    int said[2];
    if (pipe2(said, O_CLOEXEC) != 0) {
        load_fail("pipe", strerror(errno));
    }
    self->pid = fork();
    if (self->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
        dup2(said[1], STDERR_FILENO);
        execvp(program, (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    close(said[1]);
    self->said = said[0];
}

void load_listener_stop(load_listener_t *self)
{
    char text[4096];
    size_t size = 0;
    ssize_t got;
    kill(self->pid, SIGTERM);
    while (size < sizeof text - 1 &&
           (got = read(self->said, text + size, sizeof text - 1 - size)) > 0) {
        size += (size_t)got;
    }
    text[size] = '\0';
    close(self->said);
    struct rusage used;
    wait4(self->pid, NULL, 0, &used);
    self->cpu_us = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                   (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    const char *lost = strstr(text, " steps were lost");
    while (lost && lost > text && lost[-1] >= '0' && lost[-1] <= '9') {
        lost--;
    }
    self->lost = lost ? strtoull(lost, NULL, 10) : 0;
}

/* One request after the other on one connection, until it is closed. */
static void serve_connection(int fd)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                 "Content-Length: 2\r\n\r\n{}";
    static char data[1 << 16];
    size_t size = 0;
    size_t left = 0; /* of the body */
    for (;;) {
        ssize_t got = read(fd, data + size, sizeof data - 1 - size);
        if (got <= 0) {
            return;
        }
        size += (size_t)got;
        data[size] = '\0';
        if (left == 0) {
            const char *end = strstr(data, "\r\n\r\n");
            const char *length = strcasestr(data, "\r\nContent-Length:");
            if (!end || !length) {
                continue;
            }
            size -= (size_t)(end + 4 - data);
            left = strtoul(length + sizeof "\r\nContent-Length:" - 1, NULL, 10);
        }
        left = left > size ? left - size : 0;
        size = 0;
        if (left == 0 && write(fd, answer, sizeof answer - 1) < 0) {
            return;
        }
    }
}

pid_t load_sink_start(uint16_t *port)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&any, size) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)&any, &size) != 0) {
        load_fail("socket", strerror(errno));
    }
    *port = ntohs(any.sin_port);
    pid_t sink = fork();
    if (sink == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            int connection = accept(fd, NULL, NULL);
            serve_connection(connection);
            close(connection);
        }
    }
    close(fd);
    return sink;
}

void load_sink_stop(pid_t sink)
{
    kill(sink, SIGKILL);
    waitpid(sink, NULL, 0);
}
