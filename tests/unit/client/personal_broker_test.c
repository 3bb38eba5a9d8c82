/* SPDX-License-Identifier: MPL-2.0 */
/* Starting a broker of one's own, with a stand-in for conclaved: a script that listens where it is
 * told. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "client/home/clock.h"
#include "client/home/personal_broker.h"
#include "tests/unit/client/temp_dir.h"

/* Notes its pid; on a port of its choice if told "*"; ends at once if there is a file "refuse". */
static const char listener[] =
    "#!/usr/bin/python3\n"
    "import os, socket, sys, time\n"
    "data = sys.argv[sys.argv.index('--data') + 1]\n"
    "port = sys.argv[sys.argv.index('--listen') + 1].split(':')[-1]\n"
    "print('started on', port, 'session', os.getsid(0) == os.getpid(), flush=True)\n"
    "open(data + '/pid', 'w').write(str(os.getpid()))\n"
    "if os.path.exists(data + '/refuse') and port != '*': sys.exit(1)\n"
    "s = socket.socket()\n"
    "s.bind(('127.0.0.1', 0))\n"
    "s.listen(5)\n"
    "key = 'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE'\n"
    "open(data + '/broker.url.new', 'w').write('tcp://127.0.0.1:%d#%s\\n' % (s.getsockname()[1], "
    "key))\n"
    "os.rename(data + '/broker.url.new', data + '/broker.url')\n"
    "time.sleep(30)\n";

static void write_file(const char *name, const char *content, mode_t mode)
{
    char *path = temp_path(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
    free(path);
}

static int setup(void **state)
{
    int rc = temp_dir_setup(state);
    setenv("XDG_DATA_HOME", temp_dir, 1);
    return rc;
}

static pid_t started_pid(void)
{
    char *path = temp_path("conclave-broker/pid");
    FILE *file = fopen(path, "r");
    long pid = 0;
    if (file && fscanf(file, "%ld", &pid) != 1)
        pid = 0;
    if (file)
        fclose(file);
    free(path);
    return (pid_t)pid;
}

static int teardown(void **state)
{
    pid_t pid = started_pid();
    if (pid > 1) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return temp_dir_teardown(state);
}

static void log_text(char *out, size_t size)
{
    char *path = personal_broker_log_path();
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    out[fread(out, 1, size - 1, file)] = '\0';
    fclose(file);
    free(path);
}

static void one_is_started_once_and_found_again(void **state)
{
    (void)state;
    write_file("conclaved", listener, 0755);
    char *argv0 = temp_path("conclave");
    char url[256], again[256], log[512];
    assert_int_equal(personal_broker_find(url, sizeof url), STATUS_NOT_FOUND);
    assert_string_equal(url, "");
    assert_int_equal(personal_broker_start(argv0, 60000, url, sizeof url), STATUS_OK);
    assert_memory_equal(url, "tcp://127.0.0.1:", 16);
    assert_int_equal(personal_broker_find(again, sizeof again), STATUS_OK);
    assert_string_equal(url, again);
    pid_t pid = started_pid();
    assert_int_equal(personal_broker_start(argv0, 60000, again, sizeof again), STATUS_OK);
    assert_string_equal(url, again);
    assert_int_equal(started_pid(), pid);
    log_text(log, sizeof log);
    assert_string_equal(log, "started on 5670 session True\n");
    assert_int_equal(personal_broker_find(url, 10), STATUS_TOO_LARGE);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(personal_broker_find(url, sizeof url), STATUS_NOT_FOUND);
    free(argv0);
}

static void a_taken_port_leads_to_another(void **state)
{
    (void)state;
    write_file("conclaved", listener, 0755);
    char *folder = temp_path("conclave-broker"), *argv0 = temp_path("conclave");
    assert_int_equal(mkdir(folder, 0700), 0);
    write_file("conclave-broker/refuse", "", 0600);
    char url[256], log[512];
    assert_int_equal(personal_broker_start(argv0, 60000, url, sizeof url), STATUS_OK);
    log_text(log, sizeof log);
    assert_string_equal(log, "started on 5670 session True\nstarted on * session True\n");
    free(folder);
    free(argv0);
}

static void failures_are_told_apart(void **state)
{
    (void)state;
    char *argv0 = temp_path("conclave");
    char url[256] = "x";
    setenv("PATH", "/nonexistent", 1);
    assert_int_equal(personal_broker_start(argv0, 500, url, sizeof url), STATUS_NOT_FOUND);
    assert_string_equal(url, "");
    write_file("conclaved", "#!/bin/sh\nexit 3\n", 0755);
    assert_int_equal(personal_broker_start(argv0, 60000, url, sizeof url), STATUS_IO_ERROR);
    write_file("conclaved", "#!/bin/sh\nexec /bin/sleep 3\n", 0755);
    uint64_t start = clock_boot_ms();
    assert_int_equal(personal_broker_start(argv0, 300, url, sizeof url), STATUS_TIMED_OUT);
    assert_true(clock_boot_ms() - start >= 300);
    free(argv0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_is_started_once_and_found_again),
        TEST(a_taken_port_leads_to_another),
        TEST(failures_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
