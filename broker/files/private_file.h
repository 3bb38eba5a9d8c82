/* SPDX-License-Identifier: MPL-2.0 */
/* Small files that only their owner may read: replaced as a whole, durably. */
#ifndef CONCLAVE_BROKER_FILES_PRIVATE_FILE_H
#define CONCLAVE_BROKER_FILES_PRIVATE_FILE_H

#include "proto/status.h"

#include <stddef.h>

/* Replaces dir_fd/name by these bytes, mode 0600: a new file beside it, fsync, rename, fsync of
   the folder. A crash leaves the old file or the new one. One process at a time. STATUS_IO_ERROR
   with errno set. */
MUST_CHECK status_t private_file_write(int dir_fd, const char *name, const void *bytes,
                                       size_t size);

/* Reads the whole file into out[0..capacity). STATUS_NOT_FOUND; STATUS_UNSAFE_PERMISSIONS if it is
   not a plain file of this user's, or group or others may read or write it; STATUS_DAMAGED_FILE if
   it is larger than the capacity; STATUS_IO_ERROR with errno set. *size is 0 unless STATUS_OK. */
MUST_CHECK status_t private_file_read(int dir_fd, const char *name, void *out, size_t capacity,
                                      size_t *size);

#endif
