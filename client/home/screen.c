/* SPDX-License-Identifier: MPL-2.0 */
#include "client/home/screen.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#include "client/home/clock.h"
#include "client/home/frame_stream.h"
#include "client/local/local.h"
#include "proto/memory.h"

struct screen {
    frame_stream_t stream;
    bool is_remote;
};

static const uint64_t send_timeout_ms = 30000;

screen_t *screen_new(int socket, bool is_remote)
{
    screen_t *self = mem_zalloc(1, sizeof *self);
    frame_stream_init(&self->stream, socket);
    self->is_remote = is_remote;
    return self;
}

void screen_destroy(screen_t **self)
{
    if (!*self)
        return;
    frame_stream_wipe(&(*self)->stream);
    free(*self);
    *self = NULL;
}

bool screen_is_remote(const screen_t *self)
{
    return self->is_remote;
}

int screen_fd(const screen_t *self)
{
    return self->stream.socket;
}

/* How long poll may wait for a deadline that starts at start_ms; -1 for ever. */
static int time_left(uint64_t start_ms, uint64_t timeout_ms)
{
    if (timeout_ms == UINT64_MAX)
        return -1;
    uint64_t gone = clock_boot_ms() - start_ms;
    uint64_t left = gone < timeout_ms ? timeout_ms - gone : 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

/* Waits for the socket. STATUS_TIMED_OUT, STATUS_INTERRUPTED, STATUS_IO_ERROR. */
static status_t wait_for(screen_t *self, short events, int wait_ms)
{
    struct pollfd item = {.fd = self->stream.socket, .events = events};
    int rc = poll(&item, 1, wait_ms);
    if (rc < 0)
        return errno == EINTR ? STATUS_INTERRUPTED : STATUS_IO_ERROR;
    return rc == 0 ? STATUS_TIMED_OUT : STATUS_OK;
}

status_t screen_send(screen_t *self, bytes_t frame)
{
    uint64_t start = clock_boot_ms();
    status_t status = frame_stream_put(&self->stream, frame);
    while (status == STATUS_OK && frame_stream_is_sending(&self->stream)) {
        status = wait_for(self, POLLOUT, time_left(start, send_timeout_ms));
        if (status == STATUS_OK)
            status = frame_stream_flush(&self->stream);
        else if (status == STATUS_INTERRUPTED)
            status = STATUS_OK;
    }
    return status;
}

status_t screen_receive(screen_t *self, uint64_t timeout_ms, buffer_t *frame)
{
    uint64_t start = clock_boot_ms();
    for (;;) {
        status_t status = frame_stream_get(&self->stream, frame);
        if (status != STATUS_NOT_FOUND)
            return status;
        int wait_ms = time_left(start, timeout_ms);
        if (wait_ms == 0)
            return STATUS_TIMED_OUT;
        status = wait_for(self, POLLIN, wait_ms);
        if (status != STATUS_OK && status != STATUS_TIMED_OUT)
            return status;
    }
}
