/* SPDX-License-Identifier: MPL-2.0 */
/* One thread owns socket and rules; the writer's thread has the batch's unit while it syncs. */
#include "broker/router/router.h"

#include "broker/clock.h"
#include "broker/router/frame_queue.h"
#include "broker/router/router_report.h"
#include "broker/router/writer.h"
#include "proto/memory.h"

#include <errno.h>
#include <stdlib.h>

/* A batch ends with the first of these. */
#define BATCH_FRAMES FRAME_QUEUE_FRAMES
#define BATCH_BYTES  ((size_t)4 * 1024 * 1024)
#define BATCH_US     8000

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define POLL_MAX_MS    5000

/* Frames of one turn that were received together. */
typedef struct {
    uint64_t received_us;
    uint64_t frames;
} arrival_t;

typedef enum { STORE_OPEN, STORE_CLOSED, STORE_REOPENING } store_state_t;

typedef struct {
    const router_options_t *with;
    const rules_counters_t *rules_counters;
    writer_t *writer;
    frame_queue_t *queue;
    uint64_t now_ms; /* boot_clock_ms, read once a turn of the loop */
    store_state_t store_state;
    bool is_full;
    status_t outcome; /* of the unit that is being written */
    bool needs_room;  /* that unit does */
    uint64_t backoff_ms;
    uint64_t reopen_at_ms;
    uint64_t reported_ms;
    bool reload_wanted;
    trace_source_t *trace; /* NULL while nobody listens */
    arrival_t *arrivals;   /* of this turn, room for BATCH_FRAMES; NULL: nobody measures */
    size_t arrival_count;
    bool is_stopping;
} router_t;

static void tell_push_dropped(router_t *self, const rules_output_t *output, send_result_t result)
{
    const trace_reason_t reason = result == SEND_GONE ? TRACE_REASON_GONE : TRACE_REASON_QUEUE_FULL;
    for (size_t i = 0; self->trace && i < output->told_count; i++) {
        const rules_push_t *push = &output->told[i];
        if (push->verb == VERB_events) {
            trace_source_push_dropped(self->trace, push->step, reason);
            continue;
        }
        const trace_record_t record = {.turn = self->rules_counters->turns,
                                       .step = TRACE_PUSH_DROPPED,
                                       .verb = push->verb,
                                       .reason = reason,
                                       .user = *output->user,
                                       .count = 1};
        trace_source_listen(self->trace, &record);
    }
}

static void peer_is_gone(router_t *self, const rules_peer_t *peer)
{
    counter_add(&self->with->counters->peers_gone, 1);
    rules_peer_gone(self->with->rules, peer->id, peer->id_size);
}

static void send_outputs(router_t *self)
{
    rules_output_t output;
    const rules_peer_t *gone = NULL; /* its frames are dropped, up to the last one */
    while (rules_next_output(self->with->rules, &output)) {
        if (gone && output.peer != gone) {
            peer_is_gone(self, gone);
            gone = NULL;
        }
        send_result_t result =
            gone ? SEND_GONE : router_socket_send(self->with->socket, output.peer, output.frame);
        if (result == SEND_OK) {
            continue;
        }
        /* Nobody waits for a slow client: it asks again, or polls. */
        tell_push_dropped(self, &output, result);
        counter_add(&self->with->counters->replies_dropped, output.replies);
        counter_add(&self->with->counters->pushes_dropped, output.pushes);
        if (result == SEND_GONE) {
            gone = output.peer;
        }
    }
    if (gone) {
        peer_is_gone(self, gone);
    }
}

static void note_arrival(router_t *self, const received_frame_t *frame)
{
    if (!self->arrivals) {
        return;
    }
    arrival_t *last = self->arrival_count > 0 ? &self->arrivals[self->arrival_count - 1] : NULL;
    if (last && last->received_us == frame->received_us) {
        last->frames++;
    } else {
        self->arrivals[self->arrival_count++] = (arrival_t){frame->received_us, 1};
    }
}

