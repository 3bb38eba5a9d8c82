/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/trace/hub.h"

#include "broker/clock.h"
#include "broker/trace/background.h"
#include "proto/memory.h"

#include <czmq.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    ROUTER_RECORDS = 65536,
    MONITOR_RECORDS = 1024,
    BATCH_RECORDS = 256,
    PAST_AT_ONCE = 4096, /* looked at with the lock held */
    GATHER_MS = 5 /* between two looks: under load, wake-ups would cost more than the records */
};

/* The newest records; the oldest make room. */
typedef struct {
    trace_record_t *records;
    size_t capacity;
    size_t first;
    size_t count;
} ring_t;

struct trace_listener {
    trace_hub_t *hub;
    int fd;
    trace_filter_t filter;
    ring_t waiting;
    const char *who;
    uint64_t dropped; /* since the last take */
    uint64_t lost;    /* in all */
    bool is_told_of;
    bool reads_past;  /* it has not caught up yet: what comes lies in the hub's ring, not here */
    uint64_t past_at; /* the next one of all that were ever remembered */
};

struct trace_hub {
    trace_queue_t *from_router;
    trace_queue_t *from_monitor;
    trace_source_t source;
    zactor_t *actor;
    atomic_bool is_wanted;
    pthread_mutex_t lock; /* guards what follows */
    ring_t past;          /* with room behind what is remembered, for who reads it */
    size_t remembered;    /* of it are offered to who comes */
    uint64_t past_total;  /* that were ever put there */
    trace_listener_t *listeners[TRACE_LISTENERS_MAX];
    size_t listener_count;
    uint64_t lost;
    trace_hub_loss_t *tell_loss;
    void *loss_context;
};

static bool ring_put(ring_t *self, const trace_record_t *record, bool overwrites)
{
    if (self->capacity == 0 || (self->count == self->capacity && !overwrites))
        return false;
    self->records[(self->first + self->count) % self->capacity] = *record;
    if (self->count < self->capacity)
        self->count++;
    else
        self->first = (self->first + 1) % self->capacity;
    return true;
}

static const trace_record_t *ring_at(const ring_t *self, size_t index)
{
    return &self->records[(self->first + index) % self->capacity];
}

