/* SPDX-License-Identifier: MPL-2.0 */
/* The router with real sockets: what clients can do to it, and that others go on. */
#include "tests/unit/broker/router_fixture.h"

static void assert_served(void)
{
    client_t client;
    client_open(&client);
    assert_int_equal(client_call(&client, VERB_hello, &hello), STATUS_OK);
    client_close(&client);
}

static void wait_for(const atomic_uint_fast64_t *counter, uint64_t least)
{
    WAIT_FOR(counter_get(counter) >= least);
}

static void test_hello(void **state)
{
    client_t client;
    (void)state;
    client_open(&client);
    client_send(&client, VERB_hello, &hello);
    assert_true(client_receive(&client, REPLY_MS));
    assert_int_equal(client.message.status, STATUS_OK);
    assert_int_equal(client.message.body.hello_reply.version, 1);
    assert_int_equal(client.message.body.hello_reply.frame_max_bytes, FRAME_MAX_BYTES);
    message_done(&client);
    client_close(&client);
    wait_for(&broker.counters.handshakes, 1);
}

static void test_wrong_server_key(void **state)
{
    client_t client;
    uint8_t wrong[KEY_BYTES];
    (void)state;
    memcpy(wrong, broker.key.public_key, KEY_BYTES);
    wrong[3] ^= 1;
    client_open_with(&client, wrong);
    client_send(&client, VERB_hello, &hello);
    assert_false(client_receive(&client, SILENCE_MS));
    client_close(&client);
    assert_int_equal(counter_get(&broker.counters.frames_received), 0);
    wait_for(&broker.counters.handshakes_failed, 1);
    assert_served();
}

static void test_plain_client(void **state)
{
    client_t client;
    (void)state;
    client_open_with(&client, NULL);
    client_send(&client, VERB_hello, &hello);
    assert_false(client_receive(&client, SILENCE_MS));
    client_close(&client);
    assert_int_equal(counter_get(&broker.counters.frames_received), 0);
    assert_served();
}

static void test_malformed_frames(void **state)
{
    client_t client;
    (void)state;
    client_open(&client);
    assert_int_equal(client_call(&client, VERB_hello, &hello), STATUS_OK);
    for (int i = 0; i < 200; i++) {
        uint8_t noise[64];
        randombytes_buf(noise, sizeof noise);
        noise[0] = 0xc1; /* never used in MessagePack */
        assert_true(zmq_send(client.socket, noise, sizeof noise, 0) >= 0);
        assert_true(client_receive(&client, REPLY_MS));
        assert_int_equal(client.message.status, STATUS_MALFORMED);
        assert_int_equal(client.message.id, 0);
        message_done(&client);
    }
    assert_true(zmq_send(client.socket, "", 0, 0) >= 0);
    assert_true(client_receive(&client, REPLY_MS));
    assert_int_equal(client.message.status, STATUS_MALFORMED);
    message_done(&client);
    const whois_request_t whois = {.name = {"nobody"}};
    assert_int_equal(client_call(&client, VERB_whois, &whois), STATUS_UNKNOWN_USER);
    client_close(&client);
}

static void test_multipart_is_dropped(void **state)
{
    client_t client;
    (void)state;
    client_open(&client);
    for (int i = 0; i < 5; i++) {
        assert_true(zmq_send(client.socket, "a", 1, ZMQ_SNDMORE) >= 0);
        assert_true(zmq_send(client.socket, "b", 1, ZMQ_SNDMORE) >= 0);
        assert_true(zmq_send(client.socket, "c", 1, 0) >= 0);
    }
    assert_int_equal(client_call(&client, VERB_hello, &hello), STATUS_OK);
    assert_int_equal(counter_get(&broker.counters.frames_multipart), 5);
    client_close(&client);
}

static void test_own_routing_id_is_dropped(void **state)
{
    (void)state;
    client_t named;
    client_open(&named);
    char address[64];
    snprintf(address, sizeof address, "tcp://127.0.0.1:%d", broker.endpoint.port);
    assert_int_equal(zmq_disconnect(named.socket, address), 0);
    assert_int_equal(zmq_setsockopt(named.socket, ZMQ_ROUTING_ID, "mallory", 7), 0);
    assert_int_equal(zmq_connect(named.socket, address), 0);
    client_send(&named, VERB_hello, &hello);
    assert_false(client_receive(&named, SILENCE_MS));
    client_close(&named);
    wait_for(&broker.counters.frames_without_user, 1);
    assert_served();
}

