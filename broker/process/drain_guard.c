/* SPDX-License-Identifier: MPL-2.0 */
/* A thread, because what is waited for (a sync, libzmq's linger) can't be interrupted. */
#include "broker/process/drain_guard.h"

#include "broker/clock.h"
#include "broker/process/signals.h"
#include "proto/memory.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct drain_guard {
    pthread_t thread;
    int signal_fd;
    int done_fd;
    int64_t end_ms; /* monotonic_clock_ms */
    drain_over_t *over;
    void *context;
};

/* Waits for what comes first. True: the drain is over and was not done, *end says why. */
static bool wait_for_end(const drain_guard_t *self, drain_end_t *end)
{
    struct pollfd fds[] = {{.fd = self->done_fd, .events = POLLIN},
                           {.fd = self->signal_fd, .events = POLLIN}};
    for (;;) {
        int64_t left_ms = self->end_ms - monotonic_clock_ms();
        int ready = poll(fds, 2, left_ms > 0 ? (int)left_ms : 0);
        if (ready < 0 && errno != EINTR) {
            return false;
        }
        if (ready > 0 && fds[0].revents) {
            return false;
        }
        if (ready > 0 && fds[1].revents && signals_read(self->signal_fd) == SIGNAL_STOP) {
            *end = DRAIN_SIGNAL;
            return true;
        }
        if (ready == 0 && monotonic_clock_ms() >= self->end_ms) {
            *end = DRAIN_LIMIT;
            return true;
        }
    }
}

static void *run(void *argument)
{
    drain_guard_t *self = argument;
    drain_end_t end;
    if (wait_for_end(self, &end)) {
        self->over(self->context, end);
    }
    return NULL;
}

drain_guard_t *drain_guard_new(int signal_fd, uint64_t limit_ms, drain_over_t *over, void *context)
{
    drain_guard_t *self = mem_zalloc(1, sizeof *self);
    *self = (drain_guard_t){.signal_fd = signal_fd,
                            .done_fd = eventfd(0, EFD_CLOEXEC),
                            .end_ms = monotonic_clock_ms() + (int64_t)limit_ms,
                            .over = over,
                            .context = context};
    if (self->done_fd < 0 || pthread_create(&self->thread, NULL, run, self) != 0) {
        if (self->done_fd >= 0) {
            close(self->done_fd);
        }
        free(self);
        return NULL;
    }
    return self;
}

void drain_guard_destroy(drain_guard_t **self_pointer)
{
    drain_guard_t *self = *self_pointer;
    if (!self) {
        return;
    }
    eventfd_write(self->done_fd, 1);
    pthread_join(self->thread, NULL);
    close(self->done_fd);
    free(self);
    *self_pointer = NULL;
}
