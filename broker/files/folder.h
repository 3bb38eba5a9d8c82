/* SPDX-License-Identifier: MPL-2.0 */
/* A folder that holds plain files only, as a store's does: copied, synced, removed as a whole. */
#ifndef CONCLAVE_BROKER_FILES_FOLDER_H
#define CONCLAVE_BROKER_FILES_FOLDER_H

#include "proto/status.h"

#include <stdint.h>

/* All take the folder that holds the folder `name`, and set errno on STATUS_IO_ERROR. */

/* What its files hold, in bytes, and how many there are: without LOG, LOG.old… and LOCK, which
   RocksDB writes even where it only reads, and which are not copied either. */
typedef struct {
    uint64_t bytes;
    uint64_t files;
} folder_size_t;

/* Makes every file of it durable, and the folder. Anything but plain files in it is STATUS_INVALID.
 */
MUST_CHECK status_t folder_sync(int parent_fd, const char *name, folder_size_t *size);

/* Copies it, durably, to to_fd/to_name, which is made with mode 0700 and must not be there; files
   get mode 0600. STATUS_DISK_FULL; STATUS_INVALID as above. What was copied so far stays. */
MUST_CHECK status_t folder_copy(int parent_fd, const char *name, int to_fd, const char *to_name);

/* Removes it with all that is below, whatever that is. STATUS_OK also if it is not there. */
MUST_CHECK status_t folder_remove(int parent_fd, const char *name);

#endif