/* The turn's replies are released, if they are. */
static void measure_requests(router_t *self, status_t outcome)
{
    bool answered = outcome == STATUS_OK || outcome == STATUS_STORE_FULL;
    if (self->arrival_count > 0 && answered) {
        uint64_t now_us = monotonic_clock_us();
        for (size_t i = 0; i < self->arrival_count; i++) {
            const arrival_t *arrival = &self->arrivals[i];
            histogram_observe(&self->with->times->requests, now_us - arrival->received_us,
                              arrival->frames);
        }
    }
    self->arrival_count = 0;
}

/* For the service manager's status; NULL: all is well again. */
static void tell_trouble(router_t *self, const char *text)
{
    if (self->with->service) {
        service_trouble(self->with->service, text);
    }
}

static void store_is_closed(router_t *self, status_t status)
{
    tell_trouble(self, "The store failed; requests are refused until it can be opened again");
    self->store_state = STORE_CLOSED;
    counter_set(&self->with->counters->store_closed, 1);
    self->backoff_ms = self->backoff_ms == 0 ? BACKOFF_MIN_MS : self->backoff_ms * 2;
    self->backoff_ms = self->backoff_ms < BACKOFF_MAX_MS ? self->backoff_ms : BACKOFF_MAX_MS;
    self->reopen_at_ms = self->now_ms + self->backoff_ms;
    LOG(self->with->log, LEVEL_ERROR, log_event("store_failed"), log_status("cause", status),
        log_text("text", status_text(status)), log_count("reopen_in_ms", self->backoff_ms));
}

static void count_write(router_t *self, status_t outcome)
{
    counters_t *counters = self->with->counters;
    if (outcome == STATUS_OK) {
        counter_add(&counters->writes, 1);
        if (self->is_full && self->needs_room) {
            self->is_full = false;
            tell_trouble(self, NULL);
            LOG(self->with->log, LEVEL_INFO, log_event("store_has_room_again"));
        }
    } else if (outcome == STATUS_STORE_FULL) {
        counter_add(&counters->writes_refused, 1);
        if (!self->is_full) {
            self->is_full = true;
            tell_trouble(self, "The disk is nearly full; nothing is stored");
            LOG(self->with->log, LEVEL_ERROR, log_event("store_nearly_full"),
                log_text("text", "the disk's free space is below the reserve; nothing is stored "
                                 "until there is room again"));
        }
    } else {
        counter_add(&counters->writes_failed, 1);
    }
}

/* Only between turns, so that a turn is told of from its beginning or not at all. */
static void trace_begin(router_t *self)
{
    trace_hub_t *hub = self->with->trace;
    trace_source_t *source = hub && trace_hub_is_wanted(hub) ? trace_hub_source(hub) : NULL;
    if (source != self->trace) {
        self->trace = source;
        rules_listen(self->with->rules, source ? trace_source_listen : NULL, source);
    }
}

static void trace_publish(router_t *self)
{
    if (self->trace) {
        trace_source_publish(self->trace);
    }
}

/* The batch's write is done: release, or drop, what was to be answered. */
static void turn_finish(router_t *self, status_t status)
{
    status_t outcome = status == STATUS_OK ? self->outcome : status;
    count_write(self, outcome);
    if (outcome == STATUS_CONFLICT) {
        LOG(self->with->log, LEVEL_ERROR, log_event("store_conflict"),
            log_text("text", "a record changed under the broker; its copies are read again"));
    } else if (outcome != STATUS_OK && outcome != STATUS_STORE_FULL) {
        store_is_closed(self, outcome);
    }
    rules_finish(self->with->rules, outcome);
    send_outputs(self);
    measure_requests(self, outcome);
    trace_publish(self);
}

static void reopen_finish(router_t *self, status_t status)
{
    if (status != STATUS_OK) {
        store_is_closed(self, status);
        return;
    }
    self->store_state = STORE_OPEN;
    counter_set(&self->with->counters->store_closed, 0);
    self->backoff_ms = 0;
    rules_reset_caches(self->with->rules);
    tell_trouble(self, NULL);
    LOG(self->with->log, LEVEL_INFO, log_event("store_reopened"));
}

