/* SPDX-License-Identifier: MPL-2.0 */
/*
 * libmicrohttpd without threads of its own: one thread polls its epoll descriptor, so that nothing
 * here needs a lock. A live page's connection is suspended while there is nothing to send to it.
 */
#include "broker/http/server.h"

#include "broker/clock.h"
#include "broker/http/answer.h"
#include "broker/http/connections.h"
#include "broker/http/listen.h"
#include "broker/http/live.h"
#include "broker/http/streams.h"
#include "proto/memory.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CONNECTION_BYTES 32768

typedef enum { WANT_RUN, WANT_DETACH, WANT_END } want_t;

struct http_server {
    http_token_t token;
    bool is_public;
    struct MHD_Daemon *daemon;
    int epoll_fd;
    int wake_fd;
    atomic_uint wanted;
    sem_t detached;
    pthread_t thread;
    bool is_running;
    uint64_t now_ms; /* boot_clock_ms */
    numbers_t numbers;
    metrics_self_t own;
    live_t *live;
    http_connections_t connections;
    http_streams_t streams;
};

/* --- Connections ------------------------------------------------------------------------------ */

static http_connection_t *connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void on_connection(void *argument, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    http_server_t *self = argument;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context =
            http_connections_begin(&self->connections, info ? info->connect_fd : -1, self->now_ms);
    } else {
        http_connections_end(&self->connections, *context);
    }
}

static void on_completed(void *argument, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    http_server_t *self = argument;
    http_connection_t *place = connection_of(connection);
    (void)context;
    if (place) {
        /* A page that has read nothing at all for so long is not asked for its next event. */
        if (place->is_stream && code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED) {
            self->streams.dropped++;
        }
        http_connection_restart(place, self->now_ms);
    }
}

/* --- Requests --------------------------------------------------------------------------------- */

static enum MHD_Result send_response(struct MHD_Connection *connection, const http_answer_t *answer,
                                     struct MHD_Response *response)
{
    for (size_t i = 0; i < answer->header_count; i++) {
        MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    }
    enum MHD_Result result = MHD_queue_response(connection, answer->code, response);
    MHD_destroy_response(response);
    return result;
}

/* NULL: *problem says why. */
static struct MHD_Response *make_stream(http_server_t *self, struct MHD_Connection *connection,
                                        bool is_head, const char **problem)
{
    *problem = http_streams_problem(&self->streams);
    if (*problem) {
        return NULL;
    }
    if (is_head) {
        return http_streams_head();
    }
    struct MHD_Response *stream = http_streams_open(&self->streams, connection, self->now_ms);
    connection_of(connection)->is_stream = stream != NULL;
    *problem = "too many listen to what passes";
    return stream;
}

static struct MHD_Response *make_response(http_server_t *self, struct MHD_Connection *connection,
                                          const http_request_t *request, http_answer_t *answer)
{
    if (answer->is_stream) {
        const char *problem;
        struct MHD_Response *stream =
            make_stream(self, connection, strcmp(request->method, "HEAD") == 0, &problem);
        if (stream) {
            return stream;
        }
        http_refuse(answer, HTTP_UNAVAILABLE, problem);
    }
    return MHD_create_response_from_buffer(answer->body.size, answer->body.data,
                                           MHD_RESPMEM_MUST_COPY);
}

static void note_own(http_server_t *self)
{
    self->own.now_ms = self->now_ms;
    self->own.wall_ms = wall_clock_ms();
    self->own.connections = self->connections.open;
    self->own.streams = self->streams.open;
    self->own.streams_dropped = self->streams.dropped;
}

static enum MHD_Result respond(http_server_t *self, struct MHD_Connection *connection,
                               const http_request_t *request)
{
    http_answer_t answer = {0};
    note_own(self);
    const http_context_t context = {.is_public = self->is_public,
                                    .token = &self->token,
                                    .numbers = &self->numbers,
                                    .own = &self->own,
                                    .is_full = self->connections.open > HTTP_CONNECTIONS_MAX};
    http_answer(&answer, &context, request);
    struct MHD_Response *response = make_response(self, connection, request, &answer);
    self->own.requests++;
    self->own.refused += answer.code != HTTP_OK;
    if (answer.code != HTTP_OK && response) { /* who is refused gives the place back */
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    enum MHD_Result result = response ? send_response(connection, &answer, response) : MHD_NO;
    http_answer_wipe(&answer);
    return result;
}

/* Called when the headers are there, for each part of a body, and at the end. An answer before the
   end costs the connection: fit for those who send what is not wanted. */
static enum MHD_Result on_request(void *argument, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **context)
{
    http_server_t *self = argument;
    const bool is_begin = !*context;
    (void)version;
    (void)upload;
    *context = self;
    if ((is_begin || *upload_size > 0) &&
        (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)) {
        *upload_size = 0;
        return MHD_YES;
    }
    const http_request_t request = {
        .method = method,
        .path = path,
        .host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host"),
        .authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization"),
        .fetch_site = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Sec-Fetch-Site"),
        .fetch_mode = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Sec-Fetch-Mode"),
        .token = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "token")};
    return respond(self, connection, &request);
}

