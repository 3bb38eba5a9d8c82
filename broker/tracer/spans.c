/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/tracer/spans.h"

#include "broker/trace/names.h"
#include "broker/tracer/message_map.h"
#include "broker/tracer/span.h"
#include "broker/tracer/step_text.h"
#include "broker/tracer/turn.h"
#include "proto/memory.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    MESSAGES_KNOWN = 65536,
    OPEN_MAX = 4096, /* requests of a turn; with more, the turn's spans end early */
    MESSAGE_ID_BYTES = NAME_MAX_BYTES + 24
};

/* Where a message came from. */
typedef struct {
    span_context_t creation; /* the sender's own span if it told us, else the request's */
    span_context_t request;
} origin_t;

typedef struct {
    span_t span;
    bool is_accepted;
} open_request_t;

struct spans {
    spans_take_t *take;
    void *context;
    message_map_t *origins;
    turn_t turn;
    open_request_t open[OPEN_MAX]; /* its requests */
    size_t open_count;
    buffer_t text;
};

/* --- Parts of a span ------------------------------------------------------------------------- */

static void message_id(char out[static MESSAGE_ID_BYTES], const name_t *group, uint64_t sequence)
{
    snprintf(out, MESSAGE_ID_BYTES, "%s/%" PRIu64, group->text, sequence);
}

static void new_context(span_context_t *out, const uint8_t *trace_id)
{
    randombytes_buf(out, sizeof *out);
    if (trace_id)
        memcpy(out->trace_id, trace_id, TRACE_ID_BYTES);
}

static bool exists(const uint8_t id[static SPAN_ID_BYTES])
{
    return !sodium_is_zero(id, SPAN_ID_BYTES);
}

static void describe_operation(span_t *span, const char *name, const char *type)
{
    span->operation = name;
    span_text(span, "messaging.system", "conclave");
    span_text(span, "messaging.operation.name", name);
    if (type)
        span_text(span, "messaging.operation.type", type);
}

static void describe_place(span_t *span, const trace_record_t *step)
{
    if (step->group.text[0]) {
        span->has_destination = true;
        span_text(span, "messaging.destination.name", step->group.text);
        span_text(span, "messaging.destination.template", "{group}");
    }
    if (step->user.text[0])
        span_text(span, "enduser.id", step->user.text);
    if (step->epoch != 0)
        span_number(span, "messaging.conclave.epoch", step->epoch);
    if (step->turn != 0)
        span_number(span, "messaging.conclave.turn", step->turn);
}

static void fail(span_t *span, const char *type, const char *text)
{
    if (span->error)
        return;
    span_text(span, "error.type", type);
    span->error = text;
}

static void fail_with_reason(span_t *span, uint64_t reason, const char *text)
{
    char type[32];
    snprintf(type, sizeof type, "%s", trace_reason_name(reason));
    for (char *at = type; *at; at++)
        if (*at == ' ')
            *at = '_';
    fail(span, type, text);
}

static void fail_with_status(span_t *span, uint64_t code)
{
    status_t status = status_from_code(code);
    fail(span, status_name(status), status_text(status));
}

static void give(spans_t *self, span_t *span)
{
    buffer_clear(&self->text);
    span_write(span, &self->text);
    self->take(self->context, (text_t){(const char *)self->text.data, self->text.size});
    span_wipe(span);
}

/* --- Requests -------------------------------------------------------------------------------- */

static open_request_t *open_request(spans_t *self, const trace_record_t *step)
{
    open_request_t *request = &self->open[self->open_count++];
    *request = (open_request_t){.span = {.start_us = step->time_us, .end_us = step->time_us}};
    memcpy(request->span.context.trace_id, step->trace_id, TRACE_ID_BYTES);
    memcpy(request->span.context.span_id, step->span_id, SPAN_ID_BYTES);
    memcpy(request->span.parent_id, step->parent_id, SPAN_ID_BYTES);
    return request;
}

static void take_received(span_t *span, const trace_record_t *step)
{
    span->kind = SPAN_SERVER;
    describe_operation(span, text_of_verb(step->verb),
                       step->verb == VERB_poll_messages ? "receive"
                       : step->verb == VERB_send        ? "send"
                                                        : NULL);
    describe_place(span, step);
    if (step->verb == VERB_send)
        span_number(span, "messaging.message.envelope.size", step->size_bytes);
    else
        span_number(span, "messaging.conclave.request.size", step->size_bytes);
}

static void take_answered(open_request_t *request, const trace_record_t *step)
{
    request->is_accepted = step->step == TRACE_ACCEPTED;
    request->span.end_us = step->time_us;
    if (step->step == TRACE_REFUSED)
        fail_with_status(&request->span, step->status);
}

