/* SPDX-License-Identifier: MPL-2.0 */
/* What a service manager is sent, and that a broken one does no harm. */
#include "broker/process/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int manager; /* its socket */
static char name[64];
static char received[1024];

static void set_name(const char *text)
{
    assert_int_equal(setenv("NOTIFY_SOCKET", text, 1), 0);
}

static int setup(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(name, sizeof name, "@conclave-service-test-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, strlen(name + 1));
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    set_name(name);
    return bind(manager, (const struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name)));
}

static int teardown(void **state)
{
    (void)state;
    return close(manager);
}

/* The next datagram, "" if there is none. */
static const char *next(void)
{
    ssize_t size = recv(manager, received, sizeof received - 1, 0);
    received[size > 0 ? size : 0] = '\0';
    return received;
}

static void states_are_told(void **state)
{
    service_t service;
    unsigned long long then;
    (void)state;
    service_open(&service, NULL);
    service_ready(&service, "tcp://127.0.0.1:1");
    assert_string_equal(next(), "READY=1\nSTATUS=Serving at tcp://127.0.0.1:1");
    service_reloading(&service);
    assert_int_equal(sscanf(next(), "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reading", &then), 1);
    assert_true(then > 0);
    service_trouble(&service, "The store failed");
    assert_string_equal(next(), "STATUS=The store failed");
    service_trouble(&service, NULL);
    assert_string_equal(next(), "READY=1\nSTATUS=Serving at tcp://127.0.0.1:1");
    service_stopping(&service, 10);
    assert_string_equal(next(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000\n"
                                "STATUS=Draining, for 10 s at most");
    service_alive(&service, 1);
    assert_string_equal(next(), "");
    assert_int_equal(service_next_ping(&service), UINT64_MAX);
    service_close(&service);
    service_ready(&service, "nobody");
    assert_string_equal(next(), "");
}

static void the_watchdog_is_pinged_in_half_its_time(void **state)
{
    service_t service;
    (void)state;
    setenv("WATCHDOG_USEC", "3000000", 1);
    service_open(&service, NULL);
    service_alive(&service, 5000);
    assert_string_equal(next(), "WATCHDOG=1");
    assert_int_equal(service_next_ping(&service), 6500);
    service_alive(&service, 6499);
    assert_string_equal(next(), "");
    service_alive(&service, 6500);
    assert_string_equal(next(), "WATCHDOG=1");
    service_stopping(&service, 7);
    assert_non_null(strstr(next(), "\nWATCHDOG_USEC=12000000\n"));
    service_close(&service);
}

static void a_watchdog_of_somebody_else_is_not_pinged(void **state)
{
    const char *times[] = {"3000000", "0", "", "soon"};
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        service_t service;
        setenv("WATCHDOG_USEC", times[i], 1);
        if (i == 0) {
            setenv("WATCHDOG_PID", "1", 1);
        } else {
            unsetenv("WATCHDOG_PID");
        }
        service_open(&service, NULL);
        service_alive(&service, 1);
        assert_string_equal(next(), "");
        service_close(&service);
    }
    char pid[16];
    service_t service;
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    setenv("WATCHDOG_USEC", "1", 1);
    service_open(&service, NULL);
    service_alive(&service, 1);
    assert_string_equal(next(), "WATCHDOG=1");
    assert_int_equal(service_next_ping(&service), 2);
    service_close(&service);
}

static void names_that_are_no_use(void **state)
{
    char longest[200];
    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    const char *names[] = {"", "relative", "/", "@", longest, "/nowhere/at/all", "vsock:2:1"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        service_t service;
        set_name(names[i]);
        service_open(&service, NULL);
        service_ready(&service, "tcp://127.0.0.1:1");
        service_close(&service);
        assert_string_equal(next(), "");
    }
    unsetenv("NOTIFY_SOCKET");
    service_t service;
    service_open(&service, NULL);
    assert_false(service.is_listening);
    service_close(&service);
}

static void a_manager_that_reads_nothing_holds_up_no_ping(void **state)
{
    service_t service;
    (void)state;
    setenv("WATCHDOG_USEC", "2000", 1);
    service_open(&service, NULL);
    for (uint64_t now = 1; now <= 5000; now++) {
        service_alive(&service, now);
    }
    assert_int_equal(service_next_ping(&service), 5001);
    service_close(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(states_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(the_watchdog_is_pinged_in_half_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_watchdog_of_somebody_else_is_not_pinged, setup, teardown),
        cmocka_unit_test_setup_teardown(names_that_are_no_use, setup, teardown),
        cmocka_unit_test_setup_teardown(a_manager_that_reads_nothing_holds_up_no_ping, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
