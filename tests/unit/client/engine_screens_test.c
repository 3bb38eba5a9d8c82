/* SPDX-License-Identifier: MPL-2.0 */
/* A whole engine around cores that echo: screens of this process and of others, endings, failures,
 * two processes on one home. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "client/actors/engine.h"
#include "client/actors/screens.h"
#include "client/home/clock.h"
#include "client/home/home_socket.h"
#include "client/keys/identity.h"
#include "client/local/local.h"
#include "tests/unit/client/echo_core.h"
#include "tests/unit/client/fake_broker.h"
#include "tests/unit/client/temp_dir.h"

static identity_t *identity;
static char broker_url[] = "tcp://127.0.0.1:1#AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

static home_t *open_home(void)
{
    char *path = temp_path("h");
    home_t *home = NULL;
    assert_int_equal(home_new(&home, path), STATUS_OK);
    free(path);
    return home;
}

static engine_t *start(home_t *home, const char *role, bool accept)
{
    engine_options_t options = {.identity = identity,
                                .broker_url = broker_url,
                                .role = role,
                                .poll_period_ms = 200,
                                .accept_screens = accept};
    engine_t *engine = NULL;
    assert_int_equal(home_lock(home, role, 60000), STATUS_OK);
    assert_int_equal(engine_new(&engine, home, &options), STATUS_OK);
    return engine;
}

static void ask(screen_t *screen, local_verb_t verb, uint64_t id)
{
    buffer_t frame = {0};
    local_write_request(&frame, verb, id, NULL, NULL);
    assert_int_equal(screen_send(screen, buffer_view(&frame)), STATUS_OK);
    buffer_free(&frame);
}

/* Asks and waits for the answer; its bytes stay in frame. */
static void call(screen_t *screen, local_verb_t verb, uint64_t id, buffer_t *frame,
                 local_message_t *answer)
{
    ask(screen, verb, id);
    assert_int_equal(screen_receive(screen, 60000, frame), STATUS_OK);
    assert_int_equal(local_message_read(answer, buffer_view(frame), 1u << MESSAGE_REPLY),
                     STATUS_OK);
    assert_int_equal(answer->verb, verb);
    assert_int_equal(answer->id, id);
}

static void assert_ending(screen_t *screen, const char *reason)
{
    buffer_t frame = {0};
    local_message_t message;
    assert_int_equal(screen_receive(screen, 60000, &frame), STATUS_OK);
    assert_int_equal(local_message_read(&message, buffer_view(&frame), 1u << MESSAGE_PUSH),
                     STATUS_OK);
    assert_int_equal(message.verb, LOCAL_VERB_ending);
    assert_int_equal(message.body.ending_push.reason.size, strlen(reason));
    assert_memory_equal(message.body.ending_push.reason.data, reason, strlen(reason));
    assert_int_equal(screen_receive(screen, 60000, &frame), STATUS_HOLDER_ENDED);
    local_message_wipe(&message);
    buffer_free(&frame);
}

static void screens_of_this_process_are_served(void **state)
{
    (void)state;
    home_t *home = open_home();
    engine_t *engine = start(home, "chat", false);
    screen_t *one = NULL, *two = NULL;
    assert_int_equal(engine_screen_new(engine, &one), STATUS_OK);
    assert_int_equal(engine_screen_new(engine, &two), STATUS_OK);
    assert_false(screen_is_remote(one));
    buffer_t frame = {0};
    local_message_t answer;
    call(one, LOCAL_VERB_status, 7, &frame, &answer);
    assert_int_equal(answer.body.status_reply.outbox, 1);
    call(two, LOCAL_VERB_status, 7, &frame, &answer);
    assert_int_equal(answer.body.status_reply.outbox, 2);
    call(one, LOCAL_VERB_pending, 8, &frame, &answer); /* by way of the admin actor */
    screen_destroy(&one);
    call(two, LOCAL_VERB_status, 9, &frame, &answer);
    char reason[ENGINE_REASON_BYTES];
    assert_int_equal(engine_failure(engine, reason), STATUS_OK);
    assert_string_equal(reason, "");
    engine_destroy(&engine, NULL);
    assert_null(engine);
    assert_ending(two, "chat ended");
    screen_destroy(&two);
    engine = start(home, "chat", false); /* the vault was closed in order */
    assert_int_equal(engine_screen_new(engine, &one), STATUS_OK);
    call(one, LOCAL_VERB_status, 1, &frame, &answer);
    assert_int_equal(answer.body.status_reply.outbox, 4);
    engine_destroy(&engine, "bye");
    assert_ending(one, "bye");
    screen_destroy(&one);
    buffer_free(&frame);
    home_destroy(&home);
}

