/* SPDX-License-Identifier: MPL-2.0 */
/* Under the data directory's lock, so that no broker starts meanwhile. */
#include "broker/offline.h"

#include "broker/data_dir.h"
#include "broker/key_file.h"
#include "broker/rules/check.h"
#include "broker/store/store_rocksdb.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    FILE *out;
    FILE *err;
    data_dir_t dir;
} offline_t;

/* The data directory's path: the option's, or the default. */
static status_t find_path(const offline_t *self, const options_t *options,
                          char out[static PATH_MAX])
{
    status_t status = STATUS_OK;
    if (!*options->data) {
        status = data_dir_default_path(out);
    } else {
        snprintf(out, PATH_MAX, "%s", options->data);
    }
    if (status != STATUS_OK) {
        fputs("conclaved: no data directory: set HOME or give --data DIR\n", self->err);
    }
    return status;
}

static status_t open_dir(offline_t *self, const char *path)
{
    pid_t holder = 0;
    status_t status = data_dir_open(&self->dir, path, &holder);
    if (status == STATUS_HOME_IN_USE) {
        fprintf(self->err,
                "conclaved: %s: a broker runs on this directory (pid %ld): stop it first\n", path,
                (long)holder);
    } else if (status == STATUS_UNSAFE_PERMISSIONS) {
        fprintf(self->err,
                "conclaved: %s: it must be yours, and nobody else may write to it: chmod 700\n",
                path);
    } else if (status != STATUS_OK) {
        fprintf(self->err, "conclaved: %s: %s\n", path, strerrordesc_np(errno));
    }
    return status;
}

static void print_problem(void *context, const char *key, const char *reason)
{
    const offline_t *self = context;
    fprintf(self->out, "problem  %s: %s\n", key, reason);
}

/* `broker_key` NULL: there is none to verify registrations with. */
static status_t check(offline_t *self, const char *path, const uint8_t *broker_key)
{
    check_counts_t counts;
    store_t *store = NULL;
    const store_rocksdb_options_t options = {.read_only = true};
    status_t status = store_rocksdb_open(path, &options, &store);
    if (status != STATUS_OK) {
        fprintf(self->out, "problem  -: %s can't be opened: %s\n", path, status_text(status));
        return status;
    }
    status = check_run(store, broker_key, print_problem, self, &counts);
    store_destroy(&store);
    for (size_t i = 0; i < CHECK_KINDS; i++) {
        fprintf(self->out, "%8" PRIu64 " %s\n", counts.records[i], check_kind_name(i));
    }
    fprintf(self->out, "%8" PRIu64 " bytes\n%8" PRIu64 " problems\n", counts.bytes,
            counts.problems);
    return status == STATUS_OK && counts.problems > 0 ? STATUS_DAMAGED_FILE : status;
}

/* A key is not made where there is none, as a broker would. */
static status_t read_key(offline_t *self, broker_key_t *out)
{
    bool is_new;
    status_t status = STATUS_NOT_FOUND;
    if (faccessat(self->dir.fd, KEY_FILE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        status = key_file_open(out, self->dir.fd, &is_new);
    }
    if (status != STATUS_OK) {
        fprintf(self->out, "problem  -: " KEY_FILE_NAME ": %s; restore it from a backup\n",
                status_text(status));
    }
    return status;
}

status_t offline_fsck(const options_t *options, FILE *out, FILE *err)
{
    offline_t self = {.out = out, .err = err, .dir = {.fd = -1, .lock_fd = -1}};
    char path[PATH_MAX] = "", store[PATH_MAX + sizeof "/" DATA_STORE_NAME];
    broker_key_t key = {0};
    struct stat found;
    status_t status = find_path(&self, options, path);
    snprintf(store, sizeof store, "%s/" DATA_STORE_NAME, path);
    if (status == STATUS_OK && stat(store, &found) != 0) {
        fprintf(err,
                "conclaved: %s: %s: give the directory of a broker or of a backup: --data DIR\n",
                store, strerrordesc_np(errno));
        status = STATUS_NOT_FOUND;
    }
    if (status == STATUS_OK) {
        status = open_dir(&self, path);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status_t key_status = read_key(&self, &key);
    status = check(&self, store, key_status == STATUS_OK ? key.public_key : NULL);
    broker_key_wipe(&key);
    data_dir_close(&self.dir);
    fputs(status == STATUS_OK && key_status == STATUS_OK ? "sound\n" : "damaged\n", out);
    return status == STATUS_OK ? key_status : status;
}
