/* SPDX-License-Identifier: MPL-2.0 */
/* A broker without its main: sockets, rules and a store, the router in a thread, and clients by
   hand. For the router's tests, each of which has its own copy. */
#ifndef CONCLAVE_TESTS_UNIT_BROKER_ROUTER_FIXTURE_H
#define CONCLAVE_TESTS_UNIT_BROKER_ROUTER_FIXTURE_H

#include "broker/monitor.h"
#include "broker/router/router.h"
#include "broker/process/signals.h"
#include "broker/store/store_memory.h"
#include "broker/zap.h"
#include "proto/message.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* How long is waited for what must come: only a failure, or a slow machine, waits so long. */
#define REPLY_MS   60000
#define SILENCE_MS 400

/* A broker in a thread of its own. */
typedef struct {
    store_t *store;
    rules_t *rules;
    counters_t counters;
    key_pair_t key;
    zap_options_t zap_options;
    zactor_t *zap;
    monitor_options_t monitor_options;
    zactor_t *monitor;
    router_socket_t socket;
    endpoint_t endpoint;
    router_options_t options;
    pthread_t thread;
    status_t result;
} fixture_t;

static fixture_t broker;
static int signal_fd;
static log_t *log_of_test;
static void *context; /* of the clients */
static key_pair_t broker_key;

/* Signals that the router told of, as a set of bits. */
static atomic_uint told_signals;

static void note_signal(void *unused, signal_kind_t kind)
{
    (void)unused;
    atomic_fetch_or(&told_signals, 1u << kind);
}

static void *run_router(void *argument)
{
    fixture_t *self = argument;
    self->result = router_run(&self->options);
    return NULL;
}

static void broker_start(store_t *store, uint64_t connections_max)
{
    memset(&broker, 0, sizeof broker);
    broker.store = store;
    broker.key = broker_key;
    rules_config_t config = rules_config_default(broker.key.public_key);
    broker.rules = rules_new(store, &config);
    assert_int_equal(rules_open(broker.rules), STATUS_OK);
    broker.zap_options = (zap_options_t){
        .log = log_of_test, .counters = &broker.counters, .connections_max = connections_max};
    broker.zap = zactor_new(zap_actor, &broker.zap_options);
    assert_true(broker.zap_options.is_bound);
    assert_int_equal(router_socket_init(&broker.socket, &broker.key, &broker.counters), STATUS_OK);
    broker.monitor_options = (monitor_options_t){
        .log = log_of_test, .counters = &broker.counters, .watched = broker.socket.socket};
    broker.monitor = zactor_new(monitor_actor, &broker.monitor_options);
    assert_true(broker.monitor_options.is_started);
    endpoint_t any;
    assert_int_equal(endpoint_parse_listen(&any, "tcp://127.0.0.1:*"), STATUS_OK);
    assert_int_equal(router_socket_bind(&broker.socket, &any, &broker.endpoint), STATUS_OK);
    assert_int_not_equal(broker.endpoint.port, 0);
    broker.options = (router_options_t){.socket = &broker.socket,
                                        .rules = broker.rules,
                                        .store = store,
                                        .counters = &broker.counters,
                                        .log = log_of_test,
                                        .signal_fd = signal_fd,
                                        .on_signal = note_signal};
    assert_int_equal(pthread_create(&broker.thread, NULL, run_router, &broker), 0);
}

static void broker_stop(void)
{
    atomic_store(&told_signals, 0);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    pthread_join(broker.thread, NULL);
    assert_true(atomic_load(&told_signals) & 1u << SIGNAL_STOP);
    assert_int_equal(broker.result, STATUS_OK);
    monitor_stop(broker.socket.socket);
    zactor_destroy(&broker.monitor);
    router_socket_wipe(&broker.socket, 0);
    zactor_destroy(&broker.zap);
    rules_destroy(&broker.rules);
    store_destroy(&broker.store);
}

static int setup(void **state)
{
    (void)state;
    context = zmq_ctx_new();
    broker_start(store_memory_new(), 1000);
    return 0;
}

/* So that a failed test doesn't hang in zmq_ctx_term. */
static void *open_sockets[64];

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof open_sockets / sizeof *open_sockets; i++) {
        if (open_sockets[i]) {
            zmq_close(open_sockets[i]);
            open_sockets[i] = NULL;
        }
    }
    broker_stop();
    zmq_ctx_term(context);
    return 0;
}

/* A client by hand. */
typedef struct {
    void *socket;
    uint64_t next_id;
    zmq_msg_t frame;
    message_t message;
} client_t;

