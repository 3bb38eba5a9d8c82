/* SPDX-License-Identifier: MPL-2.0 */
/* Two ROUTERs, one loop. A tool that doesn't read loses steps and is told how many; nobody waits
 * for it. */
#include "broker/operator/operator.h"

#include "broker/clock.h"
#include "broker/monitor.h"
#include "broker/operator/answer.h"
#include "broker/operator/backup_task.h"
#include "broker/operator/times.h"
#include "broker/trace/background.h"
#include "broker/zap.h"
#include "proto/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    SOCKETS = 2,
    SESSIONS_MAX = TRACE_LISTENERS_MAX * 2,
    HIGH_WATER_MARK = 16,
    HEARTBEAT_MS = 5000,
    HEARTBEAT_LIMIT_MS = 15000,
    HANDSHAKE_LIMIT_MS = 3000,
    RETRY_MS = 20,
    REQUEST_MAX_BYTES = 65536,
    SERVED_AT_ONCE = 64,
    LISTENERS_SCARCE = TRACE_LISTENERS_MAX / 2
};

typedef struct {
    operator_options_t *with;
    zsock_t *sockets[SOCKETS]; /* here, and from elsewhere; NULL: none */
    void *handles[SOCKETS];
    monitor_options_t monitor_options[SOCKETS];
    zactor_t *monitors[SOCKETS]; /* count the connections, for the ZAP handler's quota */
    operator_session_t sessions[SESSIONS_MAX];
    size_t session_count;
    backup_task_t backup;
    uint64_t started_ms;
    uint64_t now_ms;
    uint64_t calls_until_ms; /* in this round */
    bool is_blocked;         /* a session has something it can't send yet */
} operator_t;

static void log_failure(const operator_t *self, const char *address)
{
    LOG(self->with->log, LEVEL_ERROR, log_event("operator_listen_failed"),
        log_text("address", address), log_text("cause", zmq_strerror(errno)));
}

static void *socket_new(operator_t *self, size_t index, const char *domain)
{
    zsock_t *socket = self->sockets[index] = zsock_new(ZMQ_ROUTER);
    if (!socket)
        return NULL;
    zsock_set_router_mandatory(socket, 1);
    zsock_set_linger(socket, 0);
    zsock_set_sndhwm(socket, HIGH_WATER_MARK);
    zsock_set_rcvhwm(socket, HIGH_WATER_MARK);
    zsock_set_maxmsgsize(socket, REQUEST_MAX_BYTES);
    zsock_set_handshake_ivl(socket, HANDSHAKE_LIMIT_MS);
    zsock_set_heartbeat_ivl(socket, HEARTBEAT_MS);
    zsock_set_heartbeat_timeout(socket, HEARTBEAT_LIMIT_MS);
    zsock_set_zap_domain(socket, domain);
    self->monitor_options[index] = (monitor_options_t){
        .log = self->with->log, .counters = &self->with->own_counters[index], .watched = socket};
    self->monitors[index] = zactor_new(monitor_actor, &self->monitor_options[index]);
    if (!self->monitors[index] || !self->monitor_options[index].is_started)
        return NULL;
    return self->handles[index] = zsock_resolve(socket);
}

static void socket_close(operator_t *self, size_t index)
{
    if (self->monitors[index]) {
        monitor_stop(self->sockets[index]);
        zactor_destroy(&self->monitors[index]);
    }
    zsock_destroy(&self->sockets[index]);
}

