/* SPDX-License-Identifier: MPL-2.0 */
#include "client/home/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/home/home_lock.h"
#include "client/home/private_file.h"
#include "proto/memory.h"

struct home {
    char *path;
    int folder;
    int lock; /* open and locked, or -1 */
};

static const char config_name[] = "config";
static const char config_start[] = "conclave home 1\nbroker ";
enum { CONFIG_MAX_BYTES = 4096 };

static char *absolute_path(const char *path)
{
    if (path[0] == '/')
        return mem_strdup(path);
    char *current = getcwd(NULL, 0);
    if (!current)
        return NULL;
    size_t size = strlen(current) + 1 + strlen(path) + 1;
    char *joined = mem_alloc(size);
    snprintf(joined, size, "%s/%s", current, path);
    free(current);
    return joined;
}

/* mkdir -p, all 0700. What exists is left alone. */
static status_t make_folders(const char *path)
{
    char *copy = mem_strdup(path);
    status_t status = STATUS_OK;
    for (char *at = copy + 1; status == STATUS_OK; at++) {
        char end = *at;
        if (end != '/' && end != '\0')
            continue;
        *at = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST)
            status = STATUS_IO_ERROR;
        *at = end;
        if (end == '\0')
            break;
    }
    int cause = errno;
    free(copy);
    errno = cause;
    return status;
}

static bool folder_is_empty(int folder)
{
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = again >= 0 ? fdopendir(again) : NULL;
    if (!entries) {
        if (again >= 0)
            close(again);
        return false;
    }
    size_t count = 0;
    while (readdir(entries))
        count++;
    closedir(entries);
    return count == 2; /* . and .. */
}

/* Never changes the mode of a folder that holds something: it could be /tmp. */
static status_t make_private(int folder)
{
    struct stat info;
    if (fstat(folder, &info) < 0)
        return STATUS_IO_ERROR;
    if (info.st_uid != geteuid())
        return STATUS_UNSAFE_PERMISSIONS;
    if ((info.st_mode & 077) == 0)
        return STATUS_OK;
    if (!folder_is_empty(folder))
        return STATUS_UNSAFE_PERMISSIONS;
    return fchmod(folder, 0700) < 0 ? STATUS_IO_ERROR : STATUS_OK;
}

status_t home_new(home_t **out, const char *path)
{
    *out = NULL;
    if (path[0] == '\0')
        return STATUS_INVALID;
    char *absolute = absolute_path(path);
    if (!absolute)
        return STATUS_IO_ERROR;
    status_t status = make_folders(absolute);
    int folder = -1;
    if (status == STATUS_OK) {
        folder = open(absolute, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        status = folder < 0 ? STATUS_IO_ERROR : make_private(folder);
    }
    if (status != STATUS_OK) {
        int cause = errno;
        if (folder >= 0)
            close(folder);
        free(absolute);
        errno = cause;
        return status;
    }
    home_t *self = mem_zalloc(1, sizeof *self);
    *self = (home_t){.path = absolute, .folder = folder, .lock = -1};
    *out = self;
    return STATUS_OK;
}

void home_destroy(home_t **self)
{
    if (!*self)
        return;
    home_unlock(*self);
    close((*self)->folder);
    free((*self)->path);
    free(*self);
    *self = NULL;
}

const char *home_path(const home_t *self)
{
    return self->path;
}

int home_folder(const home_t *self)
{
    return self->folder;
}

char *home_file(const home_t *self, const char *name)
{
    size_t size = strlen(self->path) + 1 + strlen(name) + 1;
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/%s", self->path, name);
    return path;
}

status_t home_lock(home_t *self, const char *role, uint64_t timeout_ms)
{
    if (self->lock >= 0)
        return home_lock_describe(self->lock, role);
    return home_lock_take(self->folder, role, timeout_ms, &self->lock);
}

void home_unlock(home_t *self)
{
    if (self->lock >= 0)
        close(self->lock);
    self->lock = -1;
}

bool home_is_locked(const home_t *self)
{
    return self->lock >= 0;
}

status_t home_holder(const home_t *self, home_holder_t *out)
{
    return home_lock_holder(self->folder, out);
}

status_t home_broker_url(const home_t *self, char out[static HOME_BROKER_URL_BYTES])
{
    out[0] = '\0';
    buffer_t file = {0};
    status_t status = private_file_read(self->folder, config_name, CONFIG_MAX_BYTES, &file);
    if (status != STATUS_OK)
        return status == STATUS_TOO_LARGE ? STATUS_DAMAGED_FILE : status;
    static const char any_format[] = "conclave home ";
    size_t start = sizeof config_start - 1;
    const char *text = (const char *)file.data;
    if (file.size < start || memcmp(text, any_format, sizeof any_format - 1) != 0)
        status = STATUS_DAMAGED_FILE;
    else if (memcmp(text, config_start, start) != 0)
        status = STATUS_NEWER_FORMAT;
    else if (text[file.size - 1] != '\n' || file.size - start > HOME_BROKER_URL_BYTES ||
             memchr(text + start, '\n', file.size - start) != text + file.size - 1 ||
             memchr(text + start, '\0', file.size - start))
        status = STATUS_DAMAGED_FILE;
    else
        snprintf(out, HOME_BROKER_URL_BYTES, "%.*s", (int)(file.size - start - 1), text + start);
    buffer_free(&file);
    return status;
}

status_t home_remember_broker(const home_t *self, const char *url)
{
    size_t size = strlen(url);
    if (size == 0 || size >= HOME_BROKER_URL_BYTES)
        return STATUS_INVALID;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)url[i] < 0x20 || url[i] == 0x7f)
            return STATUS_INVALID;
    buffer_t file = {0};
    buffer_append(&file, config_start, sizeof config_start - 1);
    buffer_append(&file, url, size);
    buffer_append(&file, "\n", 1);
    status_t status = private_file_replace(self->folder, config_name, buffer_view(&file));
    buffer_free(&file);
    return status;
}
