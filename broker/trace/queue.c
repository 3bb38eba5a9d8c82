/* SPDX-License-Identifier: MPL-2.0 */
/* A ring for one producer and one consumer: each index is written by one side only. */
#include "broker/trace/queue.h"

#include "proto/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CACHE_LINE_BYTES = 64 };

struct trace_queue {
    trace_record_t *records;
    size_t capacity;
    int fd;
    /* The producer's */
    _Alignas(CACHE_LINE_BYTES) size_t given;
    size_t taken_seen; /* an older value of `taken` that is good enough */
    atomic_size_t published;
    atomic_uint_fast64_t dropped;
    /* The consumer's */
    _Alignas(CACHE_LINE_BYTES) atomic_size_t taken;
    _Alignas(CACHE_LINE_BYTES) atomic_bool is_asleep;
};

trace_queue_t *trace_queue_new(size_t capacity)
{
    assert(capacity > 0 && (capacity & (capacity - 1)) == 0);
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return NULL;
    trace_queue_t *self = aligned_alloc(CACHE_LINE_BYTES, sizeof *self);
    if (!self)
        abort();
    *self = (trace_queue_t){.capacity = capacity, .fd = fd};
    self->records = mem_zalloc(capacity, sizeof *self->records);
    return self;
}

void trace_queue_destroy(trace_queue_t **self)
{
    if (!*self)
        return;
    close((*self)->fd);
    free((*self)->records);
    free(*self);
    *self = NULL;
}

trace_record_t *trace_queue_slot(trace_queue_t *self)
{
    if (self->given - self->taken_seen == self->capacity) {
        self->taken_seen = atomic_load_explicit(&self->taken, memory_order_acquire);
        if (self->given - self->taken_seen == self->capacity) {
            atomic_fetch_add_explicit(&self->dropped, 1, memory_order_relaxed);
            return NULL;
        }
    }
    return &self->records[self->given++ & (self->capacity - 1)];
}

uint64_t trace_queue_number(const trace_queue_t *self)
{
    return self->given;
}

trace_record_t *trace_queue_unpublished(trace_queue_t *self, uint64_t number)
{
    if (number <= atomic_load_explicit(&self->published, memory_order_relaxed) ||
        number > self->given)
        return NULL;
    return &self->records[(number - 1) & (self->capacity - 1)];
}

void trace_queue_publish(trace_queue_t *self)
{
    if (atomic_load_explicit(&self->published, memory_order_relaxed) == self->given)
        return;
    /* Sequentially consistent with trace_queue_sleeps: one of both sides sees the other's store. */
    atomic_store(&self->published, self->given);
    if (atomic_load(&self->is_asleep) && atomic_exchange(&self->is_asleep, false)) {
        const uint64_t one = 1;
        while (write(self->fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
    }
}

size_t trace_queue_ready(const trace_queue_t *self)
{
    return atomic_load_explicit(&self->published, memory_order_acquire) -
           atomic_load_explicit(&self->taken, memory_order_relaxed);
}

const trace_record_t *trace_queue_at(const trace_queue_t *self, size_t index)
{
    size_t at = atomic_load_explicit(&self->taken, memory_order_relaxed) + index;
    return &self->records[at & (self->capacity - 1)];
}

void trace_queue_pop(trace_queue_t *self, size_t count)
{
    size_t taken = atomic_load_explicit(&self->taken, memory_order_relaxed);
    atomic_store_explicit(&self->taken, taken + count, memory_order_release);
}

int trace_queue_fd(const trace_queue_t *self)
{
    return self->fd;
}

bool trace_queue_sleeps(trace_queue_t *self)
{
    atomic_store(&self->is_asleep, true);
    if (atomic_load(&self->published) == atomic_load_explicit(&self->taken, memory_order_relaxed))
        return true;
    atomic_store(&self->is_asleep, false);
    return false;
}

void trace_queue_wakes(trace_queue_t *self)
{
    uint64_t ignored;
    atomic_store(&self->is_asleep, false);
    while (read(self->fd, &ignored, sizeof ignored) < 0 && errno == EINTR) {
    }
}

uint64_t trace_queue_dropped(const trace_queue_t *self)
{
    return atomic_load_explicit(&self->dropped, memory_order_relaxed);
}
