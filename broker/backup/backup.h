/* SPDX-License-Identifier: MPL-2.0 */
/* A backup of a running broker: a consistent copy of its store, and its key, in a new directory. */
#ifndef CONCLAVE_BROKER_BACKUP_BACKUP_H
#define CONCLAVE_BROKER_BACKUP_BACKUP_H

#include "broker/backup/backup_info.h"
#include "broker/store/store.h"

#include <stdatomic.h>

/*
 *   DIR/store/        RocksDB
 *   DIR/broker.key    0600: who has it can pose as this broker
 *   DIR/backup.info
 *
 * It is made as DIR.partial and renamed when it is whole and on disk, so that DIR is never half a
 * backup. What an interrupted one left is removed by the next into the same DIR; what is there and
 * isn't that, is refused.
 */

/* Borrowed until the backup is done. */
typedef struct {
    store_t *store;
    int data_fd; /* the data directory's, where broker.key is */
    uint8_t incarnation[INCARNATION_BYTES];
    char software[SOFTWARE_MAX_BYTES + 1];
    const atomic_uint_fast64_t *reserve_bytes; /* that must stay free where the backup goes, looked
                                                  at by each one: it may change meanwhile */
} backup_source_t;

typedef struct {
    backup_info_t info;
    char problem[512]; /* what failed and what to do about it, in one line; the path in it is raw */
} backup_report_t;

/*
 * Any thread, while the router and the writer go on: traffic doesn't wait for it. The copy is a
 * state of the store between two lists of writes, and has all that was acknowledged before the
 * call. On the store's own file system its tables are linked and not copied.
 *
 * `dir` is absolute; it is not there yet, or an empty directory; its parent must be there.
 * STATUS_INVALID: it isn't so. STATUS_CONFLICT: another backup into it is being made.
 * STATUS_DISK_FULL, STATUS_STORE_FAILED, STATUS_IO_ERROR. Unless STATUS_OK report->problem is
 * filled, nothing is left behind, and what was there before is there still.
 */
MUST_CHECK status_t backup_make(const backup_source_t *source, const char *dir,
                                backup_report_t *report);

/* The same in a thread of its own, for a caller that has to go on. One thread calls all three. */
typedef struct backup_job backup_job_t;

/* Copies source (not what it points to) and dir. NULL if no thread can be had. */
backup_job_t *backup_job_start(const backup_source_t *source, const char *dir);

/* Readable (poll for input) once the backup is made or has failed. */
int backup_job_fd(const backup_job_t *self);

/* Waits for the end, gives what backup_make gave, and frees the job. */
MUST_CHECK status_t backup_job_finish(backup_job_t **self, backup_report_t *report);

#endif
