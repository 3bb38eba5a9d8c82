/* SPDX-License-Identifier: MPL-2.0 */
/* `send`: a text, or lines of standard input as they come, a bounded number of them on their way.
 */
#include "client/ui/access.h"
#include "client/ui/command_table.h"
#include "client/ui/complaint.h"
#include "client/ui/line_splitter.h"
#include "client/ui/output.h"
#include "client/ui/signals.h"
#include "client/ui/utf8.h"
#include "proto/memory.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTBOX_STEP_MS  50
#define COUNT_MS        15000 /* for a holder whose disk is slow */
#define IN_FLIGHT_LINES 64
#define READ_BYTES      65536

/* What is on its way: reply ids grow by one for each line, and replies may come in any order. */
typedef struct {
    invocation_t *invocation;
    access_t access;
    name_t group;
    size_t in_flight;
    size_t queued;        /* of these: durably in the outbox */
    uint64_t progress_ms; /* when the last line was acknowledged, or the first one taken */
    line_splitter_t lines;
    bool at_end;
    status_t refusal; /* the first one for good */
} sending_t;

static status_t check_text(invocation_t *self, const char *text, size_t size)
{
    if (size > TEXT_MAX_BYTES) {
        status_t status = complain(self, STATUS_TOO_LARGE, "the text was not sent");
        text_buffer_t cause = {0};
        text_buffer_add_format(&cause, "it has %zu bytes, and at most %d go into a message", size,
                               TEXT_MAX_BYTES);
        complain_cause(self, cause.bytes);
        text_buffer_wipe(&cause);
        return status;
    }
    for (size_t at = 0; at < size;) {
        uint32_t character;
        size_t taken = utf8_next(text + at, size - at, &character);
        bool is_ill = character == UTF8_REPLACEMENT &&
                      !(taken == 3 && memcmp(text + at, "\xEF\xBF\xBD", 3) == 0);
        if (is_ill || character == 0) {
            complain(self, STATUS_INVALID, "the text was not sent");
            complain_cause(self, "it is not valid UTF-8");
            return STATUS_INVALID;
        }
        at += taken;
    }
    return STATUS_OK;
}

static status_t send_text(sending_t *self, const char *text, size_t size)
{
    local_send_request_t request = {.name = self->group, .text = {text, size}};
    uint64_t id;
    status_t status = access_send(&self->access, LOCAL_VERB_send, &request, &id);
    if (status == STATUS_OK && self->in_flight++ == 0)
        self->progress_ms = access_now();
    return status;
}

static status_t say_sent(sending_t *self, const local_send_reply_t *reply)
{
    if (!self->invocation->globals.json)
        return STATUS_OK;
    json_t json;
    json_init(&json);
    json_add_text(&json, "type", "sent");
    json_add_text(&json, "group", self->group.text);
    json_add_number(&json, "seq", reply->sequence);
    json_add_number(&json, "number", reply->number);
    json_add_number(&json, "time", reply->time_ms);
    if (reply->traceparent.size)
        json_add_bytes(&json, "traceparent", reply->traceparent.data, reply->traceparent.size);
    return output_json(self->invocation, &json);
}

/* What has come from the holder. */
static status_t take_reply(sending_t *self)
{
    const local_message_t *message = &self->access.message;
    if (message->kind == MESSAGE_PUSH && message->verb == LOCAL_VERB_queued)
        self->queued++;
    if (message->kind != MESSAGE_REPLY || message->verb != LOCAL_VERB_send)
        return STATUS_OK;
    self->in_flight--;
    self->queued -= self->queued > 0;
    self->progress_ms = access_now();
    if (message->status == STATUS_OK)
        return say_sent(self, &message->body.send_reply);
    if (self->refusal == STATUS_OK) {
        self->refusal = message->status;
        complain(self->invocation, message->status, "the text was not sent to %s",
                 self->group.text);
        complain_cause_text(self->invocation, access_detail(message));
    }
    return STATUS_OK;
}

static uint64_t until(const sending_t *self)
{
    uint64_t timeout = self->invocation->globals.timeout_ms;
    return timeout > UINT64_MAX - self->progress_ms ? UINT64_MAX : self->progress_ms + timeout;
}

