/* SPDX-License-Identifier: MPL-2.0 */
#include "client/actors/screens.h"

#include <stdlib.h>
#include <unistd.h>

#include "client/home/clock.h"
#include "client/home/frame_stream.h"
#include "client/home/home_socket.h"
#include "client/local/local.h"
#include "proto/memory.h"

enum {
    TURN_FRAMES = 64,
    TURN_MAIL = 256,
    FLUSH_RETRY_MS = 10,
    LISTENER_REST_MS = 1000, /* when no more files can be opened */
    LAST_FLUSH_MS = 1000,
};

/* Places of the fixed poll items; the screens' follow. */
enum { POLL_PIPE, POLL_MEMBER, POLL_ENGINE, POLL_SCREENS };

typedef struct {
    uint64_t number;
    frame_stream_t stream;
    bool has_more; /* its turn ended before its frames did: they are read already, so no poll tells
                      of them */
} attached_t;

struct screens {
    mailbox_t *member;
    mailbox_t *engine;
    int listener;
    zactor_t *thread;
    zsock_t *pipe;
    attached_t attached[SCREENS_MAX];
    size_t count;
    uint64_t last_number;
    uint64_t listener_rests_until_ms;
    bool has_ended; /* nobody is served any more */
    bool is_stopping;
};

static void tell_member(screens_t *self, parcel_kind_t kind, uint64_t number, buffer_t *bytes)
{
    parcel_t *parcel = parcel_new(kind, bytes);
    parcel->screen = number;
    /* A member actor that is stuck behind 64 MiB of requests loses them: their screens time out. */
    if (mailbox_send(self->member, &parcel) != STATUS_OK)
        return;
}

static void add(screens_t *self, int socket)
{
    if (self->has_ended || self->count == SCREENS_MAX) {
        close(socket);
        return;
    }
    attached_t *screen = &self->attached[self->count++];
    screen->number = ++self->last_number;
    screen->has_more = false;
    frame_stream_init(&screen->stream, socket);
}

/* The last one takes its place. */
static void drop(screens_t *self, size_t place)
{
    uint64_t number = self->attached[place].number;
    frame_stream_wipe(&self->attached[place].stream);
    self->attached[place] = self->attached[--self->count];
    tell_member(self, PARCEL_SCREEN_GONE, number, NULL);
}

static void put(screens_t *self, uint64_t number, bytes_t frame)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->attached[i].number == number) {
            if (frame_stream_put(&self->attached[i].stream, frame) != STATUS_OK)
                drop(self, i);
            return;
        }
}

/* False: the screen is gone. */
static bool serve(screens_t *self, size_t place)
{
    attached_t *screen = &self->attached[place];
    status_t status = frame_stream_flush(&screen->stream);
    for (int i = 0; i < TURN_FRAMES && status == STATUS_OK; i++) {
        buffer_t frame = {0};
        status = frame_stream_get(&screen->stream, &frame);
        if (status == STATUS_OK)
            tell_member(self, PARCEL_SCREEN, screen->number, &frame);
        buffer_wipe(&frame);
    }
    screen->has_more = status == STATUS_OK;
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        return true;
    drop(self, place);
    return false;
}

static void accept_waiting(screens_t *self)
{
    int socket;
    status_t status;
    while ((status = home_socket_accept(self->listener, &socket)) == STATUS_OK)
        add(self, socket);
    if (status == STATUS_IO_ERROR)
        self->listener_rests_until_ms = clock_boot_ms() + LISTENER_REST_MS;
}

/* Gives what is queued a last chance, then closes everything. */
static void close_all(screens_t *self)
{
    uint64_t until = clock_boot_ms() + LAST_FLUSH_MS;
    for (;;) {
        zmq_pollitem_t items[SCREENS_MAX];
        int count = 0;
        for (size_t i = 0; i < self->count; i++) {
            frame_stream_t *stream = &self->attached[i].stream;
            if (frame_stream_flush(stream) == STATUS_OK && frame_stream_is_sending(stream))
                items[count++] = (zmq_pollitem_t){NULL, stream->socket, ZMQ_POLLOUT, 0};
        }
        uint64_t now = clock_boot_ms();
        if (count == 0 || now >= until)
            break;
        zmq_poll(items, count, (long)(until - now));
    }
    for (size_t i = 0; i < self->count; i++)
        frame_stream_wipe(&self->attached[i].stream);
    self->count = 0;
}

/* Before any screen ends: whoever sees its end and comes back waits for the lock. */
static void close_listener(screens_t *self)
{
    if (self->listener >= 0)
        close(self->listener);
    self->listener = -1;
}

static void end_all(screens_t *self, bytes_t reason)
{
    if (self->has_ended)
        return;
    self->has_ended = true;
    close_listener(self);
    local_ending_push_t ending = {.reason = {(const char *)reason.data, reason.size}};
    buffer_t frame = {0};
    local_write_push(&frame, LOCAL_VERB_ending, 0, &ending);
    for (size_t i = 0; i < self->count; i++) {
        status_t ignored = frame_stream_put(&self->attached[i].stream, buffer_view(&frame));
        (void)ignored; /* its end of stream says nearly as much */
    }
    buffer_free(&frame);
    close_all(self);
}

