/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's own key pair and its file, with a marked secret half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>
#include <zmq.h>

#include "broker/files/key_file.h"
#include "broker/files/private_file.h"
#include "tests/constant_time/taint.h"

enum { Z85_BYTES = 41, SECRET_AT = 20 };

/* Born: made by libzmq, or read from the disk. */
int __real_zmq_curve_keypair(char *public_text, char *secret_text);
int __wrap_zmq_curve_keypair(char *public_text, char *secret_text);
int __wrap_zmq_curve_keypair(char *public_text, char *secret_text)
{
    int status = __real_zmq_curve_keypair(public_text, secret_text);
    taint_secret(secret_text, Z85_BYTES - 1);
    return status;
}

status_t __real_private_file_read(int dir_fd, const char *name, void *out, size_t capacity,
                                  size_t *size);
status_t __wrap_private_file_read(int dir_fd, const char *name, void *out, size_t capacity,
                                  size_t *size);
status_t __wrap_private_file_read(int dir_fd, const char *name, void *out, size_t capacity,
                                  size_t *size)
{
    status_t status = __real_private_file_read(dir_fd, name, out, capacity, size);
    if (status == STATUS_OK && *size >= SECRET_AT + KEY_BYTES)
        taint_secret((uint8_t *)out + SECRET_AT, KEY_BYTES);
    return status;
}

/* Handed to the kernel, which memcheck takes for a use. */
status_t __real_private_file_write(int dir_fd, const char *name, const void *bytes, size_t size);
status_t __wrap_private_file_write(int dir_fd, const char *name, const void *bytes, size_t size);
status_t __wrap_private_file_write(int dir_fd, const char *name, const void *bytes, size_t size)
{
    lifted_t lifted = taint_lift(bytes, size);
    status_t status = __real_private_file_write(dir_fd, name, bytes, size);
    taint_restore(&lifted);
    return status;
}

/* libzmq's Z85 reads its alphabet at places that depend on the key: once, when the broker starts,
 * and not ours to change, since its functions for keys take no other form. */
char *__real_zmq_z85_encode(char *text, const uint8_t *bytes, size_t size);
char *__wrap_zmq_z85_encode(char *text, const uint8_t *bytes, size_t size);
char *__wrap_zmq_z85_encode(char *text, const uint8_t *bytes, size_t size)
{
    bool is_secret = taint_is_secret(bytes, size);
    lifted_t lifted = taint_lift(bytes, size);
    char *out = __real_zmq_z85_encode(text, bytes, size);
    taint_restore(&lifted);
    if (is_secret)
        taint_secret(text, size / 4 * 5);
    return out;
}

uint8_t *__real_zmq_z85_decode(uint8_t *bytes, const char *text);
uint8_t *__wrap_zmq_z85_decode(uint8_t *bytes, const char *text);
uint8_t *__wrap_zmq_z85_decode(uint8_t *bytes, const char *text)
{
    bool is_secret = taint_is_secret(text, Z85_BYTES - 1);
    lifted_t lifted = taint_lift(text, Z85_BYTES - 1);
    uint8_t *out = __real_zmq_z85_decode(bytes, text);
    taint_restore(&lifted);
    if (is_secret)
        taint_secret(bytes, KEY_BYTES);
    return out;
}

int __real_zmq_curve_public(char *public_text, const char *secret_text);
int __wrap_zmq_curve_public(char *public_text, const char *secret_text);
int __wrap_zmq_curve_public(char *public_text, const char *secret_text)
{
    lifted_t lifted = taint_lift(secret_text, Z85_BYTES - 1);
    int status = __real_zmq_curve_public(public_text, secret_text);
    taint_restore(&lifted);
    return status;
}

static void made_stored_and_read(void **unused)
{
    (void)unused;
    assert_true(taint_is_watched());
    char path[] = "/tmp/conclave-key-XXXXXX";
    assert_non_null(mkdtemp(path));
    int dir_fd = open(path, O_RDONLY | O_DIRECTORY);
    key_pair_t made, read;
    bool is_new = false;
    assert_int_equal(key_file_open(&made, dir_fd, &is_new), STATUS_OK);
    assert_true(is_new);
    assert_true(taint_is_secret(made.secret_key, KEY_BYTES));
    assert_int_equal(key_file_open(&read, dir_fd, &is_new), STATUS_OK);
    assert_false(is_new);
    assert_true(taint_is_secret(read.secret_key, KEY_BYTES));
    assert_memory_equal(read.public_key, made.public_key, KEY_BYTES);
    key_pair_wipe(&made);
    key_pair_wipe(&read);
    assert_int_equal(unlinkat(dir_fd, KEY_FILE_NAME, 0), 0);
    close(dir_fd);
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_stored_and_read),
    };
    return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
