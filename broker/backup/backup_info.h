/* SPDX-License-Identifier: MPL-2.0 */
/* What a backup says of itself: a few lines of text in backup.info. */
#ifndef CONCLAVE_BROKER_BACKUP_BACKUP_INFO_H
#define CONCLAVE_BROKER_BACKUP_BACKUP_INFO_H

#include "proto/limits.h"
#include "proto/status.h"

#include <stdint.h>

#define BACKUP_INFO_NAME  "backup.info"
#define BACKUP_STORE_NAME "store"

typedef struct {
    uint64_t time_ms; /* wall clock, when the checkpoint was asked for */
    uint8_t incarnation[INCARNATION_BYTES];
    char software[SOFTWARE_MAX_BYTES + 1];
    uint64_t store_bytes;
    uint64_t store_files;
} backup_info_t;

/* Writes dir_fd/backup.info, durably. STATUS_IO_ERROR with errno set. */
MUST_CHECK status_t backup_info_write(const backup_info_t *self, int dir_fd);

/* STATUS_NOT_FOUND: no such file, so this is no backup. STATUS_DAMAGED_FILE, STATUS_NEWER_FORMAT,
   STATUS_UNSAFE_PERMISSIONS; STATUS_IO_ERROR with errno set. */
MUST_CHECK status_t backup_info_read(backup_info_t *out, int dir_fd);

#endif
