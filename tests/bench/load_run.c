/* SPDX-License-Identifier: MPL-2.0 */
/* A client packs what its window allows into one frame; a receiver polls, which acknowledges, when
   half the push window is used, after a gap, and once a second. */
#include "tests/bench/load_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_PERIOD_NS UINT64_C(1000000000)
#define DRAIN_LIMIT_NS UINT64_C(20000000000)

typedef struct {
    load_run_t *run;
    zmq_pollitem_t *items; /* senders, then receivers */
    uint64_t now_ns;
    uint64_t next_paced_ns;
    bool is_measuring;
} loop_t;

uint64_t load_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void sender_fill(load_sender_t *self, const load_run_t *run, unsigned count)
{
    buffer_t frame = {0};
    buffer_t sealed = {0};
    send_request_t request;
    memcpy(request.group, self->group->id, GROUP_ID_BYTES);
    for (unsigned i = 0; i < count; i++) {
        buffer_clear(&sealed);
        load_group_seal(self->group, self->leaf, self->generation++, load_now_ns(),
                        run->sealed_bytes, &sealed);
        request.sealed = buffer_view(&sealed);
        message_write_request(&frame, VERB_send, ++self->client->next_id,
                              load_client_token(self->client), (text_t){"", 0}, &request);
    }
    self->in_flight += count;
    load_client_send_frame(self->client, &frame);
    buffer_free(&sealed);
}

static void receiver_poll(load_receiver_t *self, uint64_t now_ns)
{
    buffer_t frame = {0};
    cursor_record_t cursor = {.cursor = self->cursor};
    memcpy(cursor.group, self->group->id, GROUP_ID_BYTES);
    const poll_messages_request_t request = {.cursors = {&cursor, 1},
                                             .budget_bytes = POLL_BUDGET_MAX_BYTES};
    message_write_request(&frame, VERB_poll_messages, ++self->client->next_id,
                          load_client_token(self->client), (text_t){"", 0}, &request);
    load_client_send_frame(self->client, &frame);
    self->is_polling = true;
    self->polled_ns = now_ns;
    self->unacknowledged = 0;
}

/* True if there is a gap before these events. */
static bool receiver_events(load_receiver_t *self, loop_t *loop, const event_record_t *events,
                            size_t count)
{
    load_run_t *run = loop->run;
    for (size_t i = 0; i < count; i++) {
        if (events[i].sequence <= self->cursor) {
            continue;
        }
        if (events[i].sequence != self->cursor + 1) {
            return true;
        }
        self->cursor++;
        self->delivered++;
        self->unacknowledged += events[i].payload.size;
        if (run->latencies_ns && loop->is_measuring && events[i].kind == EVENT_MESSAGE &&
            run->latency_count < run->latency_max) {
            run->latencies_ns[run->latency_count++] =
                load_now_ns() - load_group_stamp(events[i].payload);
        }
    }
    return false;
}

static void receiver_message(load_receiver_t *self, loop_t *loop, const message_t *message)
{
    bool has_gap = false;
    bool has_more = false;
    if (message->kind == MESSAGE_PUSH && message->verb == VERB_events) {
        has_gap = receiver_events(self, loop, message->body.events_push.events.items,
                                  message->body.events_push.events.count);
    } else if (message->kind == MESSAGE_REPLY && message->verb == VERB_poll_messages) {
        const poll_messages_reply_t *reply = &message->body.poll_messages_reply;
        if (message->status != STATUS_OK) {
            load_fail("poll_messages", status_name(message->status));
        }
        self->is_polling = false;
        receiver_events(self, loop, reply->events.items, reply->events.count);
        has_more = reply->more != 0;
    }
    if (!self->is_polling &&
        (has_gap || has_more || self->unacknowledged >= PUSH_WINDOW_BYTES / 2)) {
        receiver_poll(self, loop->now_ns);
    }
}

static void sender_message(load_sender_t *self, const message_t *message)
{
    if (message->kind != MESSAGE_REPLY || message->verb != VERB_send) {
        return;
    }
    self->in_flight--;
    if (message->status == STATUS_OK) {
        self->acked++;
    } else {
        self->refused++;
        load_fail("send", status_name(message->status));
    }
}

static void read_frames(loop_t *loop, size_t index)
{
    load_run_t *run = loop->run;
    bool is_sender = index < run->sender_count;
    load_client_t *client =
        is_sender ? run->senders[index].client : run->receivers[index - run->sender_count].client;
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    while (zmq_msg_recv(&frame, client->socket, ZMQ_DONTWAIT) >= 0) {
        bytes_t rest = {zmq_msg_data(&frame), zmq_msg_size(&frame)};
        message_t message;
        memset(&message, 0, sizeof message);
        while (message_read(&message, &rest, 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH) ==
               STATUS_OK) {
            if (is_sender) {
                sender_message(&run->senders[index], &message);
            } else {
                receiver_message(&run->receivers[index - run->sender_count], loop, &message);
            }
            message_wipe(&message);
        }
        message_wipe(&message);
    }
    zmq_msg_close(&frame);
}

