/* SPDX-License-Identifier: MPL-2.0 */
/* The router's socket takes a frame only if the handshake left the peer's CURVE key on it: with a
 * handler that lets everybody in, but names them as each test likes. */
#include "broker/router/router_socket.h"
#include "broker/zap.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WAIT_MS 60000

#define USER "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7" /* ZeroMQ RFC 26's example of a key */

/* Answers every handshake with this user id. */
static void handler_actor(zsock_t *pipe, void *user_id)
{
    zsock_t *handler = zsock_new(ZMQ_REP);
    bool is_bound = handler && zsock_bind(handler, "inproc://zeromq.zap.01") == 0;
    zsock_signal(pipe, is_bound ? 0 : 1);
    zpoller_t *poller = zpoller_new(pipe, handler, NULL);
    while (zpoller_wait(poller, -1) == handler) {
        zmsg_t *request = zmsg_recv(handler);
        char *version = zmsg_popstr(request);
        char *id = zmsg_popstr(request);
        zsock_send(handler, "ssssss", version, id, "200", "OK", (const char *)user_id, "");
        free(version);
        free(id);
        zmsg_destroy(&request);
    }
    zpoller_destroy(&poller);
    zsock_unbind(handler, "inproc://zeromq.zap.01");
    zsock_destroy(&handler);
}

typedef struct {
    zactor_t *handler;
    counters_t counters;
    router_socket_t socket;
    zsock_t *client;
} fixture_t;

static fixture_t broker;

static void fixture_open(const char *user_id)
{
    fixture_t *self = &broker;
    memset(self, 0, sizeof *self);
    key_pair_t key;
    assert_int_equal(crypto_box_keypair(key.public_key, key.secret_key), 0);
    self->handler = zactor_new(handler_actor, (void *)(uintptr_t)user_id);
    assert_int_equal(router_socket_init(&self->socket, &key, &self->counters), STATUS_OK);
    endpoint_t any, bound;
    assert_int_equal(endpoint_parse_listen(&any, "tcp://127.0.0.1:*"), STATUS_OK);
    assert_int_equal(router_socket_bind(&self->socket, &any, &bound), STATUS_OK);
    self->client = zsock_new(ZMQ_DEALER);
    zcert_t *cert = zcert_new();
    zcert_apply(cert, self->client);
    zcert_destroy(&cert);
    zsock_set_curve_serverkey_bin(self->client, key.public_key);
    assert_int_equal(zsock_connect(self->client, "tcp://127.0.0.1:%d", bound.port), 0);
}

static void fixture_close(fixture_t *self)
{
    if (self->client)
        zsock_set_linger(self->client, 0);
    zsock_destroy(&self->client);
    router_socket_wipe(&self->socket, 0);
    zactor_destroy(&self->handler);
}

/* Also after a failed assertion, which would leave sockets behind. */
static int teardown(void **state)
{
    (void)state;
    fixture_close(&broker);
    return 0;
}

/* A frame arrives: whether it is taken. */
static bool is_taken(fixture_t *self, received_frame_t *frame)
{
    assert_int_equal(zsock_send(self->client, "s", "a frame"), 0);
    zpoller_t *poller = zpoller_new(self->socket.socket, NULL);
    bool taken = false;
    while (!taken && counter_get(&self->counters.frames_received) == 0) {
        assert_non_null(zpoller_wait(poller, WAIT_MS));
        taken = router_socket_receive(&self->socket, frame);
    }
    zpoller_destroy(&poller);
    return taken;
}

static void test_named(void **state)
{
    (void)state;
    received_frame_t frame;
    uint8_t key[KEY_BYTES];
    fixture_open(USER);
    assert_true(is_taken(&broker, &frame));
    assert_non_null(zmq_z85_decode(key, USER));
    assert_memory_equal(frame.peer.curve_key, key, KEY_BYTES);
    received_frame_close(&frame);
    assert_int_equal(counter_get(&broker.counters.frames_without_user), 0);
}

static void test_not_named(void **state)
{
    (void)state;
    static const char *const no_keys[] = {
        "", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf", /* too short */
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7abc", /* too long */
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y~~",    /* no Z85 */
    };
    for (size_t i = 0; i < sizeof no_keys / sizeof no_keys[0]; i++) {
        received_frame_t frame;
        fixture_open(no_keys[i]);
        assert_false(is_taken(&broker, &frame));
        assert_int_equal(counter_get(&broker.counters.frames_without_user), 1);
        fixture_close(&broker);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_named, teardown),
        cmocka_unit_test_teardown(test_not_named, teardown),
    };
    int failed = sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failed;
}
