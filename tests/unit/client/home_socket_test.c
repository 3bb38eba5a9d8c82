/* SPDX-License-Identifier: MPL-2.0 */
/* The socket inside a home and the frames on it: long paths, other users, hostile bytes, slow
 * readers. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "client/home/clock.h"
#include "client/home/frame_stream.h"
#include "client/home/home_socket.h"
#include "client/local/local.h"
#include "tests/unit/client/temp_dir.h"

static home_t *open_home(const char *name)
{
    char *path = temp_path(name);
    home_t *home = NULL;
    assert_int_equal(home_new(&home, path), STATUS_OK);
    assert_int_equal(home_lock(home, "serve", 0), STATUS_OK);
    free(path);
    return home;
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

static void assert_talk(const home_t *home)
{
    int listener, peer;
    assert_int_equal(home_socket_listen(home, &listener), STATUS_OK);
    assert_int_equal(home_socket_accept(listener, &peer), STATUS_NOT_FOUND);
    struct stat info;
    assert_int_equal(fstatat(home_folder(home), "socket", &info, 0), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    screen_t *screen = NULL;
    pthread_t thread;
    peer = listener;
    assert_int_equal(pthread_create(&thread, NULL, accept_one, &peer), 0);
    assert_int_equal(home_attach(home, &screen), STATUS_OK);
    pthread_join(thread, NULL);
    assert_true(peer >= 0);
    frame_stream_t stream;
    frame_stream_init(&stream, peer);
    assert_int_equal(screen_send(screen, (bytes_t){(const uint8_t *)"hello", 5}), STATUS_OK);
    buffer_t frame = {0};
    assert_int_equal(frame_stream_get(&stream, &frame), STATUS_OK);
    assert_int_equal(frame.size, 5);
    assert_int_equal(frame_stream_put(&stream, buffer_view(&frame)), STATUS_OK);
    assert_int_equal(frame_stream_put(&stream, (bytes_t){0}), STATUS_OK); /* an empty one */
    assert_int_equal(screen_receive(screen, 60000, &frame), STATUS_OK);
    assert_memory_equal(frame.data, "hello", 5);
    assert_int_equal(screen_receive(screen, 60000, &frame), STATUS_OK);
    assert_int_equal(frame.size, 0);
    assert_int_equal(screen_receive(screen, 0, &frame), STATUS_TIMED_OUT);
    uint64_t start = clock_boot_ms();
    assert_int_equal(screen_receive(screen, 60, &frame), STATUS_TIMED_OUT);
    assert_true(clock_boot_ms() - start >= 60);
    assert_int_equal(frame_stream_put(&stream, (bytes_t){(const uint8_t *)"last", 4}), STATUS_OK);
    frame_stream_wipe(&stream);
    assert_int_equal(screen_receive(screen, UINT64_MAX, &frame),
                     STATUS_OK); /* what came before the end */
    assert_int_equal(screen_receive(screen, UINT64_MAX, &frame), STATUS_HOLDER_ENDED);
    assert_int_equal(screen_receive(screen, UINT64_MAX, &frame), STATUS_HOLDER_ENDED);
    assert_int_equal(screen_send(screen, (bytes_t){(const uint8_t *)"late", 4}),
                     STATUS_HOLDER_ENDED);
    buffer_free(&frame);
    screen_destroy(&screen);
    close(listener);
}

static void frames_cross_in_order_until_the_end(void **state)
{
    (void)state;
    home_t *home = open_home("h");
    assert_talk(home);
    home_destroy(&home);
}

static void a_long_path_works(void **state)
{
    (void)state;
    char name[400];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    name[120] = name[250] = '/';
    home_t *home = open_home(name);
    assert_true(strlen(home_path(home)) > 400);
    assert_talk(home);
    home_socket_unlink(home);
    screen_t *screen = NULL;
    assert_int_equal(home_attach(home, &screen), STATUS_NOT_FOUND);
    home_destroy(&home);
}

static void a_socket_left_behind_is_nobody(void **state)
{
    (void)state;
    home_t *home = open_home("h");
    screen_t *screen = NULL;
    assert_int_equal(home_attach(home, &screen), STATUS_NOT_FOUND);
    int listener;
    assert_int_equal(home_socket_listen(home, &listener), STATUS_OK);
    close(listener); /* as a killed holder does */
    assert_int_equal(home_attach(home, &screen), STATUS_NOT_FOUND);
    assert_null(screen);
    assert_talk(home);
    home_destroy(&home);
}

static void a_listener_that_accepts_nobody_is_nobody(void **state)
{
    (void)state;
    home_t *home = open_home("h");
    int listener;
    assert_int_equal(home_socket_listen(home, &listener), STATUS_OK);
    screen_t *screen = NULL;
    uint64_t start = clock_boot_ms();
    assert_int_equal(home_attach(home, &screen), STATUS_NOT_FOUND);
    assert_in_range(clock_boot_ms() - start, 1900, 60000);
    assert_null(screen);
    close(listener);
    home_destroy(&home);
}