static void many_frames_arrive_in_order(void **state)
{
    (void)state;
    home_t *home = open_home();
    engine_t *engine = start(home, "chat", false);
    screen_t *screen = NULL;
    assert_int_equal(engine_screen_new(engine, &screen), STATUS_OK);
    enum { MANY = 2000 };
    for (uint64_t i = 0; i < MANY; i++)
        ask(screen, LOCAL_VERB_pending, i);
    buffer_t frame = {0};
    local_message_t answer;
    for (uint64_t i = 0; i < MANY; i++) {
        assert_int_equal(screen_receive(screen, 60000, &frame), STATUS_OK);
        assert_int_equal(local_message_read(&answer, buffer_view(&frame), 1u << MESSAGE_REPLY),
                         STATUS_OK);
        assert_int_equal(answer.id, i);
    }
    buffer_free(&frame);
    screen_destroy(&screen);
    engine_destroy(&engine, NULL);
    home_destroy(&home);
}

static void a_failure_ends_the_screens_and_is_told(void **state)
{
    (void)state;
    home_t *home = open_home();
    engine_t *engine = start(home, "chat", false);
    screen_t *screen = NULL, *late = NULL;
    assert_int_equal(engine_screen_new(engine, &screen), STATUS_OK);
    ask(screen, LOCAL_VERB_unregister, 1);
    assert_ending(screen, "told to");
    char reason[ENGINE_REASON_BYTES];
    assert_int_equal(engine_failure(engine, reason), STATUS_DAMAGED_FILE);
    assert_string_equal(reason, "told to");
    assert_int_equal(engine_failure(engine, reason), STATUS_DAMAGED_FILE); /* and stays so */
    assert_int_equal(engine_screen_new(engine, &late), STATUS_OK);
    buffer_t frame = {0};
    assert_int_equal(screen_receive(late, 60000, &frame), STATUS_HOLDER_ENDED);
    buffer_free(&frame);
    screen_destroy(&late);
    screen_destroy(&screen);
    engine_destroy(&engine, NULL);
    home_destroy(&home);
}

static void engines_that_cannot_start_say_why(void **state)
{
    (void)state;
    home_t *home = open_home();
    engine_options_t options = {.identity = identity, .broker_url = broker_url, .role = "x"};
    engine_t *engine = NULL;
    assert_int_equal(engine_new(&engine, home, &options), STATUS_HOME_IN_USE); /* not locked */
    assert_int_equal(home_lock(home, "x", 0), STATUS_OK);
    options.broker_url = "tcp://127.0.0.1:1";
    assert_int_equal(engine_new(&engine, home, &options), STATUS_BAD_ENDPOINT);
    options.broker_url = broker_url;
    int fd = openat(home_folder(home), "member.vault", O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "this is no vault at all, but it has some length", 47), 47);
    close(fd);
    assert_int_equal(engine_new(&engine, home, &options), STATUS_DAMAGED_FILE);
    assert_null(engine);
    home_destroy(&home);
}

static void hostile_screens_harm_nobody(void **state)
{
    (void)state;
    home_t *home = open_home();
    engine_t *engine = start(home, "serve", true);
    buffer_t frame = {0};
    local_message_t answer;
    screen_t *good = NULL;
    assert_int_equal(home_attach(home, &good), STATUS_OK);
    for (int i = 0; i < 40; i++) {
        screen_t *bad = NULL;
        assert_int_equal(home_attach(home, &bad), STATUS_OK);
        uint8_t noise[300];
        randombytes_buf(noise, sizeof noise);
        noise[0] = (uint8_t)(i % 3);
        if (i % 2 == 0)
            assert_int_equal(send(screen_fd(bad), noise, sizeof noise, 0), sizeof noise);
        else
            assert_int_equal(screen_send(bad, (bytes_t){noise, sizeof noise}), STATUS_OK);
        screen_destroy(&bad);
    }
    call(good, LOCAL_VERB_status, 3, &frame, &answer);
    /* More screens than there is room for: the newest are turned away, the first still works. */
    screen_t *many[SCREENS_MAX + 8];
    for (size_t i = 0; i < SCREENS_MAX + 8; i++) {
        assert_int_equal(engine_screen_new(engine, &many[i]), STATUS_OK);
    }
    call(good, LOCAL_VERB_status, 4, &frame, &answer);
    assert_int_equal(screen_receive(many[SCREENS_MAX + 7], 60000, &frame), STATUS_HOLDER_ENDED);
    for (size_t i = 0; i < SCREENS_MAX + 8; i++)
        screen_destroy(&many[i]);
    /* There is room again, once it has noticed that they are gone. */
    status_t status = STATUS_HOLDER_ENDED;
    for (int i = 0; i < 1000 && status == STATUS_HOLDER_ENDED; i++) {
        screen_t *again = NULL;
        assert_int_equal(home_attach(home, &again), STATUS_OK);
        buffer_t request = {0};
        local_write_request(&request, LOCAL_VERB_status, 5, NULL, NULL);
        status = screen_send(again, buffer_view(&request));
        if (status == STATUS_OK)
            status = screen_receive(again, 60000, &frame);
        buffer_free(&request);
        screen_destroy(&again);
        clock_sleep_ms(20);
    }
    assert_int_equal(status, STATUS_OK);
    screen_destroy(&good);
    buffer_free(&frame);
    engine_destroy(&engine, NULL);
    home_destroy(&home);
}

