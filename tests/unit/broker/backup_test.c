/* SPDX-License-Identifier: MPL-2.0 */
/* Backups of a store that is being written, and targets that are refused. */
#include "broker/backup/backup.h"
#include "broker/files/folder.h"
#include "broker/files/key_file.h"
#include "broker/store/store_memory.h"
#include "broker/store/store_rocksdb.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const store_rocksdb_options_t no_reserve = {.reserve_bytes = 0};

static char root[64];
static char path_buffer[4][128];
static store_t *store;
static backup_source_t source;
static atomic_uint_fast64_t reserve_bytes;
static backup_report_t report;

/* A path below the test's root; good until four more were asked for. */
static const char *below(const char *name)
{
    static unsigned turn;
    char *path = path_buffer[turn++ % 4];
    snprintf(path, sizeof path_buffer[0], "%s/%s", root, name);
    return path;
}

static void run(const char *what, const char *path)
{
    char command[256];
    snprintf(command, sizeof command, "%s '%s'", what, path);
    assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
    (void)state;
    bool is_new = false;
    key_pair_t key;
    snprintf(root, sizeof root, "/tmp/conclave-backup-XXXXXX");
    assert_non_null(mkdtemp(root));
    assert_int_equal(store_rocksdb_open(below("store"), &no_reserve, &store), STATUS_OK);
    reserve_bytes = 0;
    source = (backup_source_t){.store = store,
                               .incarnation = "incarnation-one",
                               .software = "it",
                               .reserve_bytes = &reserve_bytes};
    source.data_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(key_file_open(&key, source.data_fd, &is_new), STATUS_OK);
    key_pair_wipe(&key);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_destroy(&store);
    close(source.data_fd);
    run("chmod -R u+rwx", root);
    run("rm -rf", root);
    return 0;
}

static status_t write_pair(void)
{
    store_unit_t unit = {0};
    status_t outcome = STATUS_INVALID;
    store_unit_put(&unit, "left", 4, "l", 1);
    store_unit_put(&unit, "right", 5, "r", 1);
    status_t status = store_write(store, &unit, 1, &outcome);
    store_unit_wipe(&unit);
    return status == STATUS_OK ? outcome : status;
}

static uint64_t read_version(store_t *from, const char *key)
{
    uint64_t version = 0;
    status_t status = store_get(from, key, strlen(key), NULL, NULL, &version);
    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    return version;
}

/* Opens the copy in a backup and gives how often the pair was written; both halves or neither. */
static uint64_t pairs_in(const char *dir)
{
    char path[160];
    store_t *copy = NULL;
    snprintf(path, sizeof path, "%s/store", dir);
    assert_int_equal(store_rocksdb_open(path, &no_reserve, &copy), STATUS_OK);
    uint64_t count = read_version(copy, "left");
    assert_int_equal(read_version(copy, "right"), count);
    store_destroy(&copy);
    return count;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

typedef struct {
    atomic_bool done;
    atomic_ulong acked;
    atomic_ulong failed;
} writer_thread_t;

static void *write_on(void *argument)
{
    writer_thread_t *self = argument;
    while (!self->done) {
        if (write_pair() == STATUS_OK) {
            self->acked++;
        } else {
            self->failed++;
        }
    }
    return NULL;
}

static void has_all_that_was_acknowledged_while_writes_go_on(void **state)
{
    (void)state;
    writer_thread_t writer = {.done = false};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_on, &writer), 0);
    for (unsigned round = 0; round < 5; round++) {
        char name[16];
        snprintf(name, sizeof name, "copy%u", round);
        while (writer.acked < (round + 1) * 20UL) {
            usleep(1000);
        }
        uint64_t before = writer.acked;
        assert_int_equal(backup_make(&source, below(name), &report), STATUS_OK);
        uint64_t after = writer.acked;
        uint64_t pairs = pairs_in(below(name));
        assert_true(pairs >= before && pairs <= after + 1);
    }
    writer.done = true;
    pthread_join(thread, NULL);
    assert_int_equal(writer.failed, 0);
}