/* The engine first: whoever sees its screen end may ask it why. */
static void member_failed(screens_t *self, const parcel_t *parcel)
{
    parcel_t *copy = parcel_new(PARCEL_FAILED, NULL);
    copy->status = parcel->status;
    if (parcel->bytes.size > 0)
        buffer_append(&copy->bytes, parcel->bytes.data, parcel->bytes.size);
    status_t ignored = mailbox_send(self->engine, &copy);
    (void)ignored; /* an engine that never looks */
    end_all(self, buffer_view(&parcel->bytes));
}

static void take_member_mail(screens_t *self)
{
    for (int i = 0; i < TURN_MAIL; i++) {
        parcel_t *parcel = mailbox_receive(self->member);
        if (!parcel)
            return;
        if (parcel->kind == PARCEL_SCREEN) {
            put(self, parcel->screen, buffer_view(&parcel->bytes));
        } else if (parcel->kind == PARCEL_FAILED) {
            member_failed(self, parcel);
        }
        parcel_destroy(&parcel);
    }
}

static void take_engine_mail(screens_t *self)
{
    parcel_t *parcel;
    while ((parcel = mailbox_receive(self->engine)) != NULL) {
        if (parcel->kind == PARCEL_SOCKET) {
            add(self, parcel->socket);
            parcel->socket = -1; /* transferred */
        } else if (parcel->kind == PARCEL_ENDING) {
            end_all(self, buffer_view(&parcel->bytes));
        }
        parcel_destroy(&parcel);
    }
}

static void take_commands(screens_t *self)
{
    char *command;
    while ((command = zstr_recv_nowait(self->pipe)) != NULL) {
        if (streq(command, "$TERM"))
            self->is_stopping = true;
        zstr_free(&command);
    }
}

/* No socket stands here twice: asking for the events of the second one would use up the wake-up of
 * the first. */
static void wait_for_turn(screens_t *self)
{
    zmq_pollitem_t items[POLL_SCREENS + SCREENS_MAX + 1] = {
        [POLL_PIPE] = {zsock_resolve(self->pipe), 0, ZMQ_POLLIN, 0},
        [POLL_MEMBER] = {zsock_resolve(mailbox_socket(self->member)), 0, ZMQ_POLLIN, 0},
        [POLL_ENGINE] = {zsock_resolve(mailbox_socket(self->engine)), 0, ZMQ_POLLIN, 0},
    };
    long timeout_ms = mailbox_flush(self->member) ? FLUSH_RETRY_MS : -1;
    size_t count = POLL_SCREENS;
    for (size_t i = 0; i < self->count; i++) {
        const frame_stream_t *stream = &self->attached[i].stream;
        short sending = frame_stream_is_sending(stream) ? ZMQ_POLLOUT : 0;
        if (self->attached[i].has_more)
            timeout_ms = 0;
        items[count++] = (zmq_pollitem_t){NULL, stream->socket, (short)(ZMQ_POLLIN | sending), 0};
    }
    if (self->listener >= 0 && self->listener_rests_until_ms <= clock_boot_ms())
        items[count++] = (zmq_pollitem_t){NULL, self->listener, ZMQ_POLLIN, 0};
    else if (self->listener >= 0 && timeout_ms < 0)
        timeout_ms = LISTENER_REST_MS;
    zmq_poll(items, (int)count, timeout_ms);
}

static void screens_main(zsock_t *pipe, void *argument)
{
    screens_t *self = argument;
    self->pipe = pipe;
    zsock_signal(pipe, 0);
    while (!self->is_stopping) {
        wait_for_turn(self);
        take_engine_mail(self); /* what was sent before the command to stop comes before it */
        take_commands(self);
        for (size_t i = 0; i < self->count;)
            i += serve(self, i) ? 1 : 0;
        take_member_mail(self);
        if (self->listener >= 0 && self->listener_rests_until_ms <= clock_boot_ms())
            accept_waiting(self);
    }
    close_listener(self);
    close_all(self);
    mailbox_flush(self->member);
    pointer_hand_over(self);
}

status_t screens_new(screens_t **out, mailbox_t *member, mailbox_t *engine, int listener)
{
    *out = NULL;
    screens_t *self = mem_zalloc(1, sizeof *self);
    self->member = member;
    self->engine = engine;
    self->listener = listener;
    self->thread = zactor_new(screens_main, self);
    if (!self->thread) {
        if (listener >= 0)
            close(listener);
        free(self);
        return STATUS_IO_ERROR;
    }
    *out = self;
    return STATUS_OK;
}

void screens_destroy(screens_t **self)
{
    if (!*self)
        return;
    zactor_destroy(&(*self)->thread);
    pointer_take_over(*self);
    free(*self);
    *self = NULL;
}
