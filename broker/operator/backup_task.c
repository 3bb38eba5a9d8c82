/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/operator/backup_task.h"

#include "proto/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static text_t text_of(const char *text)
{
    return (text_t){.data = text, .size = strlen(text)};
}

static void refuse(const message_t *request, status_t status, const char *problem, buffer_t *out)
{
    const backup_reply_t reply = {.problem = text_of(problem)};
    message_write_reply(out, VERB_backup, request->id, status, &reply);
}

void backup_task_begin(backup_task_t *self, const backup_source_t *source, log_t *log,
                       const uint8_t *session_id, size_t session_id_size, const message_t *request,
                       buffer_t *out)
{
    const text_t directory = request->body.backup_request.directory;
    if (self->job) {
        refuse(request, STATUS_CONFLICT, "a backup is being made already", out);
        return;
    }
    char *path = mem_zalloc(directory.size + 1, 1);
    memcpy(path, directory.data, directory.size);
    LOG(log, LEVEL_INFO, log_event("backup_begun"), log_text("dir", path));
    self->job = backup_job_start(source, path);
    free(path);
    if (!self->job) {
        refuse(request, STATUS_IO_ERROR, "no thread can be had", out);
        return;
    }
    memcpy(self->session_id, session_id, session_id_size);
    self->session_id_size = session_id_size;
    self->request_id = request->id;
}

int backup_task_fd(const backup_task_t *self)
{
    return self->job ? backup_job_fd(self->job) : -1;
}

void backup_task_finish(backup_task_t *self, log_t *log, buffer_t *out)
{
    backup_report_t report = {0};
    status_t status = backup_job_finish(&self->job, &report);
    const backup_reply_t reply = {.files = report.info.store_files,
                                  .bytes = report.info.store_bytes,
                                  .problem = text_of(status == STATUS_OK ? "" : report.problem)};
    LOG(log, status == STATUS_OK ? LEVEL_INFO : LEVEL_ERROR,
        log_event(status == STATUS_OK ? "backup_made" : "backup_failed"),
        log_count("files", reply.files), log_count("bytes", reply.bytes),
        log_text("problem", reply.problem.data));
    message_write_reply(out, VERB_backup, self->request_id, status, &reply);
}