/* Until at most `most` lines are on their way. */
static status_t await_replies(sending_t *self, size_t most)
{
    status_t status = STATUS_OK;
    while (status == STATUS_OK && self->in_flight > most) {
        status = access_receive(&self->access, until(self));
        if (status == STATUS_OK)
            status = take_reply(self);
    }
    return status;
}

/* All complete lines that were read. Empty ones are not messages. */
static status_t send_lines(sending_t *self)
{
    status_t status = STATUS_OK;
    char *line;
    while (status == STATUS_OK && self->refusal == STATUS_OK &&
           (line = line_splitter_take(&self->lines, self->at_end))) {
        size_t size = strlen(line);
        if (size)
            status = check_text(self->invocation, line, size);
        if (size && status == STATUS_OK)
            status = send_text(self, line, size);
        free(line);
        if (status == STATUS_OK)
            status = await_replies(self, IN_FLIGHT_LINES - 1);
    }
    return status;
}

static status_t read_input(sending_t *self)
{
    char *bytes = mem_alloc(READ_BYTES);
    ssize_t size = read(fileno(self->invocation->in), bytes, READ_BYTES);
    status_t status = STATUS_OK;
    if (size < 0 && errno != EINTR && errno != EAGAIN) {
        int cause = errno;
        status = complain(self->invocation, STATUS_IO_ERROR, "standard input can't be read");
        complain_cause(self->invocation, strerror(cause));
    }
    if (size == 0)
        self->at_end = true;
    if (size > 0)
        line_splitter_add(&self->lines, bytes, (size_t)size);
    free(bytes);
    return status == STATUS_OK ? send_lines(self) : status;
}

/* Replies that are there already, without waiting. */
static status_t drain(sending_t *self)
{
    for (;;) {
        status_t status = access_receive(&self->access, 0);
        if (status == STATUS_TIMED_OUT)
            return self->in_flight && access_now() >= until(self) ? status : STATUS_OK;
        if (status == STATUS_OK)
            status = take_reply(self);
        if (status != STATUS_OK)
            return status;
    }
}

static status_t send_input(sending_t *self)
{
    status_t status = STATUS_OK;
    while (!self->at_end && self->refusal == STATUS_OK) {
        status = drain(self);
        if (status != STATUS_OK)
            return status;
        struct pollfd sources[] = {
            {.fd = fileno(self->invocation->in), .events = POLLIN},
            {.fd = screen_fd(self->access.screen), .events = POLLIN},
            {.fd = self->invocation->signal_fd, .events = POLLIN},
        };
        uint64_t now = access_now();
        uint64_t left = !self->in_flight ? 60000 : until(self) > now ? until(self) - now : 0;
        if (poll(sources, 3, left > 60000 ? 60000 : (int)left) < 0 && errno != EINTR)
            return complain(self->invocation, STATUS_IO_ERROR, "standard input can't be watched");
        if (sources[0].revents)
            status = read_input(self);
        if (status != STATUS_OK)
            return status;
    }
    return status;
}

/* The holder ended, but all texts are in the outbox: whoever holds the home now sends them. */
static status_t send_elsewhere(sending_t *self)
{
    local_outbox_request_t request = {.name = self->group};
    access_t *access = &self->access;
    self->in_flight = self->queued = 0;
    status_t status = access_take_over(access);
    self->progress_ms = access_now();
    while (status == STATUS_OK) {
        status = access_call(access, LOCAL_VERB_outbox, &request, "the outbox could not be read");
        if (status != STATUS_OK || access->message.body.outbox_reply.waiting == 0)
            break;
        if (access_now() >= until(self))
            return STATUS_TIMED_OUT;
        uint64_t pause_ms = access_now() + OUTBOX_STEP_MS;
        do
            status = access_receive(access, pause_ms);
        while (status == STATUS_OK);
        if (status == STATUS_TIMED_OUT)
            status = STATUS_OK;
    }
    return status;
}

/* How many texts wait; with `drop`, this command's own don't any more, as far as none was sealed.
 */
