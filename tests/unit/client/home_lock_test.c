/* SPDX-License-Identifier: MPL-2.0 */
/* One process holds a home: contention, death of the holder, waiting. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "client/home/clock.h"
#include "client/home/home.h"
#include "client/home/home_socket.h"
#include "tests/unit/client/temp_dir.h"

static home_t *open_home(void)
{
    char *path = temp_path("h");
    home_t *home = NULL;
    assert_int_equal(home_new(&home, path), STATUS_OK);
    free(path);
    return home;
}

/* A process that holds the home for so long, then exits by itself. Returns once it holds it. */
static pid_t start_holder(const char *role, unsigned hold_ms)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        home_t *home = open_home();
        if (home_lock(home, role, 1000) != STATUS_OK || write(ends[1], "x", 1) != 1)
            _exit(1);
        clock_sleep_ms(hold_ms);
        _exit(0);
    }
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    close(ends[1]);
    return pid;
}

static void the_holder_is_named(void **state)
{
    (void)state;
    home_t *home = open_home();
    home_holder_t holder;
    assert_int_equal(home_holder(home, &holder), STATUS_NOT_FOUND);
    pid_t pid = start_holder("serve", 60000);
    assert_int_equal(home_lock(home, "send", 0), STATUS_HOME_IN_USE);
    assert_false(home_is_locked(home));
    assert_int_equal(home_holder(home, &holder), STATUS_OK);
    assert_int_equal(holder.pid, pid);
    assert_string_equal(holder.role, "serve");
    uint64_t start = clock_boot_ms();
    assert_int_equal(home_lock(home, "send", 150), STATUS_HOME_IN_USE);
    assert_in_range(clock_boot_ms() - start, 150, 30000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(home_holder(home, &holder), STATUS_NOT_FOUND);
    assert_int_equal(home_lock(home, "send", 0), STATUS_OK); /* nothing stale is left */
    assert_true(home_is_locked(home));
    assert_int_equal(home_holder(home, &holder), STATUS_OK);
    assert_int_equal(holder.pid, getpid());
    assert_int_equal(home_lock(home, "chat", 0), STATUS_OK);
    assert_int_equal(home_holder(home, &holder), STATUS_OK);
    assert_string_equal(holder.role, "chat");
    home_unlock(home);
    home_unlock(home);
    assert_int_equal(home_holder(home, &holder), STATUS_NOT_FOUND);
    home_destroy(&home);
}

static void a_second_one_waits(void **state)
{
    (void)state;
    home_t *home = open_home();
    pid_t pid = start_holder("create", 300);
    assert_int_equal(home_lock(home, "send", 60000), STATUS_OK);
    waitpid(pid, NULL, 0);
    home_destroy(&home);
}

static void two_of_one_process_exclude_each_other(void **state)
{
    (void)state;
    home_t *one = open_home(), *other = open_home();
    assert_int_equal(home_lock(one, "a", 0), STATUS_OK);
    assert_int_equal(home_lock(other, "b", 0), STATUS_HOME_IN_USE);
    home_destroy(&one);
    assert_int_equal(home_lock(other, "b", 0), STATUS_OK);
    home_destroy(&other);
}

static void many_never_hold_it_together(void **state)
{
    (void)state;
    home_t *home = open_home();
    pid_t pids[6];
    for (int i = 0; i < 6; i++) {
        pids[i] = fork();
        if (pids[i] != 0)
            continue;
        for (int turn = 0; turn < 20; turn++) {
            home_t *mine = open_home();
            if (home_lock(mine, "x", 60000) != STATUS_OK)
                _exit(1);
            int fd = openat(home_folder(mine), "inside", O_CREAT | O_EXCL | O_WRONLY, 0600);
            if (fd < 0)
                _exit(2);
            close(fd);
            unlinkat(home_folder(mine), "inside", 0);
            home_destroy(&mine);
        }
        _exit(0);
    }
    for (int i = 0; i < 6; i++) {
        int result = -1;
        assert_int_equal(waitpid(pids[i], &result, 0), pids[i]);
        assert_int_equal(result, 0);
    }
    home_destroy(&home);
}

static void a_strange_lock_file_does_no_harm(void **state)
{
    (void)state;
    home_t *home = open_home();
    int fd = openat(home_folder(home), "lock", O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "99999999999999999999 \x1b[31m", 25), 25);
    home_holder_t holder;
    assert_int_equal(home_holder(home, &holder), STATUS_NOT_FOUND);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
    assert_int_equal(home_holder(home, &holder), STATUS_OK);
    assert_int_equal(holder.pid, 0);
    assert_string_equal(holder.role, "");
    close(fd);
    assert_int_equal(home_lock(home, "x", 0), STATUS_OK);
    home_destroy(&home);
}

/* Accepts one peer in a thread of its own, since home_attach waits for that. */
static void *accept_one(void *argument)
{
    int *socket_of = argument; /* in: the listener; out: the peer, or -1 */
    int listener = *socket_of;
    status_t status = STATUS_NOT_FOUND;
    for (int i = 0; i < 6000 && status == STATUS_NOT_FOUND; i++) {
        status = home_socket_accept(listener, socket_of);
        clock_sleep_ms(5);
    }
    return NULL;
}

static void lock_or_attach_waits_for_either(void **state)
{
    (void)state;
    home_t *home = open_home();
    pid_t pid = start_holder("create", 60000); /* takes no commands */
    screen_t *attached = NULL;
    home_holder_t holder;
    assert_int_equal(home_lock_or_attach(home, "send", true, 100, &attached, &holder),
                     STATUS_HOME_IN_USE);
    assert_int_equal(holder.pid, pid);
    assert_string_equal(holder.role, "create");
    assert_null(attached);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(home_lock_or_attach(home, "send", true, 100, &attached, &holder), STATUS_OK);
    assert_null(attached);
    int listener;
    assert_int_equal(home_socket_listen(home, &listener), STATUS_OK);
    home_t *second = open_home();
    assert_int_equal(home_lock_or_attach(second, "send", false, 50, &attached, NULL),
                     STATUS_HOME_IN_USE);
    int peer = listener;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, accept_one, &peer), 0);
    assert_int_equal(home_lock_or_attach(second, "send", true, 50, &attached, NULL), STATUS_OK);
    pthread_join(thread, NULL);
    close(peer);
    assert_non_null(attached);
    assert_true(screen_is_remote(attached));
    screen_destroy(&attached);
    close(listener);
    home_destroy(&second);
    home_destroy(&home);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_setup, temp_dir_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_holder_is_named),
        TEST(a_second_one_waits),
        TEST(two_of_one_process_exclude_each_other),
        TEST(many_never_hold_it_together),
        TEST(a_strange_lock_file_does_no_harm),
        TEST(lock_or_attach_waits_for_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
