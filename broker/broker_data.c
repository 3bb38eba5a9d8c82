/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/broker_data.h"

#include "broker/files/key_file.h"
#include "broker/store/store_rocksdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static status_t open_dir(broker_data_t *self, const char *name, log_t *log)
{
    char path[PATH_MAX];
    pid_t holder = 0;
    status_t status = STATUS_OK;
    if (!*name) {
        status = data_dir_default_path(path);
        name = path;
    }
    if (status != STATUS_OK) {
        LOG(log, LEVEL_ERROR, log_event("no_data_directory"),
            log_text("hint", "set HOME or give --data DIR"));
        return status;
    }
    status = data_dir_open(&self->dir, name, &holder);
    if (status == STATUS_HOME_IN_USE) {
        LOG(log, LEVEL_ERROR, log_event("data_directory_in_use"), log_text("path", name),
            log_integer("pid", holder), log_text("text", "another broker runs on this directory"),
            log_text("hint", "stop it, or give --data DIR for a second broker"));
    } else if (status == STATUS_UNSAFE_PERMISSIONS) {
        LOG(log, LEVEL_ERROR, log_event("data_directory_unsafe"), log_text("path", name),
            log_text("hint", "it must be yours, and nobody else may write to it: chmod 700"));
    } else if (status != STATUS_OK) {
        LOG(log, LEVEL_ERROR, log_event("data_directory_failed"), log_text("path", name),
            log_status("status", status), log_errno("cause", errno));
    }
    return status;
}

/* A store without its key: making a new one would lock out everybody who knows the old one. */
static bool key_is_lost(const broker_data_t *self)
{
    return faccessat(self->dir.fd, DATA_STORE_NAME, F_OK, 0) == 0 &&
           faccessat(self->dir.fd, KEY_FILE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
           errno == ENOENT;
}

/* Neither key nor store are to be made there. */
static status_t check_restore(const broker_data_t *self, log_t *log)
{
    if (faccessat(self->dir.fd, DATA_RESTORING_NAME, F_OK, 0) != 0) {
        return STATUS_OK;
    }
    LOG(log, LEVEL_ERROR, log_event("restore_unfinished"), log_text("dir", self->dir.path),
        log_text("hint", "run conclaved --restore with the same backup again"));
    return STATUS_NOT_FOUND;
}

static status_t open_key(broker_data_t *self, log_t *log)
{
    bool is_new = false;
    errno = 0;
    status_t status =
        key_is_lost(self) ? STATUS_NOT_FOUND : key_file_open(&self->key, self->dir.fd, &is_new);
    if (status == STATUS_OK) {
        if (is_new) {
            LOG(log, LEVEL_INFO, log_event("key_made"), log_text("dir", self->dir.path));
        }
        return status;
    }
    const char *hint = "";
    if (status == STATUS_UNSAFE_PERMISSIONS) {
        hint = "chmod 600 the file";
    } else if (status == STATUS_DAMAGED_FILE || status == STATUS_NOT_FOUND) {
        hint = "restore it from a backup: with another key it is another broker";
    } else if (status == STATUS_NEWER_FORMAT) {
        hint = "start the newer broker again";
    } else if (errno != 0) {
        hint = strerrordesc_np(errno);
    }
    LOG(log, LEVEL_ERROR, log_event("key_file_refused"), log_text("dir", self->dir.path),
        log_text("file", KEY_FILE_NAME), log_text("text", status_text(status)),
        log_text("hint", hint));
    return status;
}

static const char *store_hint(status_t status)
{
    const char *hint = "";
    if (status == STATUS_NEWER_FORMAT) {
        hint = "start the newer broker again, or restore a backup that this version made";
    } else if (status == STATUS_DAMAGED_FILE) {
        hint = "conclaved --fsck says what is damaged; then restore a backup";
    } else if (status == STATUS_UNSAFE_PERMISSIONS) {
        hint = "it must be yours alone: chmod 700";
    } else if (status == STATUS_HOME_IN_USE) {
        hint = "another program has it open: stop that one";
    }
    return hint;
}

typedef struct {
    char text[PATH_MAX + sizeof "/" DATA_STORE_NAME];
} store_path_t;

static store_path_t store_path(const broker_data_t *self)
{
    store_path_t path;
    snprintf(path.text, sizeof path.text, "%s/" DATA_STORE_NAME, self->dir.path);
    return path;
}

void broker_data_log_store_refusal(const broker_data_t *self, log_t *log, status_t status)
{
    LOG(log, LEVEL_ERROR, log_event("store_refused"), log_text("path", store_path(self).text),
        log_status("status", status), log_text("text", status_text(status)),
        log_text("hint", store_hint(status)));
}

static status_t open_store(broker_data_t *self, uint64_t reserve_bytes, log_t *log)
{
    const store_rocksdb_options_t options = {.reserve_bytes = reserve_bytes};
    status_t status = store_rocksdb_open(store_path(self).text, &options, &self->store);
    if (status != STATUS_OK) {
        broker_data_log_store_refusal(self, log, status);
    }
    return status;
}

status_t broker_data_open(broker_data_t *self, const char *path, uint64_t reserve_bytes, log_t *log)
{
    status_t status = open_dir(self, path, log);
    if (status == STATUS_OK) {
        status = check_restore(self, log);
    }
    if (status == STATUS_OK) {
        status = open_key(self, log);
    }
    if (status == STATUS_OK) {
        status = open_store(self, reserve_bytes, log);
    }
    return status;
}
