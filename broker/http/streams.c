/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/http/streams.h"

#define BLOCK_BYTES 16384

static ssize_t read_stream(void *argument, uint64_t position, char *out, size_t size)
{
    http_stream_t *self = argument;
    size_t got;
    (void)position;
    if (!live_read(self->all->live, &self->reader, out, size, &got)) {
        self->all->dropped += !live_has_ended(self->all->live);
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (got == 0) {
        self->is_suspended = true;
        MHD_suspend_connection(self->connection);
    }
    return (ssize_t)got;
}

static void free_stream(void *argument)
{
    http_stream_t *self = argument;
    live_close(self->all->live, &self->reader);
    self->connection = NULL;
    self->all->open--;
}

const char *http_streams_problem(const http_streams_t *self)
{
    if (live_has_ended(self->live)) {
        return "draining: the broker is about to end";
    }
    return self->open == HTTP_STREAMS_MAX ? "too many live pages are open" : NULL;
}

struct MHD_Response *http_streams_open(http_streams_t *self, struct MHD_Connection *connection,
                                       uint64_t now_ms)
{
    http_stream_t *stream = self->places;
    while (stream->connection) {
        stream++;
    }
    if (!live_open(self->live, &stream->reader, now_ms)) {
        return NULL;
    }
    stream->all = self;
    stream->connection = connection;
    stream->is_suspended = false;
    self->open++;
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, stream,
                                             free_stream);
}

static ssize_t read_nothing(void *argument, uint64_t position, char *out, size_t size)
{
    (void)argument;
    (void)position;
    (void)out;
    (void)size;
    return MHD_CONTENT_READER_END_OF_STREAM;
}

struct MHD_Response *http_streams_head(void)
{
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_nothing, NULL,
                                             NULL);
}

void http_streams_resume(http_streams_t *self)
{
    for (size_t i = 0; i < HTTP_STREAMS_MAX; i++) {
        http_stream_t *stream = &self->places[i];
        if (stream->connection && stream->is_suspended) {
            stream->is_suspended = false;
            MHD_resume_connection(stream->connection);
        }
    }
}
