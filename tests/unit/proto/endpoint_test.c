/* SPDX-License-Identifier: MPL-2.0 */
/* Broker addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>
#include <stdio.h>

#include "proto/endpoint.h"

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

static endpoint_t endpoint;

static void assert_accepted(const char *address, const char *host, unsigned port)
{
    char text[600], again[600];
    snprintf(text, sizeof text, "tcp://%s#" KEY, address);
    assert_int_equal(endpoint_parse(&endpoint, text), STATUS_OK);
    assert_string_equal(endpoint.host, host);
    assert_int_equal(endpoint.port, port);
    assert_true(endpoint.has_key);
    for (uint8_t i = 0; i < KEY_BYTES; i++)
        assert_int_equal(endpoint.key[i], i);
    assert_int_equal(endpoint_format(&endpoint, again, sizeof again), STATUS_OK);
    endpoint_t second;
    assert_int_equal(endpoint_parse(&second, again), STATUS_OK);
    assert_memory_equal(&second, &endpoint, sizeof second);
}

static void assert_refused(const char *text)
{
    static const endpoint_t zero;
    memset(&endpoint, 0xff, sizeof endpoint);
    if (endpoint_parse(&endpoint, text) != STATUS_BAD_ENDPOINT)
        fail_msg("accepted: %s", text);
    assert_memory_equal(&endpoint, &zero, sizeof zero);
}

static void test_accepted(void **state)
{
    (void)state;
    assert_accepted("127.0.0.1:5555", "127.0.0.1", 5555);
    assert_accepted("localhost:1", "localhost", 1);
    assert_accepted("Broker.Example.ORG:65535", "broker.example.org", 65535);
    assert_accepted("1and1.com:80", "1and1.com", 80);
    assert_accepted("a-b.c--d:80", "a-b.c--d", 80);
    assert_accepted("[::1]:5555", "::1", 5555);
    assert_true(endpoint.is_ipv6);
    assert_accepted("[2001:0DB8:0:0:0:0:0:1]:5555", "2001:db8::1", 5555);
    assert_accepted("[::ffff:192.0.2.1]:5555", "::ffff:192.0.2.1", 5555);
}

static void test_refused(void **state)
{
    (void)state;
    assert_refused("tcp://[0000:0000:0000:0000:0000:0000:000000000000000000001]:5555#" KEY);
    static const char *const bad[] = {
        "",
        "tcp://",
        "tcp://#" KEY,
        "tcp://a:1",
        "tcp://a:1#",
        "a:1#" KEY,
        "TCP://a:1#" KEY,
        "ipc://a:1#" KEY,
        "tcp://a#" KEY,
        "tcp://a:#" KEY,
        "tcp://:1#" KEY,
        "tcp://a:0#" KEY,
        "tcp://a:01#" KEY,
        "tcp://a:65536#" KEY,
        "tcp://a:99999#" KEY,
        "tcp://a:100000#" KEY,
        "tcp://a:+1#" KEY,
        "tcp://a: 1#" KEY,
        "tcp://a:1 #" KEY,
        "tcp://a:*#" KEY,
        "tcp://*:1#" KEY,
        "tcp://a:1#" KEY "A",
        "tcp://a:1##" KEY,
        "tcp://a:1#" KEY "=",
        "tcp://a:1#" KEY "\n",
        "tcp://-a:1#" KEY,
        "tcp://a-:1#" KEY,
        "tcp://a..b:1#" KEY,
        "tcp://.a:1#" KEY,
        "tcp://a.:1#" KEY,
        "tcp://a_b:1#" KEY,
        "tcp://a b:1#" KEY,
        "tcp://\xc3\xa4:1#" KEY,
        "tcp://a/b:1#" KEY,
        "tcp://a:1:2#" KEY,
        "tcp://256.1.1.1:1#" KEY,
        "tcp://1.2.3:1#" KEY,
        "tcp://1.2.3.04:1#" KEY,
        "tcp://12345:1#" KEY,
        "tcp://[]:1#" KEY,
        "tcp://[:1#" KEY,
        "tcp://[::1:1#" KEY,
        "tcp://::1:1#" KEY,
        "tcp://[::g]:1#" KEY,
        "tcp://[::1%lo]:1#" KEY,
        "tcp://[1.2.3.4]:1#" KEY,
        "tcp://[::1]1#" KEY,
        "tcp://a@b:1#" KEY,
        /* one character short; characters of the other base64; loose bits at the end */
        "tcp://a:1#AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh",
        "tcp://a:1#AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH+8",
        "tcp://a:1#AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9",
        "tcp://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1#" KEY,
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i]);
}

