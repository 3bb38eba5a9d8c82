/* SPDX-License-Identifier: MPL-2.0 */
/* What was acknowledged survives: SIGKILL in the middle of writes, and a disk that fills up. */
#include "broker/store/store_rocksdb.h"
#include "proto/memory.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { VALUE_SIZE = 500, UNITS = 4 };

static const store_rocksdb_options_t small = {.reserve_bytes = 0,
                                              .write_buffer_bytes = 1 << 20};

static char root[] = "/tmp/conclave-crash-XXXXXX";
static char dir[64];

static int make_root(void **state)
{
    (void)state;
    memcpy(root + sizeof root - 7, "XXXXXX", 6);
    snprintf(dir, sizeof dir, "%s/store", mkdtemp(root) ? root : "");
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static void make_event_key(uint8_t key[static 9], uint64_t number)
{
    key[0] = 'e';
    for (int i = 0; i < 8; i++)
        key[1 + i] = (uint8_t)(number >> (56 - 8 * i));
}

static void fill_value(uint8_t value[static VALUE_SIZE], uint64_t number)
{
    for (size_t i = 0; i < VALUE_SIZE; i++)
        value[i] = (uint8_t)(number * 31 + i);
}

/* One list: UNITS events, each with a bump of the head. */
static status_t write_list(store_t *store, uint64_t head)
{
    store_unit_t units[UNITS] = {0};
    status_t outcomes[UNITS];
    uint8_t key[9];
    uint8_t value[VALUE_SIZE];
    for (size_t i = 0; i < UNITS; i++, head++) {
        make_event_key(key, head + 1);
        fill_value(value, head + 1);
        store_unit_expect(&units[i], "head", 4, head);
        store_unit_put(&units[i], "head", 4, &head, sizeof head);
        store_unit_put_new(&units[i], key, sizeof key, value, sizeof value);
    }
    status_t status = store_write(store, units, UNITS, outcomes);
    for (size_t i = 0; i < UNITS; i++) {
        if (status == STATUS_OK && outcomes[i] != STATUS_OK)
            status = outcomes[i];
        store_unit_wipe(&units[i]);
    }
    return status;
}

static uint64_t read_head(store_t *store)
{
    uint64_t version = 0;
    status_t status = store_get(store, "head", 4, NULL, NULL, &version);
    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    return version;
}

static bool check_event(void *context, const store_record_t *record)
{
    uint64_t *count = context;
    uint8_t key[9];
    uint8_t value[VALUE_SIZE];
    make_event_key(key, ++*count);
    fill_value(value, *count);
    assert_int_equal(record->key_size, sizeof key);
    assert_memory_equal(record->key, key, sizeof key);
    assert_int_equal(record->value_size, sizeof value);
    assert_memory_equal(record->value, value, sizeof value);
    assert_int_equal(record->version, 1);
    return true;
}

/* Events 1..head and nothing else; gives the head. */
static uint64_t check_log(store_t *store)
{
    uint64_t count = 0;
    store_range_t range = {.from = "e", .from_size = 1, .to = "f", .to_size = 1};
    assert_int_equal(store_range(store, &range, check_event, &count), STATUS_OK);
    assert_int_equal(count, read_head(store));
    assert_int_equal(count % UNITS, 0);
    return count;
}

/* The program below, run as a process of its own: writes and acknowledges until it is killed. */
static int write_until_killed(const char *path)
{
    store_t *store = NULL;
    if (store_rocksdb_open(path, &small, &store) != STATUS_OK)
        return 2;
    for (uint64_t head = read_head(store);; head += UNITS) {
        if (write_list(store, head) != STATUS_OK)
            return 3;
        uint64_t acked = head + UNITS;
        if (write(STDOUT_FILENO, &acked, sizeof acked) != sizeof acked)
            return 4;
    }
}

static pid_t start_writer(int *acks)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        /* exec: RocksDB's threads of this process would be missing after a mere fork */
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(program_invocation_name, "store_crash_test", "--write", dir, (char *)NULL);
        _exit(9);
    }
    close(ends[1]);
    *acks = ends[0];
    return pid;
}

