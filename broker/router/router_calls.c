/* SPDX-License-Identifier: MPL-2.0 */
/* The caller's stack holds the call: it leaves only when the call is done or taken back. */
#include "broker/router/router_calls.h"

#include "proto/memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

typedef enum { WAITS, RUNS, DONE } call_state_t;

typedef struct {
    router_call_t *call;
    void *context;
    call_state_t state;
    status_t status;
} call_t;

struct router_calls {
    int fd;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    call_t *waiting[ROUTER_CALLS_MAX]; /* oldest first */
    size_t count;
    bool is_closed;
};

router_calls_t *router_calls_new(void)
{
    pthread_condattr_t monotonic;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return NULL;
    }
    router_calls_t *self = mem_zalloc(1, sizeof *self);
    self->fd = fd;
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return self;
}

void router_calls_destroy(router_calls_t **self)
{
    if (!*self) {
        return;
    }
    close((*self)->fd);
    pthread_cond_destroy(&(*self)->changed);
    pthread_mutex_destroy(&(*self)->lock);
    free(*self);
    *self = NULL;
}

static void take_back(router_calls_t *self, const call_t *call)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (self->waiting[i] != call) {
            self->waiting[kept++] = self->waiting[i];
        }
    }
    self->count = kept;
}

static struct timespec deadline_after(int timeout_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += timeout_ms / 1000;
    at.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (at.tv_nsec >= 1000000000L) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000L;
    }
    return at;
}

/* With the lock held. A call that runs already is waited for: it uses the caller's memory. */
static void await(router_calls_t *self, call_t *call, int timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms);
    while (call->state != DONE) {
        int rc = call->state == RUNS
                     ? pthread_cond_wait(&self->changed, &self->lock)
                     : pthread_cond_timedwait(&self->changed, &self->lock, &deadline);
        if (rc == ETIMEDOUT && call->state == WAITS) {
            take_back(self, call);
            call->status = STATUS_TIMED_OUT;
            return;
        }
    }
}

status_t router_calls_do(router_calls_t *self, router_call_t *call, void *context, int timeout_ms)
{
    call_t mine = {.call = call, .context = context, .state = WAITS};
    pthread_mutex_lock(&self->lock);
    if (self->is_closed) {
        mine.status = STATUS_DRAINING;
    } else if (self->count == ROUTER_CALLS_MAX) {
        mine.status = STATUS_TOO_MANY;
    } else {
        const uint64_t one = 1;
        self->waiting[self->count++] = &mine;
        while (write(self->fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
        await(self, &mine, timeout_ms);
    }
    pthread_mutex_unlock(&self->lock);
    return mine.status;
}

int router_calls_fd(const router_calls_t *self)
{
    return self->fd;
}

static call_t *take_first(router_calls_t *self)
{
    call_t *first = self->count > 0 ? self->waiting[0] : NULL;
    if (first) {
        take_back(self, first);
        first->state = RUNS;
    }
    return first;
}

void router_calls_serve(router_calls_t *self, rules_t *rules, store_t *store)
{
    uint64_t ignored;
    pthread_mutex_lock(&self->lock);
    while (read(self->fd, &ignored, sizeof ignored) < 0 && errno == EINTR) {
    }
    for (call_t *call; (call = take_first(self));) {
        pthread_mutex_unlock(&self->lock);
        status_t status = call->call(call->context, rules, store);
        pthread_mutex_lock(&self->lock);
        call->status = status;
        call->state = DONE;
        pthread_cond_broadcast(&self->changed);
    }
    pthread_mutex_unlock(&self->lock);
}

void router_calls_close(router_calls_t *self)
{
    pthread_mutex_lock(&self->lock);
    self->is_closed = true;
    for (size_t i = 0; i < self->count; i++) {
        self->waiting[i]->status = STATUS_DRAINING;
        self->waiting[i]->state = DONE;
    }
    self->count = 0;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}
