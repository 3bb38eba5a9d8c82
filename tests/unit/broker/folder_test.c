/* SPDX-License-Identifier: MPL-2.0 */
/* Folders copied, synced and removed: within a file system and between two, and what is no plain
 * file in them. */
#include "broker/files/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LARGE_BYTES (200 * 1000)

static char root[64];
static int root_fd;

static int open_dir(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void run(const char *command)
{
    char line[512];
    snprintf(line, sizeof line, "cd '%s' && %s", root, command);
    assert_int_equal(system(line), 0);
}

static int setup(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/conclave-folder-XXXXXX");
    assert_non_null(mkdtemp(root));
    root_fd = open_dir(root);
    run("mkdir from && printf one >from/1.sst && head -c 200000 /dev/urandom >from/2.sst && : "
        ">from/empty");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(folder_remove(AT_FDCWD, root), STATUS_OK);
    assert_int_equal(access(root, F_OK), -1);
    close(root_fd);
    return 0;
}

static void copies_all_but_what_rocksdb_writes_for_itself(void **state)
{
    (void)state;
    struct stat found;
    folder_size_t size;
    run("printf diary >from/LOG && printf old >from/LOG.old.17 && : >from/LOCK && chmod 644 "
        "from/1.sst");
    assert_int_equal(folder_copy(root_fd, "from", root_fd, "to"), STATUS_OK);
    run("cmp from/1.sst to/1.sst && cmp from/2.sst to/2.sst && test \"$(ls to | tr '\\n' ' ')\" = "
        "'1.sst 2.sst empty '");
    assert_int_equal(fstatat(root_fd, "to", &found, 0), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    assert_int_equal(fstatat(root_fd, "to/1.sst", &found, 0), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(folder_sync(root_fd, "from", &size), STATUS_OK);
    assert_int_equal(size.bytes, 3 + LARGE_BYTES);
    assert_int_equal(size.files, 3);
}

/* As from an external disk: Linux doesn't copy there by itself. */
static void copies_between_kinds_of_file_systems(void **state)
{
    (void)state;
    char other[] = "/dev/shm/conclave-folder-XXXXXX";
    struct stat here, there;
    if (!mkdtemp(other)) {
        skip();
    }
    int other_fd = open_dir(other);
    assert_int_equal(fstat(root_fd, &here), 0);
    assert_int_equal(fstat(other_fd, &there), 0);
    status_t out = folder_copy(root_fd, "from", other_fd, "copy");
    status_t back = folder_copy(other_fd, "copy", root_fd, "back");
    assert_int_equal(folder_remove(AT_FDCWD, other), STATUS_OK);
    close(other_fd);
    if (here.st_dev == there.st_dev) {
        skip();
    }
    assert_int_equal(out, STATUS_OK);
    assert_int_equal(back, STATUS_OK);
    run("cmp from/1.sst back/1.sst && cmp from/2.sst back/2.sst && cmp from/empty back/empty");
}

static void anything_but_plain_files_is_refused(void **state)
{
    (void)state;
    static const char *const others[] = {"mkdir from/sub", "mkfifo from/fifo"};
    folder_size_t size;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        run(others[i]);
        assert_int_equal(folder_sync(root_fd, "from", &size), STATUS_INVALID);
        assert_int_equal(folder_copy(root_fd, "from", root_fd, "to"), STATUS_INVALID);
        run("rm -rf from/sub from/fifo to");
    }
    run("printf secret >secret && ln -s ../secret from/link"); /* not followed */
    assert_int_equal(folder_sync(root_fd, "from", &size), STATUS_IO_ERROR);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(folder_copy(root_fd, "from", root_fd, "to"), STATUS_IO_ERROR);
    assert_int_equal(errno, ELOOP);
    run("! grep -r secret to");
}

static void what_is_not_there_or_in_the_way_is_told(void **state)
{
    (void)state;
    folder_size_t size;
    run("ln -s from link && mkdir taken");
    assert_int_equal(folder_sync(root_fd, "none", &size), STATUS_IO_ERROR);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(folder_copy(root_fd, "none", root_fd, "to"), STATUS_IO_ERROR);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(folder_copy(root_fd, "link", root_fd, "to"), STATUS_IO_ERROR);
    assert_int_equal(errno, ENOTDIR); /* a link is not followed */
    assert_int_equal(folder_copy(root_fd, "from", root_fd, "taken"), STATUS_IO_ERROR);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(folder_remove(root_fd, "none"), STATUS_OK);
    assert_int_equal(folder_remove(root_fd, "from/1.sst"), STATUS_IO_ERROR);
    assert_int_equal(folder_remove(root_fd, "link"), STATUS_IO_ERROR);
    run("test -s from/2.sst && test -L link");
}

static void a_copy_that_can_not_be_written_is_told(void **state)
{
    (void)state;
    struct rlimit before, few = {.rlim_cur = 100000};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    few.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
    status_t status = folder_copy(root_fd, "from", root_fd, "to");
    int error = errno;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, STATUS_IO_ERROR);
    assert_int_equal(error, EFBIG);
    assert_int_equal(folder_remove(root_fd, "to"), STATUS_OK);
}

static void removes_whatever_is_below_and_follows_nothing(void **state)
{
    (void)state;
    run("mkdir -p from/a/b/c kept && : >from/a/b/c/d && mkfifo from/a/fifo && : >kept/file && ln "
        "-s ../kept from/link");
    assert_int_equal(folder_remove(root_fd, "from"), STATUS_OK);
    run("test ! -e from && test -e kept/file");
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(copies_all_but_what_rocksdb_writes_for_itself),
        PLACED(copies_between_kinds_of_file_systems),
        PLACED(anything_but_plain_files_is_refused),
        PLACED(what_is_not_there_or_in_the_way_is_told),
        PLACED(a_copy_that_can_not_be_written_is_told),
        PLACED(removes_whatever_is_below_and_follows_nothing),
    };
    return cmocka_run_group_tests_name("folder", tests, NULL, NULL);
}