/* Who sent it without saying where from leaves the request as the creation of the message. */
static void take_appended(spans_t *self, open_request_t *request, const trace_record_t *step)
{
    char id[MESSAGE_ID_BYTES];
    origin_t *origin = message_map_put(self->origins, &step->group, step->sequence);
    memcpy(origin->request.trace_id, step->trace_id, TRACE_ID_BYTES);
    memcpy(origin->request.span_id, step->span_id, SPAN_ID_BYTES);
    origin->creation = origin->request;
    if (exists(step->parent_id))
        memcpy(origin->creation.span_id, step->parent_id, SPAN_ID_BYTES);
    if (!request)
        return;
    message_id(id, &step->group, step->sequence);
    span_text(&request->span, "messaging.message.id", id);
    if (step->verb != VERB_send)
        span_text(&request->span, "messaging.operation.type", "send");
    if (!exists(step->parent_id))
        request->span.kind = SPAN_PRODUCER;
}

static void end_turn(spans_t *self, const trace_record_t *write)
{
    for (size_t i = 0; i < self->open_count; i++) {
        open_request_t *request = &self->open[i];
        if (write) /* with which the answers leave */
            request->span.end_us = write->time_us;
        if (write && write->step == TRACE_STORE_FAILED && request->is_accepted)
            fail_with_status(&request->span, write->status);
        give(self, &request->span);
    }
    self->open_count = 0;
    turn_end(&self->turn);
}

void spans_end_turn(spans_t *self)
{
    end_turn(self, NULL);
}

/* One write for all of a turn: the only request's child, or else linked to all of them. */
static void take_written(spans_t *self, const trace_record_t *step)
{
    span_t span = {.kind = SPAN_CLIENT, .operation = "write", .end_us = step->time_us};
    span.start_us = step->time_us > step->duration_us ? step->time_us - step->duration_us : 0;
    const bool is_of_one = self->open_count == 1;
    const span_context_t *first = &self->open[0].span.context;
    new_context(&span.context, is_of_one ? first->trace_id : NULL);
    if (is_of_one)
        memcpy(span.parent_id, first->span_id, SPAN_ID_BYTES);
    for (size_t i = 0; !is_of_one && i < self->open_count; i++)
        if (self->open[i].is_accepted)
            span_link(&span, &self->open[i].span.context, "");
    span_text(&span, "db.system.name", "rocksdb");
    span_text(&span, "db.operation.name", "write");
    if (step->count > 1)
        span_number(&span, "db.operation.batch.size", step->count);
    span_number(&span, "messaging.conclave.write.size", step->size_bytes);
    span_number(&span, "messaging.conclave.turn", step->turn);
    if (step->step == TRACE_STORE_FAILED)
        fail_with_status(&span, step->status);
    give(self, &span);
    end_turn(self, step);
}

/* --- Deliveries ------------------------------------------------------------------------------ */

static void link_to_creations(const spans_t *self, span_t *span, const trace_record_t *step)
{
    char id[MESSAGE_ID_BYTES];
    for (uint64_t at = step->sequence; at != 0 && at <= step->last_sequence; at++) {
        if (at - step->sequence == SPAN_LINKS_MAX) {
            uint64_t left = step->last_sequence - at + 1;
            span->links_left_out += left < UINT32_MAX / 2 ? (uint32_t)left : UINT32_MAX / 2;
            return;
        }
        const origin_t *origin = message_map_get(self->origins, &step->group, at);
        message_id(id, &step->group, at);
        if (origin)
            span_link(span, &origin->creation, id);
        else
            span->links_left_out++;
    }
}

static void describe_messages(span_t *span, const trace_record_t *step)
{
    char id[MESSAGE_ID_BYTES];
    if (step->sequence == 0)
        return;
    if (step->sequence == step->last_sequence) {
        message_id(id, &step->group, step->sequence);
        span_text(span, "messaging.message.id", id);
        if (step->size_bytes != 0)
            span_number(span, "messaging.message.envelope.size", step->size_bytes);
        return;
    }
    span_number(span, "messaging.batch.message_count", step->count);
    span_number(span, "messaging.conclave.sequence.first", step->sequence);
    span_number(span, "messaging.conclave.sequence.last", step->last_sequence);
}

static span_t delivery(const spans_t *self, const trace_record_t *step, const char *operation,
                       const char *type)
{
    span_t span = {.kind = SPAN_CONSUMER, .start_us = step->time_us, .end_us = step->time_us};
    describe_operation(&span, operation, type);
    describe_place(&span, step);
    describe_messages(&span, step);
    link_to_creations(self, &span, step);
    return span;
}