/* Paced senders send one each when it is time. */
static void fill_windows(loop_t *loop)
{
    load_run_t *run = loop->run;
    bool is_due = run->pace_ns && loop->now_ns >= loop->next_paced_ns;
    if (is_due) {
        loop->next_paced_ns += run->pace_ns;
    }
    for (size_t i = 0; i < run->sender_count; i++) {
        load_sender_t *sender = &run->senders[i];
        if (run->pace_ns) {
            if (is_due && sender->in_flight < run->window) {
                sender_fill(sender, run, 1);
            }
        } else if (sender->in_flight < run->window) {
            sender_fill(sender, run, run->window - sender->in_flight);
        }
    }
}

static void loop_turn(loop_t *loop)
{
    load_run_t *run = loop->run;
    int count = (int)(run->sender_count + run->receiver_count);
    long timeout_ms = 10;
    if (run->pace_ns) {
        timeout_ms = loop->next_paced_ns > loop->now_ns
                         ? (long)((loop->next_paced_ns - loop->now_ns) / 1000000)
                         : 0;
    }
    if (zmq_poll(loop->items, count, timeout_ms) < 0 && errno != EINTR) {
        load_fail("zmq_poll", zmq_strerror(errno));
    }
    loop->now_ns = load_now_ns();
    for (int i = 0; i < count; i++) {
        if (loop->items[i].revents & ZMQ_POLLIN) {
            read_frames(loop, (size_t)i);
        }
    }
    for (size_t i = 0; i < run->receiver_count; i++) {
        load_receiver_t *receiver = &run->receivers[i];
        if (loop->now_ns - receiver->polled_ns > POLL_PERIOD_NS) {
            receiver_poll(receiver, loop->now_ns);
        }
    }
}

static uint64_t total_acked(const load_run_t *run)
{
    uint64_t total = 0;
    for (size_t i = 0; i < run->sender_count; i++) {
        total += run->senders[i].acked;
    }
    return total;
}

static uint64_t total_delivered(const load_run_t *run)
{
    uint64_t total = 0;
    for (size_t i = 0; i < run->receiver_count; i++) {
        total += run->receivers[i].delivered;
    }
    return total;
}

static bool is_drained(const load_run_t *run)
{
    uint64_t head = 0;
    for (size_t i = 0; i < run->sender_count; i++) {
        if (run->senders[i].in_flight > 0) {
            return false;
        }
    }
    for (size_t i = 0; i < run->receiver_count; i++) {
        head = run->receivers[i].cursor > head ? run->receivers[i].cursor : head;
    }
    for (size_t i = 0; i < run->receiver_count; i++) {
        if (run->receivers[i].cursor < head) {
            return false;
        }
    }
    return true;
}

static void run_until(loop_t *loop, uint64_t end_ns)
{
    while (loop->now_ns < end_ns) {
        fill_windows(loop);
        loop_turn(loop);
    }
}

void load_run(load_run_t *self)
{
    size_t count = self->sender_count + self->receiver_count;
    loop_t loop = {.run = self, .now_ns = load_now_ns()};
    loop.items = calloc(count, sizeof *loop.items);
    if (!loop.items) {
        load_fail("memory", "exhausted");
    }
    for (size_t i = 0; i < count; i++) {
        loop.items[i].socket = i < self->sender_count
                                   ? self->senders[i].client->socket
                                   : self->receivers[i - self->sender_count].client->socket;
        loop.items[i].events = ZMQ_POLLIN;
    }
    self->latency_count = 0;
    loop.next_paced_ns = loop.now_ns;
    run_until(&loop, loop.now_ns + self->warm_up_ns);
    uint64_t acked = total_acked(self);
    uint64_t delivered = total_delivered(self);
    uint64_t started = loop.now_ns;
    loop.is_measuring = true;
    run_until(&loop, started + self->duration_ns);
    double seconds = (double)(loop.now_ns - started) / 1e9;
    self->acked_per_s = (double)(total_acked(self) - acked) / seconds;
    self->delivered_per_s = (double)(total_delivered(self) - delivered) / seconds;
    loop.is_measuring = false;
    uint64_t limit = loop.now_ns + DRAIN_LIMIT_NS;
    while (!is_drained(self)) {
        loop_turn(&loop);
        if (loop.now_ns > limit) {
            load_fail("drain", "acks or events are missing after 20 s");
        }
    }
    free(loop.items);
}
