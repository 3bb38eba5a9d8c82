/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/operator_client/connection.h"

#include "broker/clock.h"
#include "broker/files/data_dir.h"
#include "broker/operator/socket_name.h"
#include "broker/operator_client/operator_key.h"
#include "proto/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

enum {
    KEPT_MAX = 256, /* pushes that come before a reply */
    HIGH_WATER_MARK = 64,
    CONNECT_MS =
        2000, /* where all tries fail for so long from the first one that did, no broker is */
    HANDSHAKES_LEAST = 2, /* a broker that stood still for long has given up the first one */
    ZAP_REFUSED = 400
};

#define WATCH_ENDPOINT "inproc://connection"

/* A received frame and what was read of it, which may point into the frame: it is never copied. */
typedef struct {
    zmq_msg_t frame;
    message_t message;
} incoming_t;

/* What is known of the way to the broker. */
typedef enum {
    WAY_UNTRIED,
    WAY_CLOSED,  /* nobody listens there */
    WAY_STRANGE, /* somebody who is no broker with this key, or lets nobody in now */
    WAY_BARRED,  /* our key is not let in */
    WAY_OPEN,
    WAY_LOST /* it was open */
} way_t;

struct connection {
    void *context;
    void *socket;
    void *watch; /* of what happens to the socket */
    way_t way;
    int64_t failing_ms; /* when the first try failed */
    unsigned handshakes_failed;
    int dir_fd; /* keeps the name under /proc; -1 */
    uint64_t next_id;
    incoming_t *last; /* NULL: none */
    incoming_t *kept[KEPT_MAX];
    size_t kept_first;
    size_t kept_count;
};

static atomic_bool is_interrupted;

static void interrupt(int signal_number)
{
    (void)signal_number;
    is_interrupted = true;
}