/* One message's push belongs to the trace of its request; one of several has a trace of its own. */
static void take_pushed(spans_t *self, const trace_record_t *step)
{
    span_t span = delivery(self, step, "push", "process");
    const origin_t *origin = step->sequence == step->last_sequence
                                 ? message_map_get(self->origins, &step->group, step->sequence)
                                 : NULL;
    new_context(&span.context, origin ? origin->request.trace_id : NULL);
    if (origin)
        memcpy(span.parent_id, origin->request.span_id, SPAN_ID_BYTES);
    if (step->step == TRACE_PUSH_DROPPED)
        fail_with_reason(&span, step->reason, "not pushed; the member has to poll");
    give(self, &span);
}

static void take_fetched(spans_t *self, const trace_record_t *step)
{
    span_t span = delivery(self, step, "fetch", "receive");
    new_context(&span.context, exists(step->span_id) ? step->trace_id : NULL);
    memcpy(span.parent_id, step->span_id, SPAN_ID_BYTES);
    give(self, &span);
}

/* --- The rest -------------------------------------------------------------------------------- */

/* What happens within a request is an event of its span; what happens by itself is a span without
 * length. */
static void take_incident(spans_t *self, open_request_t *request, const trace_record_t *step)
{
    const char *name = trace_step_name(step->step);
    if (request) {
        span_event(&request->span, step->time_us, name, step->group.text, step->sequence);
        return;
    }
    span_t span = {.kind = SPAN_INTERNAL, .start_us = step->time_us, .end_us = step->time_us};
    new_context(&span.context, NULL);
    describe_operation(&span, name, NULL);
    describe_place(&span, step);
    if (step->step == TRACE_HANDSHAKE_FAILED)
        fail_with_reason(&span, step->reason, "a connection that was none of ours");
    else if (step->status != STATUS_OK)
        span_text(&span, "messaging.conclave.cause", status_name(status_from_code(step->status)));
    give(self, &span);
}

/* A nudge says that there is something to poll: no message was to be delivered. */
static void take_lost_nudge(spans_t *self, const trace_record_t *step)
{
    span_t span = {.kind = SPAN_INTERNAL, .start_us = step->time_us, .end_us = step->time_us};
    new_context(&span.context, NULL);
    describe_operation(&span, step->verb == VERB_none ? "push" : text_of_verb(step->verb), NULL);
    describe_place(&span, step);
    fail_with_reason(&span, step->reason, "not pushed");
    give(self, &span);
}

void spans_add(spans_t *self, const trace_record_t *step)
{
    const bool is_full = step->step == TRACE_RECEIVED && self->open_count == OPEN_MAX;
    if (is_full || turn_is_next(&self->turn, step))
        spans_end_turn(self);
    const bool has_request = turn_take(&self->turn, step);
    open_request_t *request = NULL; /* that the step belongs to */
    if (step->step == TRACE_RECEIVED)
        request = open_request(self, step);
    else if (has_request)
        request = &self->open[self->open_count - 1];
    switch (step->step) {
    case TRACE_RECEIVED:
        take_received(&request->span, step);
        break;
    case TRACE_ACCEPTED:
    case TRACE_REFUSED:
        if (request)
            take_answered(request, step);
        break;
    case TRACE_APPENDED:
        take_appended(self, request, step);
        break;
    case TRACE_STORED:
    case TRACE_STORE_FAILED:
        take_written(self, step);
        break;
    case TRACE_PUSHED:
    case TRACE_PUSH_DROPPED:
        if (step->sequence != 0)
            take_pushed(self, step);
        else
            take_lost_nudge(self, step);
        break;
    case TRACE_FETCHED:
        take_fetched(self, step);
        break;
    case TRACE_FANNED_OUT: /* its pushes say it all */
        break;
    default:
        take_incident(self, request, step);
    }
}

spans_t *spans_new(spans_take_t *take, void *context)
{
    spans_t *self = mem_zalloc(1, sizeof *self);
    self->take = take;
    self->context = context;
    self->origins = message_map_new(MESSAGES_KNOWN, sizeof(origin_t));
    return self;
}

void spans_destroy(spans_t **self)
{
    spans_t *dead = *self;
    if (!dead)
        return;
    for (size_t i = 0; i < dead->open_count; i++)
        span_wipe(&dead->open[i].span);
    message_map_destroy(&dead->origins);
    buffer_free(&dead->text);
    free(dead);
    *self = NULL;
}
