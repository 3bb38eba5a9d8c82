/* SPDX-License-Identifier: MPL-2.0 */
/* The link against real sockets: a broker that comes, goes, has another key, is none at all, or
 * says too much. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "client/actors/link.h"
#include "client/home/clock.h"
#include "proto/limits.h"
#include "tests/unit/client/fake_broker.h"

static uint8_t secret[KEY_BYTES];

/* The next event, or -1 after a minute. */
static int next_event(link_t *link)
{
    link_event_t event;
    uint64_t start = clock_boot_ms();
    while (clock_boot_ms() - start < 60000) {
        if (link_next_event(link, &event))
            return (int)event;
        link_wait(link, 50);
    }
    return -1;
}

static bool next_frame(link_t *link, buffer_t *frame)
{
    for (int i = 0; i < 1200; i++) {
        link_flush(link);
        if (link_receive(link, frame))
            return true;
        link_wait(link, 50);
    }
    return false;
}

static status_t send_text(link_t *link, const char *string)
{
    buffer_t frame = {0};
    buffer_append(&frame, string, strlen(string));
    status_t status = link_send(link, &frame);
    assert_null(frame.data);
    return status;
}

static link_t *open_link(const endpoint_t *endpoint, uint8_t key[static KEY_BYTES])
{
    link_t *link = NULL;
    assert_int_equal(link_new(&link, endpoint), STATUS_OK);
    assert_int_equal(link_open(link, key), STATUS_OK);
    return link;
}

static void frames_go_both_ways(void **state)
{
    (void)state;
    fake_broker_t broker;
    fake_broker_open(&broker, 0, secret);
    uint8_t first[KEY_BYTES], second[KEY_BYTES];
    link_t *link = open_link(&broker.endpoint, first);
    assert_int_equal(send_text(link, "early"), STATUS_OK); /* before there is a connection */
    assert_int_equal(next_event(link), LINK_CONNECTED);
    link_flush(link);
    buffer_t frame = {0};
    assert_true(fake_broker_receive(&broker, &frame));
    assert_memory_equal(frame.data, "early", 5);
    fake_broker_send(&broker, "answer", 6);
    assert_true(next_frame(link, &frame));
    assert_int_equal(frame.size, 6);
    assert_int_equal(link_open(link, second), STATUS_OK); /* another socket, another key */
    assert_memory_not_equal(first, second, KEY_BYTES);
    assert_int_equal(next_event(link), LINK_CONNECTED);
    assert_int_equal(send_text(link, "again"), STATUS_OK);
    assert_true(fake_broker_receive(&broker, &frame));
    assert_memory_equal(frame.data, "again", 5);
    buffer_free(&frame);
    link_destroy(&link);
    assert_null(link);
    fake_broker_close(&broker);
}

static void strange_messages_are_dropped(void **state)
{
    (void)state;
    fake_broker_t broker;
    fake_broker_open(&broker, 0, secret);
    uint8_t key[KEY_BYTES];
    link_t *link = open_link(&broker.endpoint, key);
    assert_int_equal(next_event(link), LINK_CONNECTED);
    assert_int_equal(send_text(link, "hi"), STATUS_OK);
    buffer_t frame = {0};
    assert_true(fake_broker_receive(&broker, &frame));
    void *router = zsock_resolve(broker.router);
    zmq_send(router, broker.peer, broker.peer_size, ZMQ_SNDMORE); /* two parts */
    zmq_send(router, "one", 3, ZMQ_SNDMORE);
    zmq_send(router, "two", 3, 0);
    fake_broker_send(&broker, "", 0);
    uint8_t *large = calloc(1, FRAME_MAX_BYTES);
    fake_broker_send(&broker, large, FRAME_MAX_BYTES);
    assert_true(next_frame(link, &frame));
    assert_int_equal(frame.size, FRAME_MAX_BYTES); /* the largest is still good */
    free(large);
    uint8_t *larger = calloc(1, 2 * FRAME_MAX_BYTES);
    fake_broker_send(&broker, larger, 2 * FRAME_MAX_BYTES);
    free(larger);
    assert_int_equal(next_event(link), LINK_DOWN); /* ZeroMQ ends such a connection */
    buffer_free(&frame);
    link_destroy(&link);
    fake_broker_close(&broker);
}