static void another_user_is_turned_away(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    home_t *home = open_home("h");
    int listener, peer;
    assert_int_equal(home_socket_listen(home, &listener), STATUS_OK);
    /* Even where the modes let others in. */
    assert_int_equal(chmod(temp_dir, 0755), 0);
    assert_int_equal(fchmod(home_folder(home), 0755), 0);
    assert_int_equal(fchmodat(home_folder(home), "socket", 0666, 0), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (setgid(12345) != 0 || setuid(12345) != 0)
            _exit(1);
        screen_t *screen = NULL;
        if (home_attach(home, &screen) != STATUS_UNSAFE_PERMISSIONS) /* nor do they trust it */
            _exit(2);
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s/h/socket", temp_dir);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
            _exit(3);
        char byte;
        _exit(read(fd, &byte, 1) == 0 ? 0 : 4);
    }
    int turned_away = 0;
    for (int i = 0; i < 6000 && turned_away < 2; i++) {
        status_t status = home_socket_accept(listener, &peer);
        assert_int_not_equal(status, STATUS_OK);
        if (status == STATUS_UNSAFE_PERMISSIONS)
            turned_away++;
        else
            clock_sleep_ms(10);
    }
    int result = -1;
    assert_int_equal(waitpid(pid, &result, 0), pid);
    assert_int_equal(result, 0);
    assert_int_equal(turned_away, 2);
    close(listener);
    home_destroy(&home);
}

static void make_pair(int raw[static 1], frame_stream_t *stream)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    raw[0] = ends[0];
    int size = 65536; /* whatever this machine's default is */
    assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    frame_stream_init(stream, ends[1]);
}

static void frames_come_together_from_single_bytes(void **state)
{
    (void)state;
    int raw;
    frame_stream_t stream;
    make_pair(&raw, &stream);
    static const uint8_t bytes[] = {1, 0, 0, 0, 2, 'a', 'b', 1, 0, 0, 0, 1, 'c'};
    buffer_t frame = {0};
    for (size_t i = 0; i < sizeof bytes; i++) {
        assert_int_equal(write(raw, bytes + i, 1), 1);
        status_t expected = i == 6 || i == 12 ? STATUS_OK : STATUS_NOT_FOUND;
        assert_int_equal(frame_stream_get(&stream, &frame), expected);
    }
    assert_int_equal(frame.size, 1);
    assert_int_equal(frame.data[0], 'c');
    buffer_free(&frame);
    frame_stream_wipe(&stream);
    close(raw);
}

static void hostile_headers_end_the_stream(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[5];
        status_t status;
    } cases[] = {
        {{2, 0, 0, 0, 1}, STATUS_NEWER_FORMAT},
        {{0, 0, 0, 0, 1}, STATUS_NEWER_FORMAT},
        {{1, 0xff, 0xff, 0xff, 0xff}, STATUS_TOO_LARGE},
        {{1, 0x01, 0x40, 0x00, 0x01}, STATUS_TOO_LARGE}, /* one more than allowed */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int raw;
        frame_stream_t stream;
        make_pair(&raw, &stream);
        assert_int_equal(write(raw, cases[i].bytes, 5), 5);
        buffer_t frame = {0};
        assert_int_equal(frame_stream_get(&stream, &frame), cases[i].status);
        assert_true(stream.has_ended);
        assert_true(stream.in.capacity < 1024 * 1024); /* nothing was made room for */
        buffer_free(&frame);
        frame_stream_wipe(&stream);
        close(raw);
    }
}

static void a_half_frame_at_the_end_is_no_frame(void **state)
{
    (void)state;
    int raw;
    frame_stream_t stream;
    make_pair(&raw, &stream);
    assert_int_equal(write(raw, "\1\0\0\0\4abc", 8), 8);
    close(raw);
    buffer_t frame = {0};
    assert_int_equal(frame_stream_get(&stream, &frame), STATUS_HOLDER_ENDED);
    buffer_free(&frame);
    frame_stream_wipe(&stream);
}

static void a_slow_reader_has_a_limit_and_loses_nothing_below_it(void **state)
{
    (void)state;
    int raw;
    frame_stream_t stream;
    make_pair(&raw, &stream);
    uint8_t *block = calloc(1, 1024 * 1024);
    uint32_t put = 0;
    for (; put < 100; put++) {
        put_u32(block, put);
        if (frame_stream_put(&stream, (bytes_t){block, 1024 * 1024}) != STATUS_OK)
            break;
    }
    assert_in_range(put, 31, 33);
    assert_true(frame_stream_is_sending(&stream));
    frame_stream_t reader;
    frame_stream_init(&reader, raw);
    buffer_t frame = {0};
    uint32_t got = 0;
    for (int i = 0; i < 100000 && got < put; i++) {
        assert_int_equal(frame_stream_flush(&stream), STATUS_OK);
        status_t status = frame_stream_get(&reader, &frame);
        if (status == STATUS_NOT_FOUND)
            continue;
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(frame.size, 1024 * 1024);
        assert_int_equal(get_u32(frame.data), got);
        got++;
    }
    assert_int_equal(got, put);
    assert_false(frame_stream_is_sending(&stream));
    buffer_free(&frame);
    bytes_t too_large = {block, LOCAL_FRAME_MAX_BYTES + 1u};
    assert_int_equal(frame_stream_put(&stream, too_large), STATUS_TOO_LARGE);
    free(block);
    frame_stream_wipe(&stream);
    assert_int_equal(frame_stream_put(&stream, (bytes_t){0}), STATUS_HOLDER_ENDED);
    frame_stream_wipe(&reader);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_setup, temp_dir_teardown)
    const struct CMUnitTest tests[] = {
        TEST(frames_cross_in_order_until_the_end),
        TEST(a_long_path_works),
        TEST(a_socket_left_behind_is_nobody),
        TEST(a_listener_that_accepts_nobody_is_nobody),
        TEST(another_user_is_turned_away),
        cmocka_unit_test(frames_come_together_from_single_bytes),
        cmocka_unit_test(hostile_headers_end_the_stream),
        cmocka_unit_test(a_half_frame_at_the_end_is_no_frame),
        cmocka_unit_test(a_slow_reader_has_a_limit_and_loses_nothing_below_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
