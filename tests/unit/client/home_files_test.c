/* SPDX-License-Identifier: MPL-2.0 */
/* A home's folder and its small files. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "client/home/home.h"
#include "client/home/home_identity.h"
#include "client/home/private_file.h"
#include "client/keys/identity.h"
#include "tests/unit/client/temp_dir.h"

static bytes_t text(const char *string)
{
    return (bytes_t){(const uint8_t *)string, strlen(string)};
}

static home_t *open_home(const char *name)
{
    char *path = temp_path(name);
    home_t *home = NULL;
    assert_int_equal(home_new(&home, path), STATUS_OK);
    assert_string_equal(home_path(home), path);
    free(path);
    return home;
}

static void write_file(const char *name, const char *content, mode_t mode)
{
    char *path = temp_path(name);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    free(path);
}

static mode_t mode_of(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 07777;
}

static void a_home_is_made_with_its_parents(void **state)
{
    (void)state;
    mode_t before = umask(0);
    home_t *home = open_home("a/b/c");
    umask(before);
    assert_int_equal(mode_of(home_path(home)), 0700);
    char *parent = temp_path("a");
    assert_int_equal(mode_of(parent), 0700);
    free(parent);
    char *file = home_file(home, "x");
    assert_string_equal(strrchr(file, '/'), "/x");
    free(file);
    home_destroy(&home);
    assert_null(home);
    home = open_home("a/b/c");
    home_destroy(&home);
    assert_int_equal(home_new(&home, ""), STATUS_INVALID);
    assert_null(home);
}

static void a_relative_path_becomes_absolute(void **state)
{
    (void)state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(temp_dir), 0);
    home_t *home = NULL;
    assert_int_equal(home_new(&home, "here"), STATUS_OK);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(home_path(home)[0], '/');
    assert_int_equal(mode_of(home_path(home)), 0700);
    home_destroy(&home);
}

static void an_open_folder_is_closed_only_if_empty(void **state)
{
    (void)state;
    char *path = temp_path("open");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, 0755), 0);
    home_t *home = open_home("open");
    assert_int_equal(mode_of(path), 0700);
    home_destroy(&home);
    write_file("open/something", "x", 0600);
    assert_int_equal(chmod(path, 0755), 0);
    assert_int_equal(home_new(&home, path), STATUS_UNSAFE_PERMISSIONS);
    assert_int_equal(mode_of(path), 0755);
    free(path);
    path = temp_path("file");
    write_file("file", "x", 0600);
    assert_int_equal(home_new(&home, path), STATUS_IO_ERROR);
    free(path);
}

static void a_folder_of_another_user_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    char *path = temp_path("other");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chown(path, 12345, 12345), 0);
    home_t *home = NULL;
    assert_int_equal(home_new(&home, path), STATUS_UNSAFE_PERMISSIONS);
    free(path);
}

static void the_broker_is_remembered(void **state)
{
    (void)state;
    home_t *home = open_home("h");
    char url[HOME_BROKER_URL_BYTES];
    assert_int_equal(home_broker_url(home, url), STATUS_NOT_FOUND);
    assert_int_equal(home_remember_broker(home, "tcp://[::1]:5670#key"), STATUS_OK);
    assert_int_equal(home_broker_url(home, url), STATUS_OK);
    assert_string_equal(url, "tcp://[::1]:5670#key");
    assert_int_equal(home_remember_broker(home, "tcp://two"), STATUS_OK);
    assert_int_equal(home_remember_broker(home, "tcp://a\nb"), STATUS_INVALID);
    assert_int_equal(home_remember_broker(home, ""), STATUS_INVALID);
    char longest[HOME_BROKER_URL_BYTES + 1];
    memset(longest, 'x', HOME_BROKER_URL_BYTES);
    longest[HOME_BROKER_URL_BYTES] = '\0';
    assert_int_equal(home_remember_broker(home, longest), STATUS_INVALID);
    assert_int_equal(home_broker_url(home, url), STATUS_OK);
    assert_string_equal(url, "tcp://two");
    longest[HOME_BROKER_URL_BYTES - 1] = '\0';
    assert_int_equal(home_remember_broker(home, longest), STATUS_OK);
    assert_int_equal(home_broker_url(home, url), STATUS_OK);
    assert_string_equal(url, longest);
    char *path = home_file(home, "config");
    assert_int_equal(mode_of(path), 0600);
    free(path);
    home_destroy(&home);
}

static void strange_configs_are_refused(void **state)
{
    (void)state;
    home_t *home = open_home("h");
    static const struct {
        const char *content;
        status_t status;
    } cases[] = {
        {"", STATUS_DAMAGED_FILE},
        {"something else\n", STATUS_DAMAGED_FILE},
        {"conclave home 2\nwhatever\n", STATUS_NEWER_FORMAT},
        {"conclave home 1\nbroker tcp://x", STATUS_DAMAGED_FILE},
        {"conclave home 1\nbroker tcp://x\nmore\n", STATUS_DAMAGED_FILE},
        {"conclave home 1\nbroker tcp://x\n", STATUS_OK},
    };
    char url[HOME_BROKER_URL_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file("h/config", cases[i].content, 0600);
        assert_int_equal(home_broker_url(home, url), cases[i].status);
        assert_string_equal(url, cases[i].status == STATUS_OK ? "tcp://x" : "");
    }
    write_file("h/config", "conclave home 1\nbroker tcp://x\n", 0644);
    assert_int_equal(home_broker_url(home, url), STATUS_UNSAFE_PERMISSIONS);
    home_destroy(&home);
}

static void private_files_are_whole_or_not_there(void **state)
{
    (void)state;
    home_t *home = open_home("h");
    int folder = home_folder(home);
    buffer_t out = {0};
    assert_int_equal(private_file_read(folder, "f", 100, &out), STATUS_NOT_FOUND);
    assert_int_equal(private_file_create(folder, "f", text("one")), STATUS_OK);
    assert_int_equal(private_file_create(folder, "f", text("two")), STATUS_CONFLICT);
    assert_int_equal(private_file_read(folder, "f", 3, &out), STATUS_OK);
    assert_memory_equal(out.data, "one", 3);
    assert_int_equal(private_file_read(folder, "f", 2, &out), STATUS_TOO_LARGE);
    assert_int_equal(out.size, 3);
    assert_int_equal(private_file_replace(folder, "f", text("two")), STATUS_OK);
    buffer_clear(&out);
    assert_int_equal(private_file_read(folder, "f", 100, &out), STATUS_OK);
    assert_memory_equal(out.data, "two", 3);
    assert_int_equal(symlinkat("f", folder, "link"), 0);
    assert_int_equal(private_file_read(folder, "link", 100, &out), STATUS_IO_ERROR);
    assert_int_equal(mkfifoat(folder, "fifo", 0600), 0); /* doesn't wait for a writer */
    assert_int_equal(private_file_read(folder, "fifo", 100, &out), STATUS_IO_ERROR);
    assert_int_equal(private_file_remove(folder, "f"), STATUS_OK);
    assert_int_equal(private_file_remove(folder, "f"), STATUS_OK);
    assert_false(private_file_exists(folder, "f"));
    buffer_free(&out);
    home_destroy(&home);
}

