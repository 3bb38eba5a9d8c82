/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/operator_client/operator_key.h"

#include "proto/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(const char *path, const char *why, char *problem, size_t size)
{
    snprintf(problem, size, "key file %s: %s", path, why);
    return false;
}

bool operator_key_read(key_pair_t *out, const char *path, char *problem, size_t problem_size)
{
    char text[KEY_TEXT_BYTES + 1];
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return fail(path, strerrordesc_np(errno), problem, problem_size);
    bool is_private = fstat(fd, &about) == 0 && S_ISREG(about.st_mode) &&
                      (about.st_mode & (S_IRWXG | S_IRWXO)) == 0;
    ssize_t size = read(fd, text, sizeof text);
    close(fd);
    if (!is_private)
        return fail(path, "others can read it; chmod 600", problem, problem_size);
    if (size == KEY_TEXT_BYTES && text[size - 1] == '\n')
        size--;
    bool is_key = size == KEY_TEXT_BYTES - 1 &&
                  key_from_text(out->secret_key, text, (size_t)size) == STATUS_OK &&
                  key_pair_public_of(out->public_key, out->secret_key);
    sodium_memzero(text, sizeof text);
    return is_key || fail(path, "it holds no operator's key", problem, problem_size);
}

bool operator_key_make(key_pair_t *out, const char *path, char *problem, size_t problem_size)
{
    char text[KEY_TEXT_BYTES];
    if (!key_pair_make(out))
        return fail(path, "this libzmq has no CURVE", problem, problem_size);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(path, strerrordesc_np(errno), problem, problem_size);
    key_to_text(text, out->secret_key);
    text[KEY_TEXT_BYTES - 1] = '\n';
    bool is_written = write(fd, text, sizeof text) == sizeof text && fsync(fd) == 0;
    int cause = errno;
    sodium_memzero(text, sizeof text);
    close(fd);
    if (is_written)
        return true;
    unlink(path);
    return fail(path, strerrordesc_np(cause), problem, problem_size);
}