static void what_was_acked_survives_sigkill(void **state)
{
    (void)state;
    uint64_t stored = 0;
    for (unsigned round = 1; round <= 8; round++) {
        int acks;
        pid_t pid = start_writer(&acks);
        uint64_t acked = 0;
        uint64_t next;
        for (unsigned i = 0; i < round * 60 && read(acks, &next, sizeof next) == sizeof next; i++)
            acked = next;
        assert_true(acked > stored);
        usleep(137 * round); /* somewhere within the next writes */
        kill(pid, SIGKILL);
        while (read(acks, &next, sizeof next) == sizeof next)
            acked = next;
        close(acks);
        int exit_status;
        assert_int_equal(waitpid(pid, &exit_status, 0), pid);
        assert_true(WIFSIGNALED(exit_status) && WTERMSIG(exit_status) == SIGKILL);
        store_t *store = NULL;
        assert_int_equal(store_rocksdb_open(dir, &small, &store), STATUS_OK);
        stored = check_log(store);
        store_destroy(&store);
        assert_true(stored == acked || stored == acked + UNITS); /* at most the unacked list */
    }
}

static int mount_small_disk(void **state)
{
    if (make_root(state) != 0)
        return -1;
    *state = mount("tmpfs", root, "tmpfs", 0, "size=24m,mode=700") == 0 ? root : NULL;
    return 0;
}

static int unmount_small_disk(void **state)
{
    if (*state && umount2(root, MNT_DETACH) != 0)
        return -1;
    return remove_root(state);
}

/* Writes until it is refused; gives the last acknowledged head. */
static uint64_t write_until_refused(store_t *store, uint64_t head, status_t expected)
{
    for (;; head += UNITS) {
        status_t status = write_list(store, head);
        if (status == STATUS_OK)
            continue;
        assert_int_equal(status, expected);
        return head;
    }
}

static void a_full_disk_fails_and_recovers(void **state)
{
    if (!*state)
        skip();
    char ballast[96];
    snprintf(ballast, sizeof ballast, "%s/ballast", root);
    char command[160];
    snprintf(command, sizeof command, "head -c 8000000 /dev/zero > '%s'", ballast);
    assert_int_equal(system(command), 0);
    store_t *store = NULL;
    assert_int_equal(store_rocksdb_open(dir, &small, &store), STATUS_OK);
    uint64_t acked = write_until_refused(store, 0, STATUS_STORE_FAILED);
    assert_true(acked > 0);
    uint64_t version;
    assert_int_equal(store_get(store, "head", 4, NULL, NULL, &version), STATUS_STORE_FAILED);
    assert_int_equal(write_list(store, acked), STATUS_STORE_FAILED);
    assert_int_equal(unlink(ballast), 0);
    assert_int_equal(store_reopen(store), STATUS_OK);
    uint64_t stored = check_log(store);
    assert_true(stored == acked || stored == acked + UNITS);
    assert_int_equal(write_list(store, stored), STATUS_OK);
    assert_int_equal(check_log(store), stored + UNITS);
    store_destroy(&store);
}

static void the_reserve_refuses_before_the_disk_is_full(void **state)
{
    if (!*state)
        skip();
    store_rocksdb_options_t options = small;
    options.reserve_bytes = 12 << 20;
    store_t *store = NULL;
    assert_int_equal(store_rocksdb_open(dir, &options, &store), STATUS_OK);
    uint64_t acked = write_until_refused(store, 0, STATUS_STORE_FULL);
    assert_true(acked > 0);
    assert_int_equal(check_log(store), acked);
    store_unit_t unit = {0};
    status_t outcome = STATUS_INVALID;
    store_unit_delete_range(&unit, "e", 1, "f", 1);
    store_unit_delete(&unit, "head", 4);
    assert_int_equal(store_write(store, &unit, 1, &outcome), STATUS_OK);
    assert_int_equal(outcome, STATUS_OK);
    assert_int_equal(check_log(store), 0);
    store_unit_wipe(&unit);
    store_destroy(&store);
}

#define ON_SMALL_DISK(test)                                                                        \
    cmocka_unit_test_setup_teardown(test, mount_small_disk, unmount_small_disk)

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return write_until_killed(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_acked_survives_sigkill, make_root, remove_root),
        ON_SMALL_DISK(a_full_disk_fails_and_recovers),
        ON_SMALL_DISK(the_reserve_refuses_before_the_disk_is_full),
    };
    return cmocka_run_group_tests_name("store after crashes", tests, NULL, NULL);
}