static void test_huge_frame(void **state)
{
    client_t client;
    const size_t size = 2 * 1024 * 1024;
    char *huge = calloc(1, size);
    (void)state;
    client_open(&client);
    assert_int_equal(client_call(&client, VERB_hello, &hello), STATUS_OK);
    uint64_t frames = counter_get(&broker.counters.frames_received);
    assert_true(zmq_send(client.socket, huge, size, 0) >= 0);
    assert_false(client_receive(&client, SILENCE_MS));
    assert_int_equal(counter_get(&broker.counters.frames_received), frames);
    client_close(&client);
    free(huge);
    assert_served();
}

static void test_slow_client(void **state)
{
    client_t slow;
    client_t quick;
    (void)state;
    client_open(&slow);
    client_open(&quick);
    set_number(slow.socket, ZMQ_RCVHWM, 1);
    assert_int_equal(client_call(&slow, VERB_hello, &hello), STATUS_OK);
    assert_int_equal(client_call(&quick, VERB_hello, &hello), STATUS_OK);
    /* Asks and asks, and never reads. */
    set_number(slow.socket, ZMQ_SNDTIMEO, REPLY_MS);
    buffer_t frame = {0};
    const whois_request_t whois = {.name = {"nobody"}};
    for (uint64_t i = 0; i < FRAME_MAX_MESSAGES; i++) {
        message_write_request(&frame, VERB_whois, 1000 + i, (bytes_t){0}, (text_t){"", 0}, &whois);
    }
    for (int i = 0; i < 20000; i++) {
        if (zmq_send(slow.socket, frame.data, frame.size, 0) < 0) {
            break;
        }
        if (i % 1000 == 0) {
            assert_int_equal(client_call(&quick, VERB_hello, &hello), STATUS_OK);
        }
        if (counter_get(&broker.counters.replies_dropped) > 100) {
            break;
        }
    }
    buffer_free(&frame);
    wait_for(&broker.counters.replies_dropped, 1);
    assert_int_equal(client_call(&quick, VERB_hello, &hello), STATUS_OK);
    client_close(&slow);
    client_close(&quick);
}

static void test_peer_disappears(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        client_t client;
        client_open(&client);
        assert_int_equal(client_call(&client, VERB_hello, &hello), STATUS_OK);
        client_send(&client, VERB_hello, &hello);
        client_close(&client);
    }
    assert_served();
    wait_for(&broker.counters.connections_accepted, 51);
    WAIT_FOR(counter_get(&broker.counters.connections) == 0);
}

static void test_connection_quota(void **state)
{
    client_t clients[3];
    client_t extra[2];
    int extra_count = 0;
    bool is_served = true;
    (void)state;
    broker_stop();
    broker_start(store_memory_new(), 2);
    client_open(&clients[0]);
    client_open(&clients[1]);
    assert_int_equal(client_call(&clients[0], VERB_hello, &hello), STATUS_OK);
    assert_int_equal(client_call(&clients[1], VERB_hello, &hello), STATUS_OK);
    /* One may slip in while its own connection isn't counted yet; never a second one. */
    while (is_served && extra_count < 2) {
        wait_for(&broker.counters.connections, 2 + (uint64_t)extra_count);
        client_t *client = &extra[extra_count++];
        client_open(client);
        client_send(client, VERB_hello, &hello);
        is_served = false;
        WAIT_FOR(counter_get(&broker.counters.connections_refused) >= 1 ||
                 (is_served = client_receive(client, 1)));
        if (is_served) {
            message_done(client);
        }
    }
    assert_false(is_served);
    assert_false(client_receive(&extra[extra_count - 1], SILENCE_MS));
    client_close(&clients[0]);
    for (int i = 0; i < extra_count; i++) {
        client_close(&extra[i]);
    }
    WAIT_FOR(counter_get(&broker.counters.connections) <= 1);
    client_open(&clients[2]);
    assert_int_equal(client_call(&clients[2], VERB_hello, &hello), STATUS_OK);
    client_close(&clients[1]);
    client_close(&clients[2]);
}

static void test_signals_are_handed_on(void **state)
{
    const struct {
        int number;
        signal_kind_t kind;
    } signals[] = {{SIGHUP, SIGNAL_RELOAD}, {SIGUSR1, SIGNAL_LOG_LEVEL}};
    (void)state;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        atomic_store(&told_signals, 0);
        assert_int_equal(kill(getpid(), signals[i].number), 0);
        WAIT_FOR(atomic_load(&told_signals));
        assert_int_equal(atomic_load(&told_signals), 1u << signals[i].kind);
        assert_served();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hello, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_server_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plain_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_multipart_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_routing_id_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_huge_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peer_disappears, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connection_quota, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signals_are_handed_on, setup, teardown),
    };
    if (!fixture_open()) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fixture_close();
    return failed;
}