static void a_broker_that_dies_and_comes_back_is_noticed(void **state)
{
    (void)state;
    fake_broker_t broker;
    fake_broker_open(&broker, 0, secret);
    endpoint_t endpoint = broker.endpoint;
    uint8_t key[KEY_BYTES];
    link_t *link = open_link(&endpoint, key);
    assert_int_equal(next_event(link), LINK_CONNECTED);
    fake_broker_close(&broker);
    assert_int_equal(next_event(link), LINK_DOWN);
    assert_int_equal(send_text(link, "lost"), STATUS_OK);
    assert_int_equal(link_open(link, key), STATUS_OK); /* nobody there */
    assert_int_equal(next_event(link), LINK_DOWN);
    fake_broker_open(&broker, endpoint.port, secret);
    assert_int_equal(next_event(link), LINK_CONNECTED);
    assert_int_equal(send_text(link, "new"), STATUS_OK);
    buffer_t frame = {0};
    assert_true(fake_broker_receive(&broker, &frame));
    assert_memory_equal(frame.data, "new", 3); /* not what waited for the lost connection */
    buffer_free(&frame);
    link_destroy(&link);
    fake_broker_close(&broker);
}

static void another_key_is_a_wrong_broker(void **state)
{
    (void)state;
    fake_broker_t broker;
    fake_broker_open(&broker, 0, secret);
    endpoint_t endpoint = broker.endpoint;
    endpoint.key[0] ^= 1;
    uint8_t key[KEY_BYTES];
    link_t *link = open_link(&endpoint, key);
    assert_int_equal(next_event(link), LINK_WRONG_BROKER);
    link_destroy(&link);
    fake_broker_close(&broker);
}

static void a_plain_zeromq_server_is_a_wrong_broker(void **state)
{
    (void)state;
    zsock_t *plain = zsock_new(ZMQ_ROUTER);
    endpoint_t endpoint = {.host = "127.0.0.1", .has_key = true, .key = {1}};
    endpoint.port = (uint16_t)zsock_bind(plain, "tcp://127.0.0.1:*");
    uint8_t key[KEY_BYTES];
    link_t *link = open_link(&endpoint, key);
    assert_int_equal(next_event(link), LINK_WRONG_BROKER);
    link_destroy(&link);
    zsock_destroy(&plain);
}

/* Accepts and says nothing, as a stopped broker does: down, and not another broker. */
static void a_silent_server_is_down(void **state)
{
    (void)state;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 5), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    endpoint_t endpoint = {.host = "127.0.0.1", .has_key = true, .key = {1}};
    endpoint.port = ntohs(address.sin_port);
    uint8_t key[KEY_BYTES];
    link_t *link = open_link(&endpoint, key);
    assert_int_equal(next_event(link), LINK_DOWN);
    link_destroy(&link);
    close(listener);
}

static void what_waits_is_limited(void **state)
{
    (void)state;
    endpoint_t endpoint = {.host = "127.0.0.1", .port = 1, .has_key = true, .key = {1}};
    uint8_t key[KEY_BYTES];
    link_t *link = NULL;
    assert_int_equal(link_new(&link, &endpoint), STATUS_OK);
    assert_int_equal(send_text(link, "closed"), STATUS_UNREACHABLE);
    assert_int_equal(link_open(link, key), STATUS_OK);
    for (int i = 0; i < LINK_WAITING_FRAMES_MAX; i++)
        assert_int_equal(send_text(link, "x"), STATUS_OK);
    assert_int_equal(send_text(link, "x"), STATUS_TOO_MANY);
    buffer_t large = {0};
    buffer_extend(&large, FRAME_MAX_BYTES + 1);
    assert_int_equal(link_send(link, &large), STATUS_TOO_LARGE);
    link_close(link);
    link_close(link);
    assert_null(link_socket(link));
    link_event_t event;
    assert_false(link_next_event(link, &event));
    link_destroy(&link);
    endpoint.has_key = false;
    assert_int_equal(link_new(&link, &endpoint), STATUS_BAD_ENDPOINT);
    assert_null(link);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    zsys_handler_set(NULL);
    randombytes_buf(secret, sizeof secret);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_go_both_ways),
        cmocka_unit_test(strange_messages_are_dropped),
        cmocka_unit_test(a_broker_that_dies_and_comes_back_is_noticed),
        cmocka_unit_test(another_key_is_a_wrong_broker),
        cmocka_unit_test(a_plain_zeromq_server_is_a_wrong_broker),
        cmocka_unit_test(a_silent_server_is_down),
        cmocka_unit_test(what_waits_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
