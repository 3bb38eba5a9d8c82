/* SPDX-License-Identifier: MPL-2.0 */
/* A backup that a tool has asked for: made in a thread of its own, one at a time. */
#ifndef CONCLAVE_BROKER_OPERATOR_BACKUP_TASK_H
#define CONCLAVE_BROKER_OPERATOR_BACKUP_TASK_H

#include "broker/backup/backup.h"
#include "broker/log.h"
#include "proto/message.h"

/* All zero: none is being made. */
typedef struct {
    backup_job_t *job;
    uint8_t session_id[16]; /* who waits for the reply */
    size_t session_id_size;
    uint64_t request_id;
} backup_task_t;

/* Begins it, or appends the refusal to out. */
void backup_task_begin(backup_task_t *self, const backup_source_t *source, log_t *log,
                       const uint8_t *session_id, size_t session_id_size, const message_t *request,
                       buffer_t *out);

/* Readable once it is made; -1: none is being made. */
int backup_task_fd(const backup_task_t *self);

/* Waits for its end, logs it and appends the reply to out. */
void backup_task_finish(backup_task_t *self, log_t *log, buffer_t *out);

#endif
