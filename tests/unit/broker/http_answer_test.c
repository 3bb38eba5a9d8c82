/* SPDX-License-Identifier: MPL-2.0 */
/* Who is answered what by the HTTP server, without a socket. */
#include "broker/http/answer.h"
#include "broker/http/page.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static counters_t counters;
static router_times_t times;
static numbers_t numbers;
static metrics_self_t own;
static http_token_t token;

static http_context_t context(void)
{
    return (http_context_t){.token = &token, .numbers = &numbers, .own = &own};
}

static http_request_t request(const char *path)
{
    return (http_request_t){.method = "GET", .path = path, .host = "127.0.0.1:5680"};
}

/* The answer's code; its body is in `body`. */
static char body[65536];

static int answer(const http_context_t *with, const http_request_t *of)
{
    http_answer_t out = {0};
    http_answer(&out, with, of);
    snprintf(body, sizeof body, "%.*s", (int)out.body.size,
             out.body.data ? (const char *)out.body.data : "");
    int code = (int)out.code;
    bool has_policy = false;
    for (size_t i = 0; i < out.header_count; i++) {
        has_policy |= strcmp(out.headers[i].name, "Content-Security-Policy") == 0 &&
                      strstr(out.headers[i].value, "default-src 'none'");
        assert_string_not_equal(out.headers[i].name, "Access-Control-Allow-Origin");
    }
    assert_true(has_policy);
    http_answer_wipe(&out);
    return code;
}

static int setup(void **state)
{
    (void)state;
    memset(&counters, 0, sizeof counters);
    memset(&times, 0, sizeof times);
    memset(&own, 0, sizeof own);
    memset(&token, 0, sizeof token);
    numbers = (numbers_t){.from = {.counters = &counters, .times = &times}};
    return 0;
}

static void test_hosts(void **state)
{
    static const char *const local[] = {"localhost",      "LocalHost:80", "127.0.0.1",
                                        "127.9.8.7:5680", "[::1]",        "[::1]:1"};
    static const char *const foreign[] = {"",
                                          "evil.example",
                                          "localhost.evil.example",
                                          "127.0.0.1.evil.example",
                                          "127.0.0.1:80:80",
                                          "127.0.0.1:x",
                                          "128.0.0.1",
                                          "10.0.0.1",
                                          "[::2]",
                                          "[::1]x",
                                          "localhostx",
                                          "0.0.0.0",
                                          "127.1",
                                          "localhost:",
                                          "2130706433",
                                          "127.0.0.1:80 ",
                                          "@127.0.0.1"};
    (void)state;
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        assert_true(http_host_is_local(local[i]));
    }
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        http_context_t with = context();
        http_request_t of = request("/varz");
        of.host = foreign[i];
        assert_false(http_host_is_local(foreign[i]));
        assert_int_equal(answer(&with, &of), 421);
        with.is_public = true;
        assert_int_equal(answer(&with, &of), 200);
    }
    assert_false(http_host_is_local(NULL));
}

static void test_paths_and_methods(void **state)
{
    static const char *const pages[] = {"/", "/events", "/healthz", "/metrics", "/varz"};
    static const char *const methods[] = {"POST", "PUT", "OPTIONS", "DELETE", "TRACE", "get", ""};
    const http_context_t with = context();
    (void)state;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        http_request_t of = request(pages[i]);
        assert_int_equal(answer(&with, &of), 200);
        for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
            of.method = methods[m];
            assert_int_equal(answer(&with, &of), 405);
        }
    }
    static const char *const none[] = {"", "//", "/metrics/", "/../metrics", "/Metrics", "/x"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        const http_request_t of = request(none[i]);
        assert_int_equal(answer(&with, &of), 404);
    }
}

static void test_other_sites(void **state)
{
    const http_context_t with = context();
    http_request_t of = request("/varz");
    (void)state;
    of.fetch_site = "cross-site";
    of.fetch_mode = "no-cors";
    assert_int_equal(answer(&with, &of), 403);
    of.fetch_mode = NULL;
    assert_int_equal(answer(&with, &of), 403);
    of.fetch_site = "same-site";
    assert_int_equal(answer(&with, &of), 403);
    of.fetch_site = "same-origin";
    assert_int_equal(answer(&with, &of), 200);
    of.fetch_site = "cross-site"; /* a link that is followed */
    of.fetch_mode = "navigate";
    assert_int_equal(answer(&with, &of), 200);
}

static void test_token(void **state)
{
    const http_context_t with = context();
    http_request_t of = request("/metrics");
    (void)state;
    strcpy(token.text, "0123456789abcdef");
    assert_int_equal(answer(&with, &of), 401);
    of.token = "0123456789abcdeg";
    assert_int_equal(answer(&with, &of), 401);
    of.token = "0123456789abcdef0";
    assert_int_equal(answer(&with, &of), 401);
    of.token = "0123456789abcde";
    assert_int_equal(answer(&with, &of), 401);
    of.token = "0123456789abcdef";
    assert_int_equal(answer(&with, &of), 200);
    of.authorization = "Bearer wrong";
    assert_int_equal(answer(&with, &of), 401);
    of.token = NULL;
    of.authorization = "bearer 0123456789abcdef";
    assert_int_equal(answer(&with, &of), 200);
    of.authorization = "Basic 0123456789abcdef";
    assert_int_equal(answer(&with, &of), 401);
    static char long_token[HTTP_TOKEN_MAX_BYTES + 2];
    memset(long_token, 'a', sizeof long_token - 1);
    of.authorization = NULL;
    of.token = long_token;
    assert_int_equal(answer(&with, &of), 401);
    of = request("/healthz");
    assert_int_equal(answer(&with, &of), 200);
    of = request("/nowhere"); /* what there is, is not told either */
    assert_int_equal(answer(&with, &of), 401);
}