/* A process of its own, started afresh: serves until its standard input ends. */
static int serve_until_told(void)
{
    home_t *home = open_home();
    engine_t *engine = start(home, "serve", true);
    char byte;
    if (write(STDOUT_FILENO, "x", 1) != 1 || read(STDIN_FILENO, &byte, 1) < 0)
        return 1;
    engine_destroy(&engine, NULL);
    home_destroy(&home);
    return 0;
}

/* Returns once it serves; close stop to end it. */
static pid_t start_server(int *stop)
{
    int ready[2], ending[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(ending), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ending[1]);
        dup2(ending[0], STDIN_FILENO);
        dup2(ready[1], STDOUT_FILENO);
        execl(program_invocation_name, "engine_screens_test", "serve", temp_dir, (char *)NULL);
        _exit(1);
    }
    close(ready[1]);
    close(ending[0]);
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    *stop = ending[1];
    return pid;
}

/* Attaches to another process, is told of its end, and takes over. */
static void another_process_attaches_and_takes_over(void **state)
{
    (void)state;
    bool kill_it = *state != NULL;
    int stop;
    pid_t pid = start_server(&stop);
    home_t *home = open_home();
    screen_t *screen = NULL;
    assert_int_equal(home_lock_or_attach(home, "listen", true, 60000, &screen, NULL), STATUS_OK);
    assert_non_null(screen);
    assert_true(screen_is_remote(screen));
    buffer_t frame = {0};
    local_message_t answer;
    call(screen, LOCAL_VERB_whoami, 5, &frame, &answer);
    assert_memory_equal(answer.body.whoami_reply.words.data, "serve", 5);
    call(screen, LOCAL_VERB_status, 6, &frame, &answer);
    assert_int_equal(answer.body.status_reply.outbox, 2);
    if (kill_it) {
        kill(pid, SIGKILL);
        assert_int_equal(screen_receive(screen, 60000, &frame), STATUS_HOLDER_ENDED);
    } else {
        close(stop);
        assert_ending(screen, "serve ended");
    }
    screen_destroy(&screen);
    assert_int_equal(home_lock_or_attach(home, "listen", true, 60000, &screen, NULL), STATUS_OK);
    assert_null(screen); /* this process holds it now */
    engine_t *engine = start(home, "listen", true);
    assert_int_equal(engine_screen_new(engine, &screen), STATUS_OK);
    call(screen, LOCAL_VERB_status, 1, &frame, &answer);
    assert_int_equal(answer.body.status_reply.outbox, 3); /* nothing acknowledged was lost */
    screen_destroy(&screen);
    buffer_free(&frame);
    engine_destroy(&engine, NULL);
    home_destroy(&home);
    int result = -1;
    assert_int_equal(waitpid(pid, &result, 0), pid);
    assert_int_equal(kill_it ? WTERMSIG(result) : result, kill_it ? SIGKILL : 0);
    if (kill_it)
        close(stop);
}

static int temp_dir_setup_with_kill(void **state)
{
    int rc = temp_dir_setup(state);
    *state = temp_dir;
    return rc;
}

int main(int count, char **arguments)
{
    if (sodium_init() < 0)
        return 1;
    name_t name;
    if (name_parse(&name, "alice") != STATUS_OK)
        return 1;
    identity = identity_from_seed(&name, &(secret_t){{1}}, &(secret_t){{2}});
    if (count == 3 && strcmp(arguments[1], "serve") == 0) {
        snprintf(temp_dir, sizeof temp_dir, "%s", arguments[2]);
        return serve_until_told();
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_setup, temp_dir_teardown)
    const struct CMUnitTest tests[] = {
        TEST(another_process_attaches_and_takes_over),
        cmocka_unit_test_setup_teardown(another_process_attaches_and_takes_over,
                                        temp_dir_setup_with_kill, temp_dir_teardown),
        TEST(screens_of_this_process_are_served),
        TEST(many_frames_arrive_in_order),
        TEST(a_failure_ends_the_screens_and_is_told),
        TEST(engines_that_cannot_start_say_why),
        TEST(hostile_screens_harm_nobody),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    identity_destroy(&identity);
    return failed;
}