/* --- The thread ------------------------------------------------------------------------------- */

static int wait_ms(http_server_t *self)
{
    uint64_t least = self->connections.open > 0 ? HTTP_CHECK_MS : UINT64_MAX;
    MHD_UNSIGNED_LONG_LONG of_daemon;
    if (MHD_get_timeout(self->daemon, &of_daemon) == MHD_YES && of_daemon < least) {
        least = of_daemon;
    }
    uint64_t next = live_next(self->live);
    if (next != UINT64_MAX) {
        uint64_t left = next > self->now_ms ? next - self->now_ms : 0;
        least = left < least ? left : least;
    }
    return least == UINT64_MAX ? -1 : (int)least;
}

static void detach(http_server_t *self)
{
    numbers_detach(&self->numbers);
    live_end(self->live);
    http_streams_resume(&self->streams);
    sem_post(&self->detached);
}

/* At its limit libmicrohttpd stops listening, and begins again only when it runs the next time: who
   waits to connect must not wait for an event that then never comes. */
static void run_daemon(http_server_t *self)
{
    uint64_t ended;
    do {
        ended = self->connections.ended;
        MHD_run(self->daemon);
    } while (self->connections.ended != ended);
}

static void *run(void *argument)
{
    http_server_t *self = argument;
    bool is_detached = false;
    unsigned wanted;
    pthread_setname_np(pthread_self(), "http"); /* for top -H */
    while ((wanted = atomic_load(&self->wanted)) != WANT_END) {
        struct pollfd items[] = {{.fd = self->epoll_fd, .events = POLLIN},
                                 {.fd = self->wake_fd, .events = POLLIN}};
        uint64_t ignored;
        if (wanted == WANT_DETACH && !is_detached) {
            is_detached = true;
            detach(self);
        }
        poll(items, 2, wait_ms(self));
        self->now_ms = boot_clock_ms();
        while (items[1].revents && read(self->wake_fd, &ignored, sizeof ignored) < 0 &&
               errno == EINTR) {
        }
        if (live_tick(self->live, self->now_ms)) {
            http_streams_resume(&self->streams);
        }
        http_connections_end_late(&self->connections, self->now_ms);
        run_daemon(self);
    }
    return NULL;
}