static void test_when_full_only_health_is_answered(void **state)
{
    http_context_t with = context();
    (void)state;
    with.is_full = true;
    http_request_t of = request("/metrics");
    assert_int_equal(answer(&with, &of), 503);
    of = request("/healthz");
    assert_int_equal(answer(&with, &of), 200);
}

static void token_file(const char *text, mode_t mode, status_t expected)
{
    char path[] = "/tmp/conclave-token-XXXXXX";
    http_token_t out;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    assert_int_equal(http_token_read(&out, path), expected);
    assert_int_equal(out.text[0] != 0, expected == STATUS_OK);
    unlink(path);
}

static void test_token_files(void **state)
{
    (void)state;
    token_file("0123456789abcdef\n", 0600, STATUS_OK);
    token_file("0123456789abcdef", 0400, STATUS_OK);
    token_file("0123456789-._~AZ\r\nmore\n", 0600, STATUS_OK);
    token_file("0123456789abcdef\n", 0640, STATUS_UNSAFE_PERMISSIONS);
    token_file("0123456789abcde\n", 0600, STATUS_INVALID);
    token_file("0123456789abcdef ghi\n", 0600, STATUS_INVALID);
    token_file("0123456789abcdef\xc3\xa9\n", 0600, STATUS_INVALID);
    token_file("", 0600, STATUS_INVALID);
    http_token_t out;
    assert_int_equal(http_token_read(&out, "/nowhere/token"), STATUS_NOT_FOUND);
}

static void test_local_addresses(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    (void)state;
    assert_false(http_address_is_local((struct sockaddr *)&in));
    in.sin_addr.s_addr = htonl(0x7f000001);
    assert_true(http_address_is_local((struct sockaddr *)&in));
    in.sin_addr.s_addr = htonl(0x80000001);
    assert_false(http_address_is_local((struct sockaddr *)&in));
    assert_true(http_address_is_local((struct sockaddr *)&in6));
    in6.sin6_addr = in6addr_any;
    assert_false(http_address_is_local((struct sockaddr *)&in6));
}

static void test_readiness(void **state)
{
    static router_calls_t *calls;
    (void)state;
    assert_non_null(numbers_problem(&numbers, 1000)); /* the sources are gone */
    calls = router_calls_new();
    numbers.from.calls = calls;
    assert_non_null(strstr(numbers_problem(&numbers, 1000), "busy"));
    numbers.taken_ms = 1000;
    assert_null(numbers_problem(&numbers, 1000 + NUMBERS_STALE_MS));
    assert_non_null(strstr(numbers_problem(&numbers, 1001 + NUMBERS_STALE_MS), "busy"));
    numbers.room = STATUS_STORE_FULL;
    assert_non_null(strstr(numbers_problem(&numbers, 1000), "store full"));
    numbers.room = STATUS_STORE_FAILED;
    assert_non_null(strstr(numbers_problem(&numbers, 1000), "store failed"));
    numbers.room = STATUS_OK;
    counter_set(&counters.store_closed, 1);
    assert_non_null(strstr(numbers_problem(&numbers, 1000), "store failed"));
    counter_set(&counters.store_closed, 0);
    counter_set(&counters.draining, 1);
    assert_non_null(strstr(numbers_problem(&numbers, 1000), "draining"));
    router_calls_destroy(&calls);
}

static void test_a_label_stays_a_label(void **state)
{
    buffer_t out = {0};
    (void)state;
    metrics_escape_label(&out, "a\"} 1\nb\\");
    buffer_u8(&out, 0);
    assert_string_equal((char *)out.data, "a\\\"} 1\\nb\\\\");
    buffer_free(&out);
}

static void test_the_page_has_a_new_nonce_each_time(void **state)
{
    buffer_t page = {0};
    char first[PAGE_NONCE_BYTES], second[PAGE_NONCE_BYTES];
    char policy[PAGE_POLICY_BYTES];
    (void)state;
    page_write(&page, first);
    buffer_clear(&page);
    page_write(&page, second);
    buffer_u8(&page, 0);
    assert_string_not_equal(first, second);
    assert_non_null(strstr((char *)page.data, second));
    assert_null(strstr((char *)page.data, "@NONCE@"));
    assert_null(strstr((char *)page.data, "innerHTML"));
    page_policy(policy, second);
    assert_non_null(strstr(policy, second));
    assert_null(strstr(policy, "unsafe"));
    buffer_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_hosts, setup),
        cmocka_unit_test_setup(test_paths_and_methods, setup),
        cmocka_unit_test_setup(test_other_sites, setup),
        cmocka_unit_test_setup(test_token, setup),
        cmocka_unit_test_setup(test_when_full_only_health_is_answered, setup),
        cmocka_unit_test_setup(test_token_files, setup),
        cmocka_unit_test_setup(test_local_addresses, setup),
        cmocka_unit_test_setup(test_readiness, setup),
        cmocka_unit_test_setup(test_a_label_stays_a_label, setup),
        cmocka_unit_test_setup(test_the_page_has_a_new_nonce_each_time, setup),
    };
    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
