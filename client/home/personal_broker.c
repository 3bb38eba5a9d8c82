/* SPDX-License-Identifier: MPL-2.0 */
#include "client/home/personal_broker.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/home/clock.h"
#include "client/home/home.h"
#include "client/home/private_file.h"
#include "proto/endpoint.h"
#include "proto/memory.h"

enum { PROBE_MS = 500, RETRY_MS = 50, URL_FILE_BYTES = 1024, DEFAULT_PORT = 5670 };
static const char program_name[] = "conclaved";
extern char **environ;

static char *join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + 1 + strlen(name) + 1;
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* Where conclaved keeps its data unless told otherwise. NULL: no data folder is known. */
static char *broker_folder(void)
{
    const char *data = getenv("XDG_DATA_HOME");
    if (data && data[0] == '/')
        return join(data, "conclave-broker");
    const char *home = getenv("HOME");
    return home && home[0] != '\0' ? join(home, ".local/share/conclave-broker") : NULL;
}

char *personal_broker_log_path(void)
{
    char *folder = broker_folder();
    char *path = folder ? join(folder, "broker.log") : NULL;
    free(folder);
    return path;
}

/* What an earlier run has written. */
static status_t read_url(const char *folder, char *out, size_t size, endpoint_t *endpoint)
{
    char *path = join(folder, "broker.url");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    if (fd < 0)
        return STATUS_NOT_FOUND;
    char text[URL_FILE_BYTES];
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    if (endpoint_parse(endpoint, text) != STATUS_OK)
        return STATUS_NOT_FOUND;
    if (strlen(text) >= size)
        return STATUS_TOO_LARGE;
    snprintf(out, size, "%s", text);
    return STATUS_OK;
}

static bool connects(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool is_connected = connect(fd, address->ai_addr, address->ai_addrlen) == 0;
    if (!is_connected && errno == EINPROGRESS) {
        struct pollfd item = {.fd = fd, .events = POLLOUT};
        int error = 0;
        socklen_t size = sizeof error;
        is_connected = poll(&item, 1, PROBE_MS) == 1 &&
                       getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
    }
    close(fd);
    return is_connected;
}

/* Whether something listens there; CURVE will tell later whether it is the broker. */
static bool is_listening(const endpoint_t *endpoint)
{
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)endpoint->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(endpoint->host, port, &hints, &found) != 0)
        return false;
    bool is_there = false;
    for (const struct addrinfo *at = found; at && !is_there; at = at->ai_next)
        is_there = connects(at);
    freeaddrinfo(found);
    return is_there;
}

static status_t find_in(const char *folder, char *out, size_t size)
{
    endpoint_t endpoint;
    status_t status = read_url(folder, out, size, &endpoint);
    if (status == STATUS_OK && !is_listening(&endpoint))
        status = STATUS_NOT_FOUND;
    if (status != STATUS_OK)
        out[0] = '\0';
    return status;
}

status_t personal_broker_find(char *out, size_t size)
{
    out[0] = '\0';
    char *folder = broker_folder();
    if (!folder)
        return STATUS_NOT_FOUND;
    status_t status = find_in(folder, out, size);
    free(folder);
    return status;
}

/* The file of this name in the folder of another path, if it can be run. */
static char *sibling(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!slash)
        return NULL;
    char *folder = mem_strdup(path);
    folder[slash - path] = '\0';
    char *program = join(folder, program_name);
    free(folder);
    if (access(program, X_OK) == 0)
        return program;
    free(program);
    return NULL;
}

/* Beside this program, beside argv0; else the bare name, which posix_spawnp looks for in PATH. */
static char *find_program(const char *argv0)
{
    char self[4096];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    self[size > 0 ? size : 0] = '\0';
    char *program = sibling(self);
    if (!program)
        program = sibling(argv0);
    return program ? program : mem_strdup(program_name);
}

/* A session of its own, its log in the folder, no file of ours, no signal blocked. */
static int spawn_detached(const char *program, const char *folder, char *listen, pid_t *pid)
{
    char *log = join(folder, "broker.log");
    char *data = mem_strdup(folder);
    char name[] = "conclaved", data_option[] = "--data", listen_option[] = "--listen";
    char http_option[] = "--http", off[] = "off"; /* nobody asked for a web server */
    char *arguments[] = {name, data_option, data, listen_option, listen, http_option, off, NULL};
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND,
                                     0600);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int error = posix_spawnp(pid, program, &files, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    free(data);
    free(log);
    return error;
}

/* Starts it with one port and waits. STATUS_CONFLICT: it ended at once, perhaps because the port is
 * taken. */
static status_t start_with(const char *program, const char *folder, const char *port,
                           uint64_t timeout_ms, char *out, size_t size)
{
    char listen[64];
    snprintf(listen, sizeof listen, "tcp://127.0.0.1:%s", port);
    pid_t pid = 0;
    int error = spawn_detached(program, folder, listen, &pid);
    if (error != 0) {
        errno = error;
        return error == ENOENT ? STATUS_NOT_FOUND : STATUS_IO_ERROR;
    }
    uint64_t start = clock_boot_ms();
    while (clock_boot_ms() - start < timeout_ms) {
        bool has_ended = waitpid(pid, NULL, WNOHANG) == pid;
        if (has_ended) /* somebody else's may run in this very folder */
            return find_in(folder, out, size) == STATUS_OK ? STATUS_OK : STATUS_CONFLICT;
        if (find_in(folder, out, size) == STATUS_OK)
            return STATUS_OK;
        clock_sleep_ms(RETRY_MS);
    }
    return STATUS_TIMED_OUT;
}

status_t personal_broker_start(const char *argv0, uint64_t timeout_ms, char *out, size_t size)
{
    if (personal_broker_find(out, size) == STATUS_OK)
        return STATUS_OK;
    char *folder = broker_folder();
    if (!folder)
        return STATUS_NOT_FOUND;
    home_t *made = NULL; /* makes the folder as a home is made: private, with its parents */
    status_t status = home_new(&made, folder);
    home_destroy(&made);
    char *program = find_program(argv0);
    endpoint_t earlier;
    unsigned port = DEFAULT_PORT;
    if (read_url(folder, out, size, &earlier) == STATUS_OK)
        port = earlier.port;
    char port_text[16];
    snprintf(port_text, sizeof port_text, "%u", port);
    if (status == STATUS_OK)
        status = start_with(program, folder, port_text, timeout_ms, out, size);
    if (status == STATUS_CONFLICT)
        status = start_with(program, folder, "*", timeout_ms, out, size);
    if (status == STATUS_CONFLICT)
        status = STATUS_IO_ERROR;
    if (status != STATUS_OK)
        out[0] = '\0';
    free(program);
    free(folder);
    return status;
}