static void listener_wake(const trace_listener_t *self)
{
    const uint64_t one = 1;
    while (write(self->fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

static void listener_loses(trace_listener_t *self, uint64_t count)
{
    self->lost += count;
    self->hub->lost += count;
}

/* Whether it is to be told that this listener loses steps: once. */
static bool loss_begins(trace_listener_t *self)
{
    bool begins = self->lost > 0 && !self->is_told_of;
    self->is_told_of = self->is_told_of || begins;
    return begins;
}

static void tell_loss(const trace_hub_t *self, const char *who, uint64_t lost, bool has_left)
{
    if (self->tell_loss && lost > 0)
        self->tell_loss(self->loss_context, who, lost, has_left);
}

/* Whether its queue was empty before. */
static bool listener_offer(trace_listener_t *self, const trace_record_t *record)
{
    if (self->reads_past || !trace_filter_passes(&self->filter, record))
        return false;
    if (ring_put(&self->waiting, record, false))
        return self->waiting.count == 1;
    self->dropped++;
    listener_loses(self, 1);
    return false;
}

static void hub_deliver(trace_hub_t *self, const trace_queue_t *queue, size_t count)
{
    const char *losers[TRACE_LISTENERS_MAX];
    size_t loser_count = 0;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < count; i++)
        self->past_total += ring_put(&self->past, trace_queue_at(queue, i), true);
    for (size_t l = 0; l < self->listener_count; l++) {
        bool wakes = false;
        for (size_t i = 0; i < count; i++)
            wakes = listener_offer(self->listeners[l], trace_queue_at(queue, i)) || wakes;
        if (wakes)
            listener_wake(self->listeners[l]);
        if (loss_begins(self->listeners[l]))
            losers[loser_count++] = self->listeners[l]->who;
    }
    pthread_mutex_unlock(&self->lock);
    for (size_t i = 0; i < loser_count; i++)
        tell_loss(self, losers[i], 1, false);
}

static bool hub_move(trace_hub_t *self, trace_queue_t *queue)
{
    size_t count = trace_queue_ready(queue);
    count = count < BATCH_RECORDS ? count : BATCH_RECORDS;
    if (count == 0)
        return false;
    hub_deliver(self, queue, count);
    trace_queue_pop(queue, count);
    return true;
}

static void hub_actor(zsock_t *pipe, void *argument)
{
    trace_hub_t *self = argument;
    zmq_pollitem_t items[] = {
        {.socket = zsock_resolve(pipe), .events = ZMQ_POLLIN},
        {.fd = trace_queue_fd(self->from_router), .events = ZMQ_POLLIN},
        {.fd = trace_queue_fd(self->from_monitor), .events = ZMQ_POLLIN},
    };
    background_thread();
    zsock_signal(pipe, 0);
    while ((items[0].revents & ZMQ_POLLIN) == 0) {
        bool router_sleeps = trace_queue_sleeps(self->from_router);
        bool monitor_sleeps = trace_queue_sleeps(self->from_monitor);
        if (zmq_poll(items, 3, router_sleeps && monitor_sleeps ? -1 : 0) < 0 && errno != EINTR)
            break;
        trace_queue_wakes(self->from_router);
        trace_queue_wakes(self->from_monitor);
        while (hub_move(self, self->from_router) || hub_move(self, self->from_monitor)) {
        }
        if (zmq_poll(items, 1, GATHER_MS) < 0 && errno != EINTR)
            break;
    }
}

trace_hub_t *trace_hub_new(size_t remembered)
{
    trace_hub_t *self = mem_zalloc(1, sizeof *self);
    pthread_mutex_init(&self->lock, NULL);
    self->remembered = remembered < TRACE_REMEMBERED_MAX ? remembered : TRACE_REMEMBERED_MAX;
    self->is_wanted = self->remembered > 0;
    if (self->is_wanted) {
        self->past.capacity = self->remembered + TRACE_LISTENER_RECORDS;
        self->past.records = mem_zalloc(self->past.capacity, sizeof *self->past.records);
    }
    self->from_router = trace_queue_new(ROUTER_RECORDS);
    self->from_monitor = trace_queue_new(MONITOR_RECORDS);
    if (self->from_router && self->from_monitor) {
        trace_source_init(&self->source, self->from_router);
        self->actor = zactor_new(hub_actor, self);
    }
    if (!self->actor)
        trace_hub_destroy(&self);
    return self;
}

void trace_hub_destroy(trace_hub_t **self)
{
    trace_hub_t *dead = *self;
    if (!dead)
        return;
    assert(dead->listener_count == 0);
    zactor_destroy(&dead->actor);
    trace_source_wipe(&dead->source);
    trace_queue_destroy(&dead->from_router);
    trace_queue_destroy(&dead->from_monitor);
    pthread_mutex_destroy(&dead->lock);
    free(dead->past.records);
    free(dead);
    *self = NULL;
}

void trace_hub_on_loss(trace_hub_t *self, trace_hub_loss_t *tell, void *context)
{
    self->tell_loss = tell;
    self->loss_context = context;
}

trace_source_t *trace_hub_source(trace_hub_t *self)
{
    return &self->source;
}

void trace_hub_handshake_failed(trace_hub_t *self, trace_reason_t reason)
{
    if (!trace_hub_is_wanted(self))
        return;
    trace_record_t *slot = trace_queue_slot(self->from_monitor);
    if (!slot)
        return;
    *slot = (trace_record_t){
        .time_us = wall_clock_us(), .step = TRACE_HANDSHAKE_FAILED, .reason = reason};
    trace_queue_publish(self->from_monitor);
}

bool trace_hub_is_wanted(const trace_hub_t *self)
{
    return atomic_load_explicit(&self->is_wanted, memory_order_relaxed);
}

uint64_t trace_hub_dropped(const trace_hub_t *self)
{
    return trace_queue_dropped(self->from_router) + trace_queue_dropped(self->from_monitor);
}

static size_t remembered_now(const trace_hub_t *self)
{
    return self->past.count < self->remembered ? self->past.count : self->remembered;
}

size_t trace_hub_remembered(trace_hub_t *self)
{
    pthread_mutex_lock(&self->lock);
    size_t count = remembered_now(self);
    pthread_mutex_unlock(&self->lock);
    return count;
}

size_t trace_hub_listeners(trace_hub_t *self)
{
    pthread_mutex_lock(&self->lock);
    size_t count = self->listener_count;
    pthread_mutex_unlock(&self->lock);
    return count;
}

uint64_t trace_hub_lost(trace_hub_t *self)
{
    pthread_mutex_lock(&self->lock);
    uint64_t lost = self->lost;
    pthread_mutex_unlock(&self->lock);
    return lost;
}

static void listener_free(trace_listener_t *self)
{
    if (self->fd >= 0)
        close(self->fd);
    free(self->waiting.records);
    free(self);
}

static void begin_past(trace_listener_t *self)
{
    const size_t count = remembered_now(self->hub);
    self->reads_past = count > 0;
    self->past_at = self->hub->past_total - count;
    if (self->reads_past)
        listener_wake(self);
}

trace_listener_t *trace_listen(trace_hub_t *self, const trace_filter_t *filter, bool with_past,
                               const char *who)
{
    trace_listener_t *added = mem_zalloc(1, sizeof *added);
    added->hub = self;
    added->filter = *filter;
    added->who = who;
    added->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    added->waiting.capacity = TRACE_LISTENER_RECORDS;
    added->waiting.records = mem_alloc(added->waiting.capacity * sizeof *added->waiting.records);
    pthread_mutex_lock(&self->lock);
    bool has_room = added->fd >= 0 && self->listener_count < TRACE_LISTENERS_MAX;
    if (has_room) {
        self->listeners[self->listener_count++] = added;
        atomic_store(&self->is_wanted, true);
        if (with_past)
            begin_past(added);
    }
    pthread_mutex_unlock(&self->lock);
    if (has_room)
        return added;
    listener_free(added);
    return NULL;
}

void trace_unlisten(trace_listener_t **self)
{
    trace_listener_t *dead = *self;
    if (!dead)
        return;
    trace_hub_t *hub = dead->hub;
    pthread_mutex_lock(&hub->lock);
    for (size_t i = 0; i < hub->listener_count; i++)
        if (hub->listeners[i] == dead)
            hub->listeners[i] = hub->listeners[--hub->listener_count];
    if (hub->listener_count == 0 && hub->remembered == 0)
        atomic_store(&hub->is_wanted, false);
    pthread_mutex_unlock(&hub->lock);
    tell_loss(hub, dead->who, dead->lost, true);
    listener_free(dead);
    *self = NULL;
}

int trace_listener_fd(const trace_listener_t *self)
{
    return self->fd;
}

/* Looks at PAST_AT_ONCE records at most, so that the hub gets the lock in between. */
static size_t take_past(trace_listener_t *self, trace_record_t *out, size_t max, uint64_t *dropped)
{
    const trace_hub_t *hub = self->hub;
    const uint64_t oldest = hub->past_total - hub->past.count;
    size_t taken = 0;
    if (self->past_at < oldest) {
        *dropped += oldest - self->past_at;
        listener_loses(self, oldest - self->past_at);
        self->past_at = oldest;
    }
    for (size_t looked = 0; self->past_at < hub->past_total && taken < max; looked++) {
        const trace_record_t *record = ring_at(&hub->past, (size_t)(self->past_at - oldest));
        if (looked == PAST_AT_ONCE)
            return taken;
        self->past_at++;
        if (trace_filter_passes(&self->filter, record))
            out[taken++] = *record;
    }
    self->reads_past = self->past_at < hub->past_total;
    return taken;
}

static size_t take_waiting(trace_listener_t *self, trace_record_t *out, size_t max)
{
    ring_t *waiting = &self->waiting;
    size_t count = waiting->count < max ? waiting->count : max;
    for (size_t i = 0; i < count; i++)
        out[i] = *ring_at(waiting, i);
    waiting->first = (waiting->first + count) % waiting->capacity;
    waiting->count -= count;
    return count;
}

size_t trace_listener_take(trace_listener_t *self, trace_record_t *out, size_t max,
                           uint64_t *dropped)
{
    uint64_t ignored;
    size_t count = 0;
    bool goes_on = true;
    bool tells = false;
    *dropped = 0;
    while (goes_on) {
        pthread_mutex_lock(&self->hub->lock);
        *dropped += self->dropped;
        self->dropped = 0;
        count += self->reads_past ? take_past(self, out + count, max - count, dropped)
                                  : take_waiting(self, out + count, max - count);
        goes_on = self->reads_past && count < max;
        if (!self->reads_past && self->waiting.count == 0)
            while (read(self->fd, &ignored, sizeof ignored) < 0 && errno == EINTR) {
            }
        tells = loss_begins(self) || tells;
        pthread_mutex_unlock(&self->hub->lock);
    }
    if (tells)
        tell_loss(self->hub, self->who, 1, false);
    return count;
}
