/* SPDX-License-Identifier: MPL-2.0 */
/* Reads DIR/broker.url, and the kernel's figures from /proc. */
#include "tests/bench/load_broker.h"

#include "tests/bench/load_client.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool read_url(load_broker_t *self)
{
    char path[96];
    char url[384] = "";
    snprintf(path, sizeof path, "%s/broker.url", self->dir);
    FILE *file = fopen(path, "r");
    bool is_read = file && fgets(url, sizeof url, file);
    if (file) {
        fclose(file);
    }
    url[strcspn(url, "\n")] = '\0';
    return is_read && endpoint_parse(&self->endpoint, url) == STATUS_OK;
}

/* One that nobody has now. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        load_fail("no free port", strerror(errno));
    }
    close(fd);
    return ntohs(address.sin_port);
}

void load_broker_start(load_broker_t *self, const char *program)
{
    const char *base = getenv("TMPDIR");
    char http[32];
    memset(self, 0, sizeof *self);
    self->http_port = free_port();
    snprintf(http, sizeof http, "127.0.0.1:%u", (unsigned)self->http_port);
    snprintf(self->dir, sizeof self->dir, "%s/conclave-load-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(self->dir)) {
        load_fail(self->dir, strerror(errno));
    }
    self->pid = fork();
    if (self->pid < 0) {
        load_fail("fork", strerror(errno));
    }
    if (self->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        setenv("CONCLAVE_ALLOW_CORE", "1", 1); /* lets a profiler look in */
        execl(program, program, "--data", self->dir, "--listen", "tcp://127.0.0.1:*", "--http",
              http, "--log-level", getenv("LOAD_LOG_LEVEL") ? getenv("LOAD_LOG_LEVEL") : "warn",
              (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 1000 && !read_url(self); i++) {
        if (waitpid(self->pid, NULL, WNOHANG) != 0) {
            load_fail(program, "did not start");
        }
        usleep(10000);
    }
    if (!self->endpoint.has_key) {
        load_fail(program, "is not ready after 10 s");
    }
}

void load_broker_stop(load_broker_t *self)
{
    char command[96];
    int status = 0;
    kill(self->pid, SIGTERM);
    waitpid(self->pid, &status, 0);
    snprintf(command, sizeof command, "rm -rf '%s'", self->dir);
    if (system(command) != 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        load_fail("conclaved", "did not end with exit code 0");
    }
}

uint64_t load_broker_memory(const load_broker_t *self)
{
    char path[64];
    char line[128];
    unsigned long long kilobytes = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)self->pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "RssAnon: %llu kB", &kilobytes) == 1) {
            break;
        }
    }
    if (file) {
        fclose(file);
    }
    return kilobytes * 1024;
}

uint64_t load_broker_cpu_ns(const load_broker_t *self)
{
    char path[64];
    char line[512] = "";
    unsigned long user = 0;
    unsigned long kernel = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)self->pid);
    FILE *file = fopen(path, "r");
    if (file) {
        if (!fgets(line, sizeof line, file)) {
            line[0] = '\0';
        }
        fclose(file);
    }
    const char *rest = strrchr(line, ')');
    if (rest) {
        sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel);
    }
    return (uint64_t)(user + kernel) * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
}