static identity_t *some_identity(void)
{
    name_t name;
    assert_int_equal(name_parse(&name, "alice"), STATUS_OK);
    return identity_new(&name);
}

static buffer_t image_of(const identity_t *identity, const char *password)
{
    buffer_t image = {0};
    assert_int_equal(identity_seal(identity, text(password), IDENTITY_INTERACTIVE, &image),
                     STATUS_OK);
    return image;
}

static status_t try_open(const home_t *home, const char *password)
{
    identity_t *identity = NULL;
    status_t status = home_identity_open(home, password, strlen(password), &identity);
    assert_true((status == STATUS_OK) == (identity != NULL));
    identity_destroy(&identity);
    return status;
}

static void an_identity_is_kept_through_a_change_of_password(void **state)
{
    (void)state;
    home_t *home = open_home("h");
    identity_t *identity = some_identity();
    buffer_t first = image_of(identity, "one"), second = image_of(identity, "two");
    assert_false(home_has_identity(home));
    assert_int_equal(try_open(home, "one"), STATUS_NO_IDENTITY);
    assert_int_equal(home_identity_replace(home, buffer_view(&first)), STATUS_NO_IDENTITY);
    assert_int_equal(home_identity_create(home, buffer_view(&first)), STATUS_OK);
    assert_int_equal(home_identity_create(home, buffer_view(&second)), STATUS_IDENTITY_EXISTS);
    assert_true(home_has_identity(home));
    assert_int_equal(try_open(home, "two"), STATUS_WRONG_PASSWORD);
    assert_int_equal(try_open(home, "one"), STATUS_OK);

    assert_int_equal(home_identity_replace(home, buffer_view(&second)), STATUS_OK);
    assert_true(private_file_exists(home_folder(home), "identity.previous"));
    write_file("h/identity", "torn", 0600); /* the disk lost the new one */
    assert_int_equal(try_open(home, "two"), STATUS_WRONG_PASSWORD);
    assert_int_equal(try_open(home, "one"), STATUS_OK);
    assert_true(private_file_exists(home_folder(home), "identity.previous"));

    assert_int_equal(home_identity_replace(home, buffer_view(&second)), STATUS_OK);
    assert_int_equal(try_open(home, "two"), STATUS_OK);
    assert_false(private_file_exists(home_folder(home), "identity.previous"));
    assert_int_equal(try_open(home, "one"), STATUS_WRONG_PASSWORD);

    char *path = home_file(home, "identity");
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(try_open(home, "two"), STATUS_UNSAFE_PERMISSIONS);
    free(path);
    assert_int_equal(home_identity_remove(home), STATUS_OK);
    assert_int_equal(try_open(home, "two"), STATUS_NO_IDENTITY);
    buffer_wipe(&first);
    buffer_wipe(&second);
    identity_destroy(&identity);
    home_destroy(&home);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_setup, temp_dir_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_home_is_made_with_its_parents),
        TEST(a_relative_path_becomes_absolute),
        TEST(an_open_folder_is_closed_only_if_empty),
        TEST(a_folder_of_another_user_is_refused),
        TEST(the_broker_is_remembered),
        TEST(strange_configs_are_refused),
        TEST(private_files_are_whole_or_not_there),
        TEST(an_identity_is_kept_through_a_change_of_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
