/* SPDX-License-Identifier: MPL-2.0 */
/* A semaphore wakes the thread, an eventfd the router: both publish what was written before. */
#include "broker/router/writer.h"

#include "broker/clock.h"
#include "proto/memory.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef enum { JOB_WRITE, JOB_REOPEN, JOB_END } job_kind_t;

struct writer {
    store_t *store;
    pthread_t thread;
    sem_t wanted;
    int done_fd;
    bool is_busy; /* the router's side only */
    job_kind_t job;
    const store_unit_t *units;
    size_t count;
    status_t *outcomes;
    status_t status;
    uint64_t duration_us;
};

static void *writer_run(void *argument)
{
    writer_t *self = argument;
    for (;;) {
        while (sem_wait(&self->wanted) != 0) {
        }
        if (self->job == JOB_END) {
            return NULL;
        }
        uint64_t started = monotonic_clock_us();
        self->status = self->job == JOB_WRITE
                           ? store_write(self->store, self->units, self->count, self->outcomes)
                           : store_reopen(self->store);
        self->duration_us = monotonic_clock_us() - started;
        const uint64_t one = 1;
        while (write(self->done_fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
    }
}

writer_t *writer_new(store_t *store)
{
    writer_t *self = mem_zalloc(1, sizeof *self);
    self->store = store;
    self->done_fd = eventfd(0, EFD_CLOEXEC);
    if (self->done_fd < 0) {
        free(self);
        return NULL;
    }
    sem_init(&self->wanted, 0, 0);
    if (pthread_create(&self->thread, NULL, writer_run, self) != 0) {
        sem_destroy(&self->wanted);
        close(self->done_fd);
        free(self);
        return NULL;
    }
    return self;
}

static void writer_start(writer_t *self, job_kind_t job)
{
    self->job = job;
    self->is_busy = true;
    sem_post(&self->wanted);
}

void writer_destroy(writer_t **self)
{
    writer_t *dead = *self;
    if (!dead) {
        return;
    }
    if (dead->is_busy) {
        status_t ignored = writer_take(dead, NULL);
        (void)ignored;
    }
    writer_start(dead, JOB_END);
    pthread_join(dead->thread, NULL);
    sem_destroy(&dead->wanted);
    close(dead->done_fd);
    free(dead);
    *self = NULL;
}

int writer_fd(const writer_t *self)
{
    return self->done_fd;
}

bool writer_is_busy(const writer_t *self)
{
    return self->is_busy;
}

void writer_write(writer_t *self, const store_unit_t *units, size_t count, status_t *outcomes)
{
    self->units = units;
    self->count = count;
    self->outcomes = outcomes;
    writer_start(self, JOB_WRITE);
}

void writer_reopen(writer_t *self)
{
    writer_start(self, JOB_REOPEN);
}

status_t writer_take(writer_t *self, uint64_t *duration_us)
{
    uint64_t ignored;
    while (read(self->done_fd, &ignored, sizeof ignored) < 0 && errno == EINTR) {
    }
    self->is_busy = false;
    if (duration_us) {
        *duration_us = self->duration_us;
    }
    return self->status;
}