static bool is_local(int listener)
{
    int domain = 0;
    socklen_t size = sizeof domain;
    return getsockopt(listener, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

/*
 * libzmq's ipc listener ends the process where accept4 says EMFILE, and not where it says ENFILE;
 * its TCP listener waits for better times with both. So whoever fills the broker's descriptors
 * from outside would only have to wait for a tool to connect here.
 */
int accept4(int listener, __SOCKADDR_ARG address, socklen_t *restrict size, int flags)
{
    long fd = syscall(SYS_accept4, listener, address.__sockaddr__, size, flags);
    if (fd < 0 && errno == EMFILE)
        errno = is_local(listener) ? ENFILE : EMFILE;
    return (int)fd;
}

/* A Unix address holds 107 bytes, a directory's path may be longer: its descriptor's name under
 * /proc is short. */
static void local_address(const data_dir_t *dir, char *out, size_t size)
{
    struct sockaddr_un room;
    int length = snprintf(out, size, "ipc://%s/" OPERATOR_SOCKET_NAME, dir->path);
    if (length < 0 || (size_t)length >= sizeof room.sun_path + sizeof "ipc://" - 1)
        snprintf(out, size, "ipc:///proc/self/fd/%d/" OPERATOR_SOCKET_NAME, dir->fd);
}

static bool listen_here(operator_t *self)
{
    char address[PATH_MAX + 64];
    local_address(self->with->dir, address, sizeof address);
    void *handle = socket_new(self, 0, ZAP_LOCAL_DOMAIN);
    /* Nobody else can reach it at any moment: not by the directory, and not by the socket's mode.
     */
    mode_t before = umask(0177);
    bool is_bound = handle && zmq_bind(handle, address) == 0;
    umask(before);
    if (!is_bound)
        log_failure(self, address);
    return is_bound;
}

static bool listen_at(operator_t *self, const endpoint_t *endpoint)
{
    char text[320];
    char bound[320] = "";
    size_t size = sizeof bound;
    if (endpoint_format_zmq(endpoint, text, sizeof text) != STATUS_OK ||
        zmq_bind(self->handles[1], text) != 0) {
        log_failure(self, text);
        return false;
    }
    if (zmq_getsockopt(self->handles[1], ZMQ_LAST_ENDPOINT, bound, &size) == 0)
        LOG(self->with->log, LEVEL_INFO, log_event("operator_listening"),
            log_text("address", bound));
    return true;
}

static bool listen_elsewhere(operator_t *self)
{
    if (self->with->listen_count == 0)
        return true;
    if (!socket_new(self, 1, ZAP_OPERATOR_DOMAIN)) {
        log_failure(self, "operator-listen");
        return false;
    }
    zsock_set_ipv6(self->sockets[1], 1);
    zsock_set_curve_server(self->sockets[1], 1);
    zsock_set_curve_secretkey_bin(self->sockets[1], self->with->key->secret_key);
    for (size_t i = 0; i < self->with->listen_count; i++)
        if (!listen_at(self, &self->with->listen[i]))
            return false;
    return true;
}

static operator_session_t *find_session(operator_t *self, void *socket, const uint8_t *id,
                                        size_t id_size)
{
    for (size_t i = 0; i < self->session_count; i++) {
        operator_session_t *session = &self->sessions[i];
        if (session->socket == socket && session->id_size == id_size &&
            memcmp(session->id, id, id_size) == 0)
            return session;
    }
    return NULL;
}

static void remove_session(operator_t *self, operator_session_t *session)
{
    session_wipe(session);
    *session = self->sessions[--self->session_count];
    self->sessions[self->session_count] = (operator_session_t){.listener_fd = -1};
}

/* Who watches nothing needs no place: it was answered, and may ask again; rather one that has read
 * its answers. */
static void make_room(operator_t *self)
{
    operator_session_t *found = NULL;
    for (size_t i = 0; i < self->session_count; i++) {
        operator_session_t *session = &self->sessions[i];
        if (!session->listener && (!found || !session_is_blocked(session)))
            found = session;
    }
    if (found)
        remove_session(self, found);
}

/* Who has gone is found by a push that can't be sent. With time each gets one; when many come and
 * go, their places are needed sooner. */
static void find_gone(operator_t *self)
{
    size_t listening = 0;
    for (size_t i = 0; i < self->session_count; i++)
        listening += self->sessions[i].listener != NULL;
    for (size_t i = self->session_count; i-- > 0 && listening >= LISTENERS_SCARCE;)
        if (session_probe(&self->sessions[i], self->now_ms) == SESSION_GONE)
            remove_session(self, &self->sessions[i]);
}

static operator_session_t *session_for(operator_t *self, void *socket, const uint8_t *id,
                                       size_t id_size)
{
    operator_session_t *session = find_session(self, socket, id, id_size);
    if (session)
        return session;
    find_gone(self);
    if (self->session_count == SESSIONS_MAX)
        make_room(self);
    session = &self->sessions[self->session_count++];
    session_start(session, socket, id, id_size);
    session->is_local = socket == self->handles[0];
    return session;
}

static int calls_left_ms(const operator_t *self)
{
    uint64_t now_ms = boot_clock_ms();
    return now_ms < self->calls_until_ms ? (int)(self->calls_until_ms - now_ms) : 0;
}

static void serve_frame(operator_t *self, operator_session_t *session, bytes_t frame)
{
    message_t request = {0};
    buffer_t reply = {0};
    status_t status = message_read(&request, &frame, 1u << MESSAGE_REQUEST);
    if (status == STATUS_OK && request.verb == VERB_backup && session->socket == self->handles[0])
        backup_task_begin(&self->backup, &self->with->backup, self->with->log, session->id,
                          session->id_size, &request, &reply);
    else if (status == STATUS_OK)
        operator_answer(self->with, session, &request,
                        (answer_times_t){.uptime_ms = self->now_ms - self->started_ms,
                                         .call_ms = calls_left_ms(self)},
                        &reply);
    else if (status != STATUS_NOT_FOUND)
        message_write_reply(&reply, request.verb, request.id, status, NULL);
    message_wipe(&request);
    if (reply.size > 0 && session_send(session, &reply, self->now_ms) == SESSION_GONE)
        remove_session(self, session);
}

/* One message of a tool: its id and one part. */
static bool serve_socket(operator_t *self, void *handle)
{
    zmq_msg_t id, body;
    zmq_msg_init(&id);
    zmq_msg_init(&body);
    bool is_received = zmq_msg_recv(&id, handle, ZMQ_DONTWAIT) >= 0;
    bool is_whole = is_received && zmq_msg_more(&id) && zmq_msg_recv(&body, handle, 0) >= 0;
    bool has_more = is_whole && zmq_msg_more(&body);
    if (is_whole && !has_more && zmq_msg_size(&id) <= sizeof self->sessions[0].id)
        serve_frame(self, session_for(self, handle, zmq_msg_data(&id), zmq_msg_size(&id)),
                    (bytes_t){zmq_msg_data(&body), zmq_msg_size(&body)});
    while (has_more) {
        has_more = zmq_msg_recv(&body, handle, 0) >= 0 && zmq_msg_more(&body);
    }
    zmq_msg_close(&id);
    zmq_msg_close(&body);
    return is_received;
}

static void finish_backup(operator_t *self)
{
    buffer_t reply = {0};
    backup_task_finish(&self->backup, self->with->log, &reply);
    operator_session_t *session =
        find_session(self, self->handles[0], self->backup.session_id, self->backup.session_id_size);
    if (session && session_send(session, &reply, self->now_ms) == SESSION_GONE)
        remove_session(self, session);
    buffer_free(&reply);
}

static void sessions_go_on(operator_t *self)
{
    self->is_blocked = false;
    for (size_t i = self->session_count; i-- > 0;) {
        session_health_t health = session_go_on(&self->sessions[i], self->now_ms);
        if (health == SESSION_GONE)
            remove_session(self, &self->sessions[i]);
        self->is_blocked = self->is_blocked || health == SESSION_BLOCKED;
    }
}

/* Waits for requests, steps or the end. False: the end. */
static bool wait_and_serve(operator_t *self, zsock_t *pipe)
{
    zmq_pollitem_t items[2 + SOCKETS + SESSIONS_MAX];
    size_t count = 0;
    items[count++] = (zmq_pollitem_t){.socket = zsock_resolve(pipe), .events = ZMQ_POLLIN};
    for (size_t i = 0; i < SOCKETS; i++)
        if (self->handles[i])
            items[count++] = (zmq_pollitem_t){.socket = self->handles[i], .events = ZMQ_POLLIN};
    for (size_t i = 0; i < self->session_count; i++)
        if (self->sessions[i].listener && !session_is_blocked(&self->sessions[i]))
            items[count++] =
                (zmq_pollitem_t){.fd = self->sessions[i].listener_fd, .events = ZMQ_POLLIN};
    const size_t backup_item = count;
    if (backup_task_fd(&self->backup) >= 0)
        items[count++] =
            (zmq_pollitem_t){.fd = backup_task_fd(&self->backup), .events = ZMQ_POLLIN};
    if (zmq_poll(items, (int)count, self->is_blocked ? RETRY_MS : OPERATOR_LOOK_MS) < 0 &&
        errno != EINTR)
        return false;
    self->now_ms = boot_clock_ms();
    self->calls_until_ms = self->now_ms + OPERATOR_CALLS_MS;
    if (count > backup_item && items[backup_item].revents)
        finish_backup(self);
    for (size_t i = 0; i < SOCKETS; i++)
        for (size_t served = 0; self->handles[i] && served < SERVED_AT_ONCE; served++)
            if (!serve_socket(self, self->handles[i]))
                break;
    self->now_ms = boot_clock_ms();
    sessions_go_on(self);
    return (items[0].revents & ZMQ_POLLIN) == 0;
}

void operator_actor(zsock_t *pipe, void *options)
{
    operator_t *self = mem_zalloc(1, sizeof *self);
    self->with = options;
    self->started_ms = self->now_ms = boot_clock_ms();
    background_thread();
    self->with->is_started = listen_here(self) && listen_elsewhere(self);
    zsock_signal(pipe, 0);
    if (self->with->is_started)
        while (wait_and_serve(self, pipe)) {
        }
    if (backup_task_fd(&self->backup) >= 0)
        finish_backup(self);
    while (self->session_count > 0)
        remove_session(self, &self->sessions[0]);
    for (size_t i = 0; i < SOCKETS; i++)
        socket_close(self, i);
    unlinkat(self->with->dir->fd, OPERATOR_SOCKET_NAME, 0);
    free(self);
}