static status_t count_outbox(sending_t *self, bool drop, uint64_t *waiting, uint64_t *dropped)
{
    local_outbox_request_t request = {.name = self->group, .drop = drop};
    access_t *access = &self->access;
    uint64_t id;
    status_t status = access_send(access, LOCAL_VERB_outbox, &request, &id);
    if (status == STATUS_OK)
        status = access_await(access, id, access_now() + COUNT_MS);
    if (status == STATUS_OK) {
        *waiting = access->message.body.outbox_reply.waiting;
        *dropped = access->message.body.outbox_reply.dropped;
    }
    return status;
}

static status_t say_waiting(sending_t *self)
{
    invocation_t *invocation = self->invocation;
    const char *reason = access_link_reason(&self->access);
    char *why = reason ? mem_strdup(reason) : NULL;
    uint64_t waiting = 0, dropped = 0;
    bool drop = invocation->options.no_queue;
    status_t status = count_outbox(self, drop, &waiting, &dropped);
    if (status != STATUS_OK) {
        free(why);
        return status;
    }
    if (invocation->globals.json) {
        json_t json;
        json_init(&json);
        json_add_text(&json, "type", "waiting");
        json_add_text(&json, "group", self->group.text);
        json_add_number(&json, "waiting", waiting);
        json_add_number(&json, "dropped", dropped);
        status = output_json(invocation, &json);
    }
    status_t result = why ? STATUS_UNREACHABLE : STATUS_TIMED_OUT;
    if (drop)
        complain(invocation, result, "%llu text%s to %s dropped, %llu waiting",
                 (unsigned long long)dropped, dropped == 1 ? "" : "s", self->group.text,
                 (unsigned long long)waiting);
    else
        complain(invocation, result, "%llu text%s to %s wait%s in the outbox",
                 (unsigned long long)waiting, waiting == 1 ? "" : "s", self->group.text,
                 waiting == 1 ? "s" : "");
    complain_cause(invocation, why);
    if (waiting)
        complain_advice(invocation, "the next command sends them");
    free(why);
    return status == STATUS_OK ? result : status;
}

static status_t send_all(sending_t *self)
{
    invocation_t *invocation = self->invocation;
    status_t status;
    if (invocation->word_count > 1) {
        text_buffer_t text = {0};
        for (size_t i = 1; i < invocation->word_count; i++) {
            text_buffer_add_text(&text, i > 1 ? " " : "");
            text_buffer_add_text(&text, invocation->words[i]);
        }
        status = check_text(invocation, text.bytes, text.size);
        if (status == STATUS_OK)
            status = access_open(&self->access, invocation, "send", false);
        if (status == STATUS_OK)
            status = send_text(self, text.bytes, text.size);
        text_buffer_wipe(&text);
    } else {
        status = access_open(&self->access, invocation, "send", false);
        if (status == STATUS_OK)
            status = send_input(self);
    }
    status_t drained = STATUS_OK;
    if (status == STATUS_OK || status == STATUS_INVALID || status == STATUS_TOO_LARGE)
        drained = await_replies(self, 0);
    if (drained == STATUS_HOLDER_ENDED && access_is_attached(&self->access) &&
        self->queued == self->in_flight)
        drained = send_elsewhere(self);
    return status == STATUS_OK ? drained : status;
}

status_t command_send(invocation_t *self)
{
    sending_t sending = {.invocation = self};
    sending.lines.line_max = 4 * TEXT_MAX_BYTES;
    status_t status = name_parse(&sending.group, self->words[0]);
    if (status == STATUS_OK)
        status = send_all(&sending);
    bool is_refused = status == STATUS_OK && sending.refusal != STATUS_OK;
    if (status == STATUS_TIMED_OUT)
        status = say_waiting(&sending);
    else if (status == STATUS_OK && !is_refused)
        status = access_pass(&sending.access, "sent, but what else waits was not fetched");
    else if (is_refused) {
        access_pass_quietly(&sending.access);
        status = sending.refusal;
    }
    access_close(&sending.access, NULL);
    line_splitter_wipe(&sending.lines);
    return status;
}