void connection_catch_signals(void)
{
    struct sigaction action = {.sa_handler = interrupt};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool connection_is_interrupted(void)
{
    return is_interrupted;
}

static bool open_local(connection_t *self, const char *data, char *problem, size_t size)
{
    char path[PATH_MAX];
    char address[PATH_MAX + 64];
    struct sockaddr_un room;
    if (!data) {
        if (data_dir_default_path(path) != STATUS_OK) {
            snprintf(problem, size, "set HOME, or say where the broker's data is: --data DIR");
            return false;
        }
        data = path;
    }
    self->dir_fd = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (self->dir_fd < 0 || faccessat(self->dir_fd, OPERATOR_SOCKET_NAME, R_OK | W_OK, 0) != 0) {
        snprintf(problem, size, "no running broker of yours in %s: %s; name its --data DIR", data,
                 strerrordesc_np(errno));
        return false;
    }
    int length = snprintf(address, sizeof address, "ipc://%s/" OPERATOR_SOCKET_NAME, data);
    if ((size_t)length >= sizeof room.sun_path + sizeof "ipc://" - 1)
        snprintf(address, sizeof address, "ipc:///proc/self/fd/%d/" OPERATOR_SOCKET_NAME,
                 self->dir_fd);
    if (zmq_connect(self->socket, address) == 0)
        return true;
    snprintf(problem, size, "can't connect to %s: %s", data, zmq_strerror(errno));
    return false;
}

static bool open_remote(connection_t *self, const connection_target_t *target, char *problem,
                        size_t size)
{
    endpoint_t broker;
    key_pair_t key;
    char address[320];
    if (endpoint_parse(&broker, target->broker) != STATUS_OK ||
        endpoint_format_zmq(&broker, address, sizeof address) != STATUS_OK) {
        snprintf(problem, size, "--broker: %s", status_text(STATUS_BAD_ENDPOINT));
        return false;
    }
    if (!target->key_file) {
        snprintf(problem, size,
                 "--broker needs the operator's key too: --key FILE; 'conclave-trace keygen FILE' "
                 "makes one");
        return false;
    }
    if (!operator_key_read(&key, target->key_file, problem, size))
        return false;
    const int is_ipv6 = 1;
    bool is_open =
        zmq_setsockopt(self->socket, ZMQ_CURVE_SERVERKEY, broker.key, KEY_BYTES) == 0 &&
        zmq_setsockopt(self->socket, ZMQ_CURVE_PUBLICKEY, key.public_key, KEY_BYTES) == 0 &&
        zmq_setsockopt(self->socket, ZMQ_CURVE_SECRETKEY, key.secret_key, KEY_BYTES) == 0 &&
        zmq_setsockopt(self->socket, ZMQ_IPV6, &is_ipv6, sizeof is_ipv6) == 0 &&
        zmq_connect(self->socket, address) == 0;
    key_pair_wipe(&key);
    if (!is_open)
        snprintf(problem, size, "can't connect to %s: %s", address, zmq_strerror(errno));
    return is_open;
}

/* Before it connects, so that nothing is missed. */
static bool watch_socket(connection_t *self)
{
    const int events = ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                       ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    const int linger = 0;
    self->watch = zmq_socket(self->context, ZMQ_PAIR);
    return self->watch && zmq_setsockopt(self->watch, ZMQ_LINGER, &linger, sizeof linger) == 0 &&
           zmq_socket_monitor(self->socket, WATCH_ENDPOINT, events) == 0 &&
           zmq_connect(self->watch, WATCH_ENDPOINT) == 0;
}

connection_t *connection_open(const connection_target_t *target, char *problem, size_t problem_size)
{
    const int linger = 0, mark = HIGH_WATER_MARK;
    const int64_t largest = FRAME_MAX_BYTES;
    connection_t *self = mem_zalloc(1, sizeof *self);
    self->dir_fd = -1;
    self->context = zmq_ctx_new();
    self->socket = self->context ? zmq_socket(self->context, ZMQ_DEALER) : NULL;
    if (!self->socket || !watch_socket(self)) {
        snprintf(problem, problem_size, "no socket: %s", zmq_strerror(errno));
        connection_close(&self);
        return NULL;
    }
    zmq_setsockopt(self->socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(self->socket, ZMQ_RCVHWM, &mark, sizeof mark);
    zmq_setsockopt(self->socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest);
    bool is_open = target->broker ? open_remote(self, target, problem, problem_size)
                                  : open_local(self, target->data, problem, problem_size);
    if (!is_open)
        connection_close(&self);
    return self;
}

static void incoming_close(incoming_t **self)
{
    if (!*self)
        return;
    message_wipe(&(*self)->message);
    zmq_msg_close(&(*self)->frame);
    free(*self);
    *self = NULL;
}

void connection_close(connection_t **self)
{
    connection_t *dead = *self;
    if (!dead)
        return;
    incoming_close(&dead->last);
    for (; dead->kept_count > 0; dead->kept_count--)
        incoming_close(&dead->kept[dead->kept_first++ % KEPT_MAX]);
    if (dead->socket) {
        /* First: libzmq leaks an event that finds nobody who watches any more. */
        zmq_socket_monitor(dead->socket, NULL, 0);
        zmq_close(dead->socket);
    }
    if (dead->watch)
        zmq_close(dead->watch);
    if (dead->context)
        zmq_ctx_term(dead->context);
    if (dead->dir_fd >= 0)
        close(dead->dir_fd);
    free(dead);
    *self = NULL;
}

/* libzmq goes on trying; but who comes again is a stranger to the broker, who has forgotten what
 * was asked for. */
static void take_event(connection_t *self, uint16_t event, uint32_t value)
{
    if (self->way == WAY_LOST || self->way == WAY_BARRED)
        return;
    const bool is_untried = self->way == WAY_UNTRIED;
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        self->way = WAY_OPEN;
        break;
    case ZMQ_EVENT_DISCONNECTED:
        self->way = self->way == WAY_OPEN ? WAY_LOST : self->way;
        break;
    case ZMQ_EVENT_CONNECT_RETRIED:
        self->way = self->way == WAY_UNTRIED ? WAY_CLOSED : self->way;
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        self->way = value == ZAP_REFUSED ? WAY_BARRED : WAY_STRANGE;
        self->handshakes_failed++;
        break;
    default:
        self->way = WAY_STRANGE;
        self->handshakes_failed++;
    }
    if (is_untried && self->way != WAY_UNTRIED)
        self->failing_ms = monotonic_clock_ms();
}

/* Event (2 bytes) and value (4), host order; the address. */
static void take_events(connection_t *self)
{
    zmq_msg_t head, address;
    zmq_msg_init(&head);
    zmq_msg_init(&address);
    while (zmq_msg_recv(&head, self->watch, ZMQ_DONTWAIT) >= 0 &&
           zmq_msg_recv(&address, self->watch, 0) >= 0) {
        const uint8_t *bytes = zmq_msg_data(&head);
        uint16_t event;
        uint32_t value;
        memcpy(&event, bytes, sizeof event);
        memcpy(&value, bytes + sizeof event, sizeof value);
        take_event(self, event, value);
    }
    zmq_msg_close(&head);
    zmq_msg_close(&address);
}

/* Until when it is tried if no try succeeds; -1: there is no end. */
static int64_t give_up_ms(const connection_t *self)
{
    bool is_failing = self->way == WAY_CLOSED ||
                      (self->way == WAY_STRANGE && self->handshakes_failed >= HANDSHAKES_LEAST);
    return is_failing ? self->failing_ms + CONNECT_MS : -1;
}

/* No reply will come any more. */
static bool is_hopeless(const connection_t *self, int64_t now_ms)
{
    const int64_t end_ms = give_up_ms(self);
    return self->way == WAY_LOST || self->way == WAY_BARRED || (end_ms >= 0 && now_ms >= end_ms);
}

static long wait_ms(const connection_t *self, int64_t until_ms, int64_t now_ms)
{
    const int64_t end_ms = give_up_ms(self);
    int64_t last_ms = until_ms;
    if (is_hopeless(self, now_ms))
        return 0; /* but what has come is there to be read */
    if (end_ms >= 0 && (until_ms < 0 || end_ms < until_ms))
        last_ms = end_ms;
    if (last_ms < 0)
        return -1;
    return last_ms > now_ms ? (long)(last_ms - now_ms) : 0;
}

static status_t wait_for_frame(connection_t *self, int64_t until_ms)
{
    zmq_pollitem_t items[] = {{.socket = self->socket, .events = ZMQ_POLLIN},
                              {.socket = self->watch, .events = ZMQ_POLLIN}};
    for (;;) {
        const int64_t now_ms = monotonic_clock_ms();
        const bool is_last = is_hopeless(self, now_ms);
        if (is_interrupted)
            return STATUS_INTERRUPTED;
        int ready = zmq_poll(items, 2, wait_ms(self, until_ms, now_ms));
        if (ready < 0 && is_interrupted)
            return STATUS_INTERRUPTED;
        if (ready > 0 && items[0].revents)
            return STATUS_OK;
        if (is_last)
            return STATUS_UNREACHABLE;
        if (ready > 0)
            take_events(self);
        else if (until_ms >= 0 && monotonic_clock_ms() >= until_ms)
            return STATUS_TIMED_OUT;
    }
}

const char *connection_trouble(const connection_t *self)
{
    switch (self->way) {
    case WAY_CLOSED:
        return "nobody listens there";
    case WAY_STRANGE:
        return "what listens there is not this broker, or it has no room now";
    case WAY_BARRED:
        return "it doesn't let this key in: is it in its operator.keys?";
    case WAY_LOST:
        return "it has closed the connection";
    case WAY_UNTRIED:
    case WAY_OPEN:
        break;
    }
    return "it does not answer";
}

/* The next message into `last`. */
static status_t receive(connection_t *self, int64_t until_ms)
{
    incoming_close(&self->last);
    incoming_t *incoming = mem_zalloc(1, sizeof *incoming);
    self->last = incoming;
    zmq_msg_init(&incoming->frame);
    do {
        status_t status = wait_for_frame(self, until_ms);
        if (status != STATUS_OK)
            return status;
    } while (zmq_msg_recv(&incoming->frame, self->socket, ZMQ_DONTWAIT) < 0);
    bytes_t frame = {zmq_msg_data(&incoming->frame), zmq_msg_size(&incoming->frame)};
    status_t status =
        message_read(&incoming->message, &frame, 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH);
    return status == STATUS_OK ? STATUS_OK : STATUS_MALFORMED;
}

static bool is_steps(const message_t *message)
{
    return message->kind == MESSAGE_PUSH && message->verb == VERB_traced;
}

static void keep_last(connection_t *self)
{
    if (self->kept_count == KEPT_MAX)
        return; /* the receiver of so many is not waiting for a reply */
    self->kept[(self->kept_first + self->kept_count++) % KEPT_MAX] = self->last;
    self->last = NULL;
}

/* is_patient: the limit is one of silence. */
static status_t ask(connection_t *self, verb_t verb, const void *body, bool is_patient,
                    const message_t **reply)
{
    buffer_t frame = {0};
    const uint64_t id = ++self->next_id;
    int64_t until_ms = monotonic_clock_ms() + OPERATOR_PATIENCE_MS;
    *reply = NULL;
    message_write_request(&frame, verb, id, (bytes_t){0}, (text_t){0}, body);
    int sent = zmq_send(self->socket, frame.data, frame.size, ZMQ_DONTWAIT);
    buffer_free(&frame);
    if (sent < 0)
        return STATUS_UNREACHABLE;
    for (;;) {
        status_t status = receive(self, until_ms);
        if (status != STATUS_OK)
            return status;
        const message_t *message = &self->last->message;
        if (message->kind == MESSAGE_REPLY && message->id == id) {
            *reply = message;
            return message->status;
        }
        if (is_patient)
            until_ms = monotonic_clock_ms() + OPERATOR_PATIENCE_MS;
        else if (is_steps(message))
            keep_last(self);
    }
}

status_t connection_ask(connection_t *self, verb_t verb, const void *body, const message_t **reply)
{
    return ask(self, verb, body, false, reply);
}

status_t connection_ask_patiently(connection_t *self, verb_t verb, const void *body,
                                  const message_t **reply)
{
    /* Of no step there is: what comes are the signs of life that a listener gets. */
    const watch_request_t signs_of_life = {.steps = UINT64_C(1) << 63};
    status_t status = ask(self, VERB_watch, &signs_of_life, false, reply);
    return status == STATUS_OK ? ask(self, verb, body, true, reply) : status;
}

status_t connection_next(connection_t *self, int timeout_ms, const traced_push_t **push)
{
    const int64_t until_ms = timeout_ms < 0 ? -1 : monotonic_clock_ms() + timeout_ms;
    if (self->kept_count > 0) {
        incoming_close(&self->last);
        self->last = self->kept[self->kept_first];
        self->kept_first = (self->kept_first + 1) % KEPT_MAX;
        self->kept_count--;
        *push = &self->last->message.body.traced_push;
        return STATUS_OK;
    }
    for (;;) {
        status_t status = receive(self, until_ms);
        if (status != STATUS_OK)
            return status;
        if (is_steps(&self->last->message)) {
            *push = &self->last->message.body.traced_push;
            return STATUS_OK;
        }
    }
}
