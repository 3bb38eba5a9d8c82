/* SPDX-License-Identifier: MPL-2.0 */
/* The directory that one broker keeps everything in, and the lock that makes it one broker. */
#ifndef CONCLAVE_BROKER_FILES_DATA_DIR_H
#define CONCLAVE_BROKER_FILES_DATA_DIR_H

#include "proto/status.h"

#include <limits.h>
#include <sys/types.h>

/* What lies in it beside key and lock. */
#define DATA_STORE_NAME     "store"
#define DATA_RESTORING_NAME "store.restoring" /* a restore that is not done */

typedef struct {
    char path[PATH_MAX]; /* absolute, or as it was given */
    int fd;
    int lock_fd;
} data_dir_t;

/* Where data goes when nobody says: $XDG_DATA_HOME/conclave-broker, or
   ~/.local/share/conclave-broker. STATUS_INVALID: neither XDG_DATA_HOME nor HOME is an absolute
   path. STATUS_TOO_LARGE. */
MUST_CHECK status_t data_dir_default_path(char out[static PATH_MAX]);

/* Creates what is missing of the path (mode 0700 all along), opens it and takes the lock, which
   ends with data_dir_close or with the process, however it dies.
   STATUS_HOME_IN_USE: *holder is the pid of the broker that has it (0: not known).
   STATUS_UNSAFE_PERMISSIONS: group or others may write to it, or it is somebody else's.
   STATUS_TOO_LARGE. STATUS_IO_ERROR with errno set. */
MUST_CHECK status_t data_dir_open(data_dir_t *self, const char *path, pid_t *holder);

void data_dir_close(data_dir_t *self);

#endif