static void set_number(void *socket, int option, int value)
{
    assert_int_equal(zmq_setsockopt(socket, option, &value, sizeof value), 0);
}

static void client_open_with(client_t *self, const uint8_t *server_key)
{
    char address[64];
    char public_text[41];
    char secret_text[41];
    memset(self, 0, sizeof *self);
    self->socket = zmq_socket(context, ZMQ_DEALER);
    for (size_t i = 0;; i++) {
        assert_true(i < sizeof open_sockets / sizeof *open_sockets);
        if (!open_sockets[i]) {
            open_sockets[i] = self->socket;
            break;
        }
    }
    set_number(self->socket, ZMQ_LINGER, 0);
    if (server_key) {
        zmq_curve_keypair(public_text, secret_text);
        zmq_setsockopt(self->socket, ZMQ_CURVE_SERVERKEY, server_key, KEY_BYTES);
        zmq_setsockopt(self->socket, ZMQ_CURVE_PUBLICKEY, public_text, sizeof public_text);
        zmq_setsockopt(self->socket, ZMQ_CURVE_SECRETKEY, secret_text, sizeof secret_text);
    }
    snprintf(address, sizeof address, "tcp://127.0.0.1:%d", broker.endpoint.port);
    assert_int_equal(zmq_connect(self->socket, address), 0);
}

static void client_open(client_t *self)
{
    client_open_with(self, broker.key.public_key);
}

static void client_close(client_t *self)
{
    for (size_t i = 0; i < sizeof open_sockets / sizeof *open_sockets; i++) {
        if (open_sockets[i] == self->socket) {
            open_sockets[i] = NULL;
        }
    }
    zmq_close(self->socket);
}

static void client_send(client_t *self, verb_t verb, const void *body)
{
    buffer_t frame = {0};
    message_write_request(&frame, verb, ++self->next_id, (bytes_t){0}, (text_t){"", 0}, body);
    assert_true(zmq_send(self->socket, frame.data, frame.size, 0) >= 0);
    buffer_free(&frame);
}

/* The next frame's first message; false when none comes in time. message_done afterwards. */
static bool client_receive(client_t *self, int timeout_ms)
{
    set_number(self->socket, ZMQ_RCVTIMEO, timeout_ms);
    zmq_msg_init(&self->frame);
    memset(&self->message, 0, sizeof self->message);
    if (zmq_msg_recv(&self->frame, self->socket, 0) < 0) {
        zmq_msg_close(&self->frame);
        return false;
    }
    bytes_t rest = {zmq_msg_data(&self->frame), zmq_msg_size(&self->frame)};
    assert_int_equal(message_read(&self->message, &rest, 1u << MESSAGE_REPLY), STATUS_OK);
    return true;
}

static void message_done(client_t *self)
{
    message_wipe(&self->message);
    zmq_msg_close(&self->frame);
}

static const hello_request_t hello = {.version_min = 1, .version_max = 1, .software = {"test", 4}};

static status_t client_call(client_t *self, verb_t verb, const void *body)
{
    client_send(self, verb, body);
    if (!client_receive(self, REPLY_MS)) {
        return STATUS_TIMED_OUT;
    }
    assert_int_equal(self->message.id, self->next_id);
    assert_int_equal(self->message.verb, verb);
    status_t status = self->message.status;
    message_done(self);
    return status;
}

/* Waits until the condition holds, and asserts that it does. */
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        for (int waited_ms = 0; waited_ms < REPLY_MS && !(condition); waited_ms += 10)             \
            usleep(10000);                                                                         \
        assert_true(condition);                                                                    \
    } while (0)

/* Once, before the tests. */
static bool fixture_open(void)
{
    bool is_new;
    char root[] = "/tmp/conclave-router-key-XXXXXX";
    if (sodium_init() < 0 || signals_open(&signal_fd) != STATUS_OK || !mkdtemp(root)) {
        return false;
    }
    int dir_fd = open(root, O_RDONLY | O_DIRECTORY);
    bool has_key = key_file_open(&broker_key, dir_fd, &is_new) == STATUS_OK;
    unlinkat(dir_fd, KEY_FILE_NAME, 0);
    close(dir_fd);
    rmdir(root);
    log_of_test = getenv("CONCLAVE_TEST_LOG") ? log_new(2, LOG_TEXT, LEVEL_DEBUG) : NULL;
    return has_key;
}

static void fixture_close(void)
{
    zsys_shutdown();
    log_destroy(&log_of_test);
    close(signal_fd);
}

#endif