static void want(http_server_t *self, want_t wanted)
{
    const uint64_t one = 1;
    atomic_store(&self->wanted, wanted);
    while (write(self->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

/* --- Start and end ---------------------------------------------------------------------------- */

static bool start_daemon(http_server_t *self, int listen_fd)
{
    self->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, self,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)HTTP_CONNECTIONS_ALL, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)(self->is_public ? HTTP_PER_ADDRESS_MAX : 0), MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(HTTP_REQUEST_MS / 1000), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_NOTIFY_CONNECTION, on_connection, self,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, self, MHD_OPTION_END);
    if (!self->daemon) {
        close(listen_fd);
        return false;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    self->epoll_fd = info ? info->epoll_fd : -1;
    return self->epoll_fd >= 0;
}

static http_server_t *server_new(const http_options_t *options, const http_token_t *token,
                                 int listen_fd)
{
    http_server_t *self = mem_zalloc(1, sizeof *self);
    self->token = *token;
    self->is_public = options->is_public;
    self->numbers.from = options->numbers;
    self->own.started_ms = wall_clock_ms();
    self->now_ms = boot_clock_ms();
    self->live = live_new(&self->numbers, self->own.started_ms);
    self->streams.live = self->live;
    http_connections_init(&self->connections);
    sem_init(&self->detached, 0, 0);
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->is_running = self->wake_fd >= 0 && start_daemon(self, listen_fd) &&
                       pthread_create(&self->thread, NULL, run, self) == 0;
    if (!self->is_running) {
        http_server_destroy(&self);
    }
    return self;
}

void http_server_detach(http_server_t *self)
{
    if (!self) {
        return;
    }
    want(self, WANT_DETACH);
    while (sem_wait(&self->detached) != 0) {
    }
}

void http_server_destroy(http_server_t **self)
{
    http_server_t *dead = *self;
    if (!dead) {
        return;
    }
    if (dead->is_running) {
        want(dead, WANT_END);
        pthread_join(dead->thread, NULL);
    }
    if (dead->daemon) {
        live_end(dead->live);
        http_streams_resume(
            &dead->streams); /* a daemon is not stopped with suspended connections */
        MHD_run(dead->daemon);
        MHD_stop_daemon(dead->daemon);
    }
    if (dead->wake_fd >= 0) {
        close(dead->wake_fd);
    }
    live_destroy(&dead->live);
    sem_destroy(&dead->detached);
    free(dead);
    *self = NULL;
}

/* --- What the options ask for ----------------------------------------------------------------- */

static endpoint_t wanted_endpoint(const local_address_t *address)
{
    endpoint_t endpoint = {.host = "127.0.0.1", .port = HTTP_DEFAULT_PORT};
    return address->is_given ? address->endpoint : endpoint;
}

static status_t read_token(const http_options_t *options, http_token_t *out)
{
    const char *hint = "";
    if (!*options->token_file) {
        return STATUS_OK;
    }
    errno = 0;
    status_t status = http_token_read(out, options->token_file);
    if (status == STATUS_OK) {
        return status;
    }
    if (status == STATUS_UNSAFE_PERMISSIONS) {
        hint = "it must be yours alone: chmod 600";
    } else if (status == STATUS_NOT_FOUND || status == STATUS_INVALID ||
               status == STATUS_DAMAGED_FILE) {
        hint =
            "make one: (umask 077; openssl rand -hex 32 >FILE); 16 to 256 of A-Z a-z 0-9 . _ ~ -";
    }
    LOG(options->log, LEVEL_ERROR, log_event("http_token_refused"),
        log_text("file", options->token_file), log_status("status", status),
        log_text("text", status_text(status)), log_text("hint", hint));
    return status;
}

static void log_listen_failure(const http_options_t *options, const endpoint_t *endpoint,
                               status_t status, int error)
{
    const char *hint = "--http off serves nothing";
    const char *cause = error ? strerrordesc_np(error) : "no such host";
    if (status == STATUS_INVALID) {
        cause = "others can reach that address";
        hint = "who reads this sees names, groups and times: --http-public yes and "
               "--http-token-file FILE if that is meant";
    } else if (error == EADDRINUSE) {
        hint = "another program listens there (perhaps another broker): choose another port, e.g. "
               "--http '127.0.0.1:*' for any free one, or --http off";
    } else if (error == EACCES) {
        hint = "ports below 1024 need a privilege; choose a higher one";
    }
    LOG(options->log, LEVEL_ERROR, log_event("http_listen_failed"),
        log_text("host", endpoint->host), log_count("port", endpoint->port),
        log_text("cause", cause), log_text("hint", hint));
}

status_t http_server_new(http_server_t **out, const http_options_t *options)
{
    http_token_t token = {0};
    http_socket_t listening;
    const endpoint_t endpoint = wanted_endpoint(options->address);
    *out = NULL;
    if (options->address->is_off) {
        return STATUS_OK;
    }
    status_t status = read_token(options, &token);
    if (status != STATUS_OK) {
        return status;
    }
    status = http_listen(&listening, &endpoint, !options->is_public || !token.text[0]);
    if (status == STATUS_IO_ERROR && errno == EADDRINUSE && !options->address->is_given) {
        LOG(options->log, LEVEL_WARN, log_event("http_not_served"),
            log_count("port", endpoint.port),
            log_text("text", "the port is taken, perhaps by another broker; metrics and live page "
                             "are not served"),
            log_text("hint", "--http '127.0.0.1:*' for any free port, --http off for none"));
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        log_listen_failure(options, &endpoint, status, errno);
        return status;
    }
    *out = server_new(options, &token, listening.fd);
    if (!*out) {
        LOG(options->log, LEVEL_ERROR, log_event("http_failed"), log_errno("cause", errno));
        return STATUS_IO_ERROR;
    }
    LOG(options->log, LEVEL_INFO, log_event("http_listening"), log_text("url", listening.url));
    return STATUS_OK;
}