static void writer_done(router_t *self)
{
    uint64_t duration_us;
    status_t status = writer_take(self->writer, &duration_us);
    if (self->trace) {
        trace_source_wrote(self->trace, duration_us);
    }
    if (self->store_state == STORE_REOPENING) {
        reopen_finish(self, status);
    } else {
        if (self->with->times) {
            histogram_observe(&self->with->times->writes, duration_us, 1);
        }
        turn_finish(self, status);
    }
}

static void receive_some(router_t *self)
{
    const uint64_t now_us = monotonic_clock_us();
    while (!frame_queue_is_full(self->queue)) {
        received_frame_t *slot = frame_queue_slot(self->queue);
        if (!router_socket_receive(self->with->socket, slot)) {
            break;
        }
        slot->received_us = now_us;
        frame_queue_push(self->queue);
    }
}

/* Feeds frames to the rules until there are no more, or the batch is large enough. */
static void turn_feed(router_t *self)
{
    rules_t *rules = self->with->rules;
    uint64_t started_us = monotonic_clock_us();
    for (size_t frames = 0; frames < BATCH_FRAMES; frames++) {
        if (self->queue->count == 0) {
            receive_some(self);
        }
        received_frame_t *frame = frame_queue_first(self->queue);
        if (!frame) {
            break;
        }
        rules_receive(rules, &frame->peer, received_frame_bytes(frame));
        note_arrival(self, frame);
        frame_queue_pop(self->queue);
        if (rules_write_bytes(rules) >= BATCH_BYTES ||
            monotonic_clock_us() - started_us >= BATCH_US) {
            break;
        }
    }
}

/* A closed store was told of already; from an open one it means damage. */
static void tell_failed_reads(router_t *self, uint64_t before)
{
    uint64_t failed = self->rules_counters->reads_failed - before;
    if (failed > 0 && self->store_state == STORE_OPEN) {
        LOG(self->with->log, LEVEL_WARN, log_event("store_read_failed"),
            log_count("requests", failed),
            log_text("text", "a record is damaged or can't be read; what needs it is refused"));
    }
}

static void turn_run(router_t *self)
{
    rules_t *rules = self->with->rules;
    const store_unit_t *units = NULL;
    uint64_t reads_failed = self->rules_counters->reads_failed;
    trace_begin(self);
    rules_begin(rules, wall_clock_ms(), self->now_ms);
    turn_feed(self);
    rules_tick(rules);
    size_t count = rules_prepare(rules, &units);
    tell_failed_reads(self, reads_failed);
    counter_add(&self->with->counters->batches, 1);
    if (count == 0) {
        rules_finish(rules, STATUS_OK);
        send_outputs(self);
        measure_requests(self, STATUS_OK);
    } else if (self->store_state != STORE_OPEN) {
        rules_finish(rules, STATUS_STORE_FAILED);
        measure_requests(self, STATUS_STORE_FAILED);
    } else {
        self->needs_room = store_unit_needs_room(units);
        writer_write(self->writer, units, count, &self->outcome);
    }
    trace_publish(self);
}

/* What can be done while the writer is idle. */
static void go_on(router_t *self)
{
    if (self->with->calls) {
        router_calls_serve(self->with->calls, self->with->rules, self->with->store);
    }
    if (self->reload_wanted) {
        self->reload_wanted = false;
        self->with->on_signal(self->with->signal_context, SIGNAL_RELOAD);
    }
    if (self->store_state == STORE_CLOSED && self->now_ms >= self->reopen_at_ms) {
        self->store_state = STORE_REOPENING;
        writer_reopen(self->writer);
        return;
    }
    if (self->queue->count > 0 || rules_next_tick(self->with->rules) <= self->now_ms) {
        turn_run(self);
    }
}

static void handle_signal(router_t *self)
{
    signal_kind_t kind = signals_read(self->with->signal_fd);
    switch (kind) {
    case SIGNAL_STOP:
        self->is_stopping = true;
        self->with->on_signal(self->with->signal_context, kind);
        break;
    case SIGNAL_RELOAD:
        self->reload_wanted = true; /* for when the writer is idle */
        break;
    case SIGNAL_LOG_LEVEL:
        self->with->on_signal(self->with->signal_context, kind);
        break;
    case SIGNAL_NONE:
        break;
    }
}

