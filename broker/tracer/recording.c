/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/tracer/recording.h"

#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

static const char magic[] = "CONCLAVE-TRACE\n";
enum { FORMAT = 1, MAGIC_BYTES = sizeof magic - 1 };

bool recording_begin(FILE *out)
{
    return fwrite(magic, MAGIC_BYTES, 1, out) == 1 && fputc(FORMAT, out) != EOF;
}

bool recording_add(FILE *out, const trace_record_t *steps, size_t count, uint64_t dropped)
{
    uint8_t length[4];
    buffer_t frame = {0};
    /* Only read by the writer. NOLINTNEXTLINE(performance-no-int-to-ptr): takes const away */
    trace_record_t *items = (trace_record_t *)(uintptr_t)steps;
    const traced_push_t push = {.dropped = dropped, .records = {.items = items, .count = count}};
    message_write_push(&frame, VERB_traced, 0, &push);
    put_u32(length, (uint32_t)frame.size);
    bool is_written =
        fwrite(length, sizeof length, 1, out) == 1 && fwrite(frame.data, frame.size, 1, out) == 1;
    buffer_free(&frame);
    return is_written;
}

status_t recording_open(recording_t *self, const char *path)
{
    char begin[MAGIC_BYTES];
    *self = (recording_t){.in = fopen(path, "rbe")};
    if (!self->in)
        return STATUS_IO_ERROR;
    self->frame = mem_alloc(FRAME_MAX_BYTES);
    bool is_recording =
        fread(begin, sizeof begin, 1, self->in) == 1 && memcmp(begin, magic, MAGIC_BYTES) == 0;
    int format = is_recording ? fgetc(self->in) : EOF;
    if (format == FORMAT)
        return STATUS_OK;
    status_t status = format > FORMAT         ? STATUS_NEWER_FORMAT
                      : ferror(self->in) != 0 ? STATUS_IO_ERROR
                                              : STATUS_DAMAGED_FILE;
    recording_close(self);
    return status;
}

void recording_close(recording_t *self)
{
    if (self->in)
        fclose(self->in);
    message_wipe(&self->message);
    free(self->frame);
    *self = (recording_t){0};
}

status_t recording_next(recording_t *self, const traced_push_t **push)
{
    uint8_t length[4];
    size_t got = fread(length, 1, sizeof length, self->in);
    message_wipe(&self->message);
    self->message = (message_t){0};
    if (got != sizeof length)
        return got == 0 && !ferror(self->in) ? STATUS_NOT_FOUND : STATUS_DAMAGED_FILE;
    size_t size = get_u32(length);
    if (size == 0 || size > FRAME_MAX_BYTES || fread(self->frame, size, 1, self->in) != 1)
        return STATUS_DAMAGED_FILE;
    bytes_t frame = {self->frame, size};
    if (message_read(&self->message, &frame, 1u << MESSAGE_PUSH) != STATUS_OK ||
        self->message.verb != VERB_traced || frame.size != 0)
        return STATUS_DAMAGED_FILE;
    *push = &self->message.body.traced_push;
    return STATUS_OK;
}