static void is_private_and_says_what_it_is(void **state)
{
    (void)state;
    struct stat found;
    backup_info_t info;
    key_pair_t ours, copied;
    bool is_new;
    assert_int_equal(write_pair(), STATUS_OK);
    assert_int_equal(mkdir(below("copy"), 0755), 0); /* empty: it may be there */
    assert_int_equal(backup_make(&source, below("copy///"), &report), STATUS_OK);
    assert_string_equal(report.problem, "");
    assert_false(is_there(below("copy.partial")));
    assert_int_equal(stat(below("copy"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    assert_int_equal(stat(below("copy/broker.key"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    int fd = open(below("copy"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(backup_info_read(&info, fd), STATUS_OK);
    assert_memory_equal(info.incarnation, source.incarnation, INCARNATION_BYTES);
    assert_string_equal(info.software, "it");
    assert_true(info.time_ms > 0 && info.store_bytes > 0 && info.store_files > 0);
    assert_memory_equal(&info, &report.info, sizeof info);
    assert_int_equal(key_file_open(&copied, fd, &is_new), STATUS_OK);
    assert_false(is_new);
    assert_int_equal(key_file_open(&ours, source.data_fd, &is_new), STATUS_OK);
    assert_memory_equal(&ours, &copied, sizeof ours);
    close(fd);
    assert_int_equal(pairs_in(below("copy")), 1);
}

static void refused(const char *dir, status_t status, const char *part)
{
    assert_int_equal(backup_make(&source, dir, &report), status);
    assert_non_null(strstr(report.problem, part));
}

static void refused_targets_are_left_as_they_are(void **state)
{
    (void)state;
    refused("relative/path", STATUS_INVALID, "absolute");
    refused("", STATUS_INVALID, "absolute");
    refused("/", STATUS_INVALID, "absolute");
    refused(below("none/copy"), STATUS_INVALID, "make it first");
    run("mkdir", below("full"));
    run("touch", below("full/a"));
    refused(below("full"), STATUS_INVALID, "not empty");
    refused(below("full/a"), STATUS_INVALID, "not empty");
    assert_true(is_there(below("full/a")));
    assert_false(is_there(below("full.partial")));
}

static void a_backup_that_fails_leaves_nothing(void **state)
{
    (void)state;
    reserve_bytes = UINT64_MAX / 2;
    refused(below("copy"), STATUS_DISK_FULL, "MiB are free");
    reserve_bytes = 0;
    assert_int_equal(unlink(below("broker.key")), 0);
    refused(below("copy"), STATUS_NOT_FOUND, "broker.key");
    assert_false(is_there(below("copy")));
    assert_false(is_there(below("copy.partial")));
}

static void a_backup_that_fails_takes_nothing_of_the_user_s(void **state)
{
    (void)state;
    struct stat before, after;
    assert_int_equal(mkdir(below("copy"), 0755), 0);
    assert_int_equal(stat(below("copy"), &before), 0);
    reserve_bytes = UINT64_MAX / 2;
    refused(below("copy"), STATUS_DISK_FULL, "MiB are free");
    assert_int_equal(stat(below("copy"), &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_int_equal(after.st_mode, before.st_mode);
    reserve_bytes = 0;
    run("mkdir -p", below("copy.partial/store"));
    run("touch", below("copy.partial/letters"));
    refused(below("copy"), STATUS_INVALID, "not what an interrupted backup leaves");
    assert_true(is_there(below("copy.partial/letters")));
    assert_true(is_there(below("copy.partial/store")));
    assert_int_equal(symlink(below("store"), below("link")), 0);
    refused(below("link"), STATUS_INVALID, "not empty");
}

static void what_an_interrupted_one_left_is_removed(void **state)
{
    (void)state;
    run("mkdir -p", below("copy.partial/store.tmp"));
    run("touch", below("copy.partial/store.tmp/000001.sst"));
    run("touch", below("copy.partial/broker.key"));
    assert_int_equal(backup_make(&source, below("copy"), &report), STATUS_OK);
    assert_false(is_there(below("copy.partial")));
    assert_false(is_there(below("copy/store.tmp")));
}

static void runs_in_a_thread_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(write_pair(), STATUS_OK);
    backup_job_t *job = backup_job_start(&source, below("copy"));
    assert_non_null(job);
    struct pollfd done = {.fd = backup_job_fd(job), .events = POLLIN};
    assert_int_equal(poll(&done, 1, 60000), 1);
    assert_int_equal(backup_job_finish(&job, &report), STATUS_OK);
    assert_null(job);
    assert_int_equal(pairs_in(below("copy")), 1);
    job = backup_job_start(&source, below("copy"));
    assert_int_equal(backup_job_finish(&job, &report), STATUS_INVALID);
    assert_non_null(strstr(report.problem, "not empty"));
}

static void a_damaged_description_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *change;
        status_t status;
    } cases[] = {
        {"sed -i 's/^conclave-backup 1/conclave-backup 2/'", STATUS_NEWER_FORMAT},
        {"sed -i 's/^conclave-backup 1/conclave-backup 0/'", STATUS_DAMAGED_FILE},
        {"sed -i 's/^time-ms ./time-ms x/'", STATUS_DAMAGED_FILE},
        {"sed -i 's/^incarnation ./incarnation /'", STATUS_DAMAGED_FILE},
        {"sed -i '/^software/d'", STATUS_DAMAGED_FILE},
        {"echo more >>", STATUS_DAMAGED_FILE},
        {"truncate -s 40", STATUS_DAMAGED_FILE},
        {"truncate -s 4000", STATUS_DAMAGED_FILE},
        {"chmod 644", STATUS_UNSAFE_PERMISSIONS},
        {"rm", STATUS_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        backup_info_t info;
        int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(folder_remove(fd, "copy"), STATUS_OK);
        assert_int_equal(backup_make(&source, below("copy"), &report), STATUS_OK);
        run(cases[i].change, below("copy/backup.info"));
        int copy = openat(fd, "copy", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(backup_info_read(&info, copy), cases[i].status);
        close(copy);
        close(fd);
    }
}

static void another_one_into_the_same_directory_is_left_alone(void **state)
{
    (void)state;
    run("mkdir", below("copy.partial"));
    int other = open(below("copy.partial"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
    refused(below("copy"), STATUS_CONFLICT, "another backup into");
    assert_true(is_there(below("copy.partial")));
    close(other);
    assert_int_equal(backup_make(&source, below("copy"), &report), STATUS_OK);
}

static void what_stands_in_the_partial_folders_place_is_left_alone(void **state)
{
    (void)state;
    run("touch", below("copy.partial"));
    refused(below("copy"), STATUS_IO_ERROR, "can't be opened: Not a directory");
    run("rm", below("copy.partial"));
    run("mkdir", below("other"));
    assert_int_equal(symlink("other", below("copy.partial")), 0); /* not followed */
    refused(below("copy"), STATUS_IO_ERROR, "can't be opened");
    assert_true(is_there(below("other")) && is_there(below("copy.partial")));
}

static void a_store_that_can_not_be_copied_leaves_nothing(void **state)
{
    (void)state;
    store_t *memory = store_memory_new();
    backup_source_t planted = source;
    planted.store = memory; /* it has no checkpoints */
    assert_int_equal(backup_make(&planted, below("copy"), &report), STATUS_INVALID);
    assert_non_null(strstr(report.problem, "checkpoint failed"));
    planted = source;
    planted.data_fd = -1;
    assert_int_equal(backup_make(&planted, below("copy"), &report), STATUS_IO_ERROR);
    assert_non_null(strstr(report.problem, "can't be asked"));
    store_destroy(&memory);
    assert_false(is_there(below("copy")) || is_there(below("copy.partial")));
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(has_all_that_was_acknowledged_while_writes_go_on),
        PLACED(is_private_and_says_what_it_is),
        PLACED(refused_targets_are_left_as_they_are),
        PLACED(a_backup_that_fails_leaves_nothing),
        PLACED(a_backup_that_fails_takes_nothing_of_the_user_s),
        PLACED(what_an_interrupted_one_left_is_removed),
        PLACED(runs_in_a_thread_of_its_own),
        PLACED(a_damaged_description_is_refused),
        PLACED(another_one_into_the_same_directory_is_left_alone),
        PLACED(what_stands_in_the_partial_folders_place_is_left_alone),
        PLACED(a_store_that_can_not_be_copied_leaves_nothing),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