static void report(const router_t *self)
{
    const router_options_t *with = self->with;
    router_report(with->log, with->counters, self->rules_counters);
    if (with->trace) {
        router_report_trace(with->log, with->operator_counters, with->trace);
    }
}

static void report_when_due(router_t *self)
{
    if (self->with->report_ms && self->now_ms - self->reported_ms >= self->with->report_ms) {
        self->reported_ms = self->now_ms;
        report(self);
    }
}

static long poll_timeout_ms(const router_t *self)
{
    uint64_t until = self->now_ms + POLL_MAX_MS;
    uint64_t ping = self->with->service ? service_next_ping(self->with->service) : UINT64_MAX;
    until = ping < until ? ping : until;
    if (!writer_is_busy(self->writer)) {
        uint64_t tick = rules_next_tick(self->with->rules);
        until = tick < until ? tick : until;
        if (self->store_state == STORE_CLOSED && self->reopen_at_ms < until) {
            until = self->reopen_at_ms;
        }
        if (self->queue->count > 0) {
            return 0;
        }
    }
    return until > self->now_ms ? (long)(until - self->now_ms) : 0;
}

/* Waits for the socket, the writer or a signal, and takes in what came. */
static status_t wait_and_take(router_t *self)
{
    const bool has_room = !frame_queue_is_full(self->queue);
    const bool serves_calls = self->with->calls && !writer_is_busy(self->writer);
    zmq_pollitem_t items[] = {
        {.fd = self->with->signal_fd, .events = ZMQ_POLLIN},
        {.fd = writer_fd(self->writer), .events = ZMQ_POLLIN},
        /* What can't be taken in now would be ready at once, again and again. */
        {.socket = self->with->socket->handle, .events = has_room ? ZMQ_POLLIN : 0},
        {.fd = serves_calls ? router_calls_fd(self->with->calls) : -1, .events = ZMQ_POLLIN},
    };
    if (zmq_poll(items, serves_calls ? 4 : 3, poll_timeout_ms(self)) < 0 && errno != EINTR) {
        return STATUS_IO_ERROR;
    }
    self->now_ms = boot_clock_ms();
    if (items[0].revents) {
        handle_signal(self);
    }
    if (items[1].revents) {
        writer_done(self);
    }
    if (items[2].revents) {
        receive_some(self);
    }
    counter_set(&self->with->counters->queued_frames, self->queue->count);
    counter_set(&self->with->counters->queued_bytes, self->queue->bytes);
    return STATUS_OK;
}

/* Finishes the batch in progress, and answers with DRAINING what has arrived by now. */
static void drain(router_t *self)
{
    if (writer_is_busy(self->writer)) {
        writer_done(self);
    }
    rules_drain(self->with->rules);
    receive_some(self);
    turn_run(self);
    if (writer_is_busy(self->writer)) {
        writer_done(self);
    }
    frame_queue_wipe(self->queue);
    if (self->with->calls) {
        router_calls_close(self->with->calls);
    }
}

status_t router_run(const router_options_t *options)
{
    status_t status = STATUS_OK;
    router_t self = {.with = options, .writer = writer_new(options->store)};
    if (!self.writer) {
        return STATUS_IO_ERROR;
    }
    self.queue = mem_zalloc(1, sizeof *self.queue);
    self.arrivals = options->times ? mem_alloc(BATCH_FRAMES * sizeof *self.arrivals) : NULL;
    self.rules_counters = rules_counters(options->rules);
    self.now_ms = boot_clock_ms();
    self.reported_ms = self.now_ms;
    while (status == STATUS_OK && !self.is_stopping) {
        status = wait_and_take(&self);
        if (!writer_is_busy(self.writer)) {
            go_on(&self);
        }
        report_when_due(&self);
        if (options->service) {
            service_alive(options->service, self.now_ms);
        }
    }
    drain(&self);
    rules_listen(options->rules, NULL, NULL); /* the trace goes before the rules do */
    if (options->report_ms)
        report(&self);
    writer_destroy(&self.writer);
    free(self.arrivals);
    free(self.queue);
    return status;
}