static void test_long_hosts(void **state)
{
    (void)state;
    char host[300], text[5000];
    for (size_t size = 1; size < sizeof host; size++) {
        for (size_t i = 0; i < size; i++)
            host[i] = i % 60 == 59 && i + 1 < size ? '.' : 'a';
        host[size] = '\0';
        if (size <= 253) {
            snprintf(text, sizeof text, "%s:5555", host);
            assert_accepted(text, host, 5555);
        } else {
            snprintf(text, sizeof text, "tcp://%s:5555#" KEY, host);
            assert_refused(text);
        }
    }
    memset(text, 'a', sizeof text);
    memcpy(text, "tcp://", 6);
    text[sizeof text - 1] = '\0';
    assert_refused(text);
}

static void test_truncated(void **state)
{
    (void)state;
    const char *whole = "tcp://[2001:db8::1]:5555#" KEY;
    char text[128];
    for (size_t size = 0; size < strlen(whole); size++) {
        memcpy(text, whole, size);
        text[size] = '\0';
        assert_refused(text);
    }
}

static void assert_listens(const char *text, const char *host, unsigned port)
{
    char again[300];
    assert_int_equal(endpoint_parse_listen(&endpoint, text), STATUS_OK);
    assert_string_equal(endpoint.host, host);
    assert_int_equal(endpoint.port, port);
    assert_false(endpoint.has_key);
    assert_int_equal(endpoint_format(&endpoint, again, sizeof again), STATUS_OK);
    assert_string_equal(again, text);
    assert_int_equal(endpoint_format_zmq(&endpoint, again, sizeof again), STATUS_OK);
    assert_string_equal(again, text);
}

static void test_listen(void **state)
{
    (void)state;
    assert_listens("tcp://*:5555", "*", 5555);
    assert_listens("tcp://*:*", "*", 0);
    assert_listens("tcp://[::]:5555", "::", 5555);
    assert_listens("tcp://127.0.0.1:*", "127.0.0.1", 0);
    static const char *const bad[] = {("tcp://*:5555#" KEY), "tcp://*:5555#", "tcp://**:1",
                                      "tcp://*.a:1",         "tcp://[*]:1",   "tcp://*:0",
                                      "tcp://*:**"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(endpoint_parse_listen(&endpoint, bad[i]), STATUS_BAD_ENDPOINT);
}

static void test_format(void **state)
{
    (void)state;
    char out[128];
    const char *whole = "tcp://[::1]:5555#" KEY;
    assert_int_equal(endpoint_parse(&endpoint, whole), STATUS_OK);
    for (size_t size = 0; size <= strlen(whole); size++)
        assert_int_equal(endpoint_format(&endpoint, out, size), STATUS_TOO_LARGE);
    assert_int_equal(endpoint_format(&endpoint, out, strlen(whole) + 1), STATUS_OK);
    assert_string_equal(out, whole);
    assert_int_equal(endpoint_format_zmq(&endpoint, out, sizeof out), STATUS_OK);
    assert_string_equal(out, "tcp://[::1]:5555");
}

static void test_keys(void **state)
{
    (void)state;
    uint8_t key[KEY_BYTES], zero[KEY_BYTES] = {0};
    char text[KEY_TEXT_BYTES];
    assert_int_equal(key_from_text(key, KEY, 43), STATUS_OK);
    key_to_text(text, key);
    assert_string_equal(text, KEY);
    assert_int_equal(key_from_text(key, KEY, 42), STATUS_BAD_ENDPOINT);
    assert_memory_equal(key, zero, KEY_BYTES);
    assert_int_equal(key_from_text(key, "", 0), STATUS_BAD_ENDPOINT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long_hosts), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_listen),     cmocka_unit_test(test_format),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
