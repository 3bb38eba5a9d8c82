/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Texts on their way. Each group has one in flight: a refused text must never be overtaken by a
 * later one, and with several in flight a transient refusal of the first (a rate limit, a full
 * disk) would let the second in, whose higher generation then shuts the first out for good. Order
 * costs a round trip a text.
 *
 *   typed -sealed and stored-> sent -refused for now-> the same bytes again
 *                                   -refused for good in this epoch-> sealed again, same number, in
 * an epoch entered by a verified commit -acked or seen in the log-> a line, and gone
 */
#include "client/core/member.h"
#include "client/keys/message_fields.h"

#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

/* The first had no trace context, and is written where there is none. */
#define OUTBOX_ROW_FORMAT        1
#define OUTBOX_ROW_FORMAT_TRACED 2

void outbox_entry_wipe(outbox_entry_t *entry)
{
    buffer_wipe(&entry->text);
    buffer_free(&entry->sealed);
    *entry = (outbox_entry_t){0};
}

void outbox_row_write(const outbox_entry_t *entry, buffer_t *out)
{
    bool is_traced = trace_context_exists(&entry->trace);
    buffer_u8(out, is_traced ? OUTBOX_ROW_FORMAT_TRACED : OUTBOX_ROW_FORMAT);
    buffer_u64(out, entry->index);
    buffer_u64(out, entry->number);
    buffer_u64(out, entry->epoch);
    buffer_u64(out, entry->generation);
    buffer_u64(out, entry->typed_ms);
    buffer_u8(out, entry->is_acked);
    buffer_u8(out, entry->is_stale);
    buffer_u64(out, entry->sequence);
    buffer_u64(out, entry->time_ms);
    buffer_lp(out, entry->text.data, entry->text.size);
    buffer_lp(out, entry->sealed.data, entry->sealed.size);
    if (is_traced)
        trace_context_pack(&entry->trace, buffer_extend(out, TRACE_CONTEXT_BYTES));
}

static void read_trace(reader_t *in, trace_context_t *out)
{
    bytes_t bytes = {reader_take(in, TRACE_CONTEXT_BYTES), TRACE_CONTEXT_BYTES};
    if (!bytes.data || !trace_context_unpack(out, bytes))
        in->failed = true;
}

status_t outbox_row_read(outbox_entry_t *entry, bytes_t bytes)
{
    *entry = (outbox_entry_t){0};
    reader_t in = reader_of(bytes.data, bytes.size);
    uint8_t format = reader_u8(&in);
    if (reader_ok(&in) && format > OUTBOX_ROW_FORMAT_TRACED)
        return STATUS_NEWER_FORMAT;
    entry->index = reader_u64(&in);
    entry->number = reader_u64(&in);
    entry->epoch = reader_u64(&in);
    entry->generation = reader_u64(&in);
    entry->typed_ms = reader_u64(&in);
    entry->is_acked = reader_u8(&in);
    entry->is_stale = reader_u8(&in);
    entry->sequence = reader_u64(&in);
    entry->time_ms = reader_u64(&in);
    uint32_t text_size = reader_u32(&in);
    const uint8_t *text = reader_take(&in, text_size);
    uint32_t sealed_size = reader_u32(&in);
    const uint8_t *sealed = reader_take(&in, sealed_size);
    if (format == OUTBOX_ROW_FORMAT_TRACED)
        read_trace(&in, &entry->trace);
    if (!reader_done(&in) || !text_size)
        return STATUS_DAMAGED_FILE;
    buffer_append(&entry->text, text, text_size);
    if (sealed_size)
        buffer_append(&entry->sealed, sealed, sealed_size);
    return STATUS_OK;
}

static void save(member_core_t *self, const group_t *group, const outbox_entry_t *entry)
{
    row_key_t key = row_key_of_number(ROW_OUTBOX, group->id, entry->index);
    buffer_t value = {0};
    outbox_row_write(entry, &value);
    writes_put(&self->effects->writes, row_key_view(&key), buffer_view(&value));
    buffer_wipe(&value);
}

static void answer(member_core_t *self, outbox_entry_t *entry, status_t status, const char *detail)
{
    if (!entry->request)
        return;
    char traceparent[TRACE_CONTEXT_CHARS + 1];
    local_send_reply_t reply = {.sequence = entry->sequence,
                                .number = entry->number,
                                .time_ms = entry->time_ms,
                                .traceparent = trace_context_text(&entry->trace, traceparent),
                                .detail = text_of(detail ? detail : "")};
    member_reply(self, entry->screen, entry->request, LOCAL_VERB_send, status, &reply);
    entry->request = 0;
}

static void drop(member_core_t *self, group_t *group, size_t at)
{
    row_key_t key = row_key_of_number(ROW_OUTBOX, group->id, group->outbox[at].index);
    writes_delete(&self->effects->writes, row_key_view(&key));
    outbox_entry_wipe(&group->outbox[at]);
    group->outbox_count--;
    memmove(&group->outbox[at], &group->outbox[at + 1],
            (group->outbox_count - at) * sizeof *group->outbox);
}

static status_t may_send(const member_core_t *self, group_t *group,
                         const local_send_request_t *body)
{
    if (!group)
        return STATUS_NOT_MEMBER; /* whether it exists is the broker's to know */
    if (!body->text.size)
        return STATUS_INVALID;
    if (group->phase == GROUP_LOST || group->is_out_of_step || group->alarm == STATUS_GONE ||
        group_is_stopped(self, group))
        return STATUS_OUT_OF_STEP;
    if (group->phase == GROUP_LEFT || group->phase == GROUP_LEAVING)
        return STATUS_NOT_MEMBER;
    return group->outbox_count < OUTBOX_MAX ? STATUS_OK : STATUS_TOO_MANY;
}

void member_send(member_core_t *self, uint64_t screen, uint64_t request,
                 const local_send_request_t *body)
{
    group_t *group = member_group_named(self, &body->name);
    status_t status = may_send(self, group, body);
    if (status) {
        member_refuse(self, screen, request, LOCAL_VERB_send, status, NULL);
        return;
    }
    if (group->outbox_count == group->outbox_capacity) {
        group->outbox_capacity = group->outbox_capacity ? 2 * group->outbox_capacity : 8;
        group->outbox = mem_realloc(group->outbox, group->outbox_capacity, sizeof *group->outbox);
    }
    outbox_entry_t *entry = &group->outbox[group->outbox_count++];
    *entry = (outbox_entry_t){.index = group->next_outbox++,
                              .typed_ms = self->now.wall_ms,
                              .trace = self->trace,
                              .screen = screen,
                              .request = request};
    buffer_append(&entry->text, body->text.data, body->text.size);
    group->is_dirty = true;
    save(self, group, entry);
    local_queued_push_t push = {.request_id = request};
    buffer_t frame = {0};
    local_write_push(&frame, LOCAL_VERB_queued, ++self->push_count, &push);
    frames_add(&self->effects->screens, screen, &frame);
    status = session_refusal(&self->session);
    if (status)
        member_outbox_excuse(self, entry, status, self->session.reason);
}

void member_outbox_excuse(member_core_t *self, outbox_entry_t *entry, status_t why,
                          const char *detail)
{
    if (entry->request)
        member_refuse(self, entry->screen, entry->request, LOCAL_VERB_send, why, detail);
    entry->request = 0;
}

void member_outbox_count(member_core_t *self, uint64_t screen, uint64_t request,
                         const local_outbox_request_t *body)
{
    local_outbox_reply_t reply = {0};
    for (size_t i = 0; i < self->group_count; i++) {
        group_t *group = self->groups[i];
        if (name_size(&body->name) && !name_equal(&body->name, &group->name))
            continue;
        for (size_t k = group->outbox_count; k-- > 0;) {
            outbox_entry_t *entry = &group->outbox[k];
            bool is_asked_here = entry->request && entry->screen == screen;
            if (body->drop && is_asked_here && !entry->number) {
                answer(self, entry, STATUS_INTERRUPTED, "dropped");
                drop(self, group, k);
                reply.dropped++;
            } else if (!entry->is_acked) {
                reply.waiting++;
            }
        }
    }
    member_reply(self, screen, request, LOCAL_VERB_outbox, STATUS_OK, &reply);
}

/* The oldest that the broker doesn't have yet. */
static outbox_entry_t *head(const group_t *group)
{
    for (size_t i = 0; i < group->outbox_count; i++)
        if (!group->outbox[i].is_acked)
            return &group->outbox[i];
    return NULL;
}

/* Refused, and its epoch is still the present one: not to be sealed again yet. By number, since a
 * crash may come right after the next epoch did. */
static bool waits_for_epoch(const group_t *group, const outbox_entry_t *entry)
{
    return entry->is_stale && group->keys && group_state_epoch(group->keys) <= entry->epoch;
}

static outbox_entry_t *find(group_t *group, uint64_t index)
{
    for (size_t i = 0; i < group->outbox_count; i++)
        if (group->outbox[i].index == index)
            return &group->outbox[i];
    return NULL;
}

static status_t seal(member_core_t *self, group_t *group, outbox_entry_t *entry)
{
    buffer_t content = {0}, fields = {0};
    message_header_t header;
    uint64_t number = entry->number ? entry->number : group->next_number;
    buffer_clear(&entry->sealed);
    text_t text = {(const char *)entry->text.data, entry->text.size};
    status_t status = text_content_write(entry->typed_ms, text, &content);
    message_fields_write(&entry->trace, &fields);
    message_body_t body = {.type = MESSAGE_TYPE_TEXT,
                           .number = number,
                           .content = buffer_view(&content),
                           .fields = buffer_view(&fields)};
    if (!status)
        status = group_state_seal(group->keys, self->identity, &body, &entry->sealed, &header);
    buffer_wipe(&content);
    buffer_wipe(&fields);
    if (status)
        return status;
    if (!entry->number)
        entry->number = group->next_number++;
    entry->is_stale = false;
    entry->epoch = header.epoch;
    entry->generation = header.generation;
    group->is_dirty = group->keys_dirty = true;
    save(self, group, entry);
    return STATUS_OK;
}

/* For those whose screen has gone. One notice, however many: a place in the log has room for few.
 */
static void tell_unsent(member_core_t *self, group_t *group, size_t count, status_t why)
{
    name_t me = *identity_name(self->identity);
    if (count == 1)
        member_notice(self, group, group->cursor, self->now.wall_ms, NOTICE_REFUSED, &me,
                      "a text of yours was not sent: %s: %.120s", status_name(why),
                      status_text(why));
    else if (count)
        member_notice(self, group, group->cursor, self->now.wall_ms, NOTICE_REFUSED, &me,
                      "%zu texts of yours were not sent: %s: %.120s", count, status_name(why),
                      status_text(why));
}

static void refuse_for_good(member_core_t *self, group_t *group, outbox_entry_t *entry,
                            status_t why)
{
    tell_unsent(self, group, !entry->request, why);
    answer(self, entry, why, status_text(why));
    drop(self, group, (size_t)(entry - group->outbox));
}

static void own_line(member_core_t *self, group_t *group, const outbox_entry_t *entry)
{
    char traceparent[TRACE_CONTEXT_CHARS + 1];
    local_line_record_t line = {.kind = LINE_MESSAGE,
                                .traceparent = trace_context_text(&entry->trace, traceparent),
                                .epoch = entry->epoch,
                                .sequence = entry->sequence,
                                .time_ms = entry->time_ms,
                                .sender = *identity_name(self->identity),
                                .mine = 1,
                                .generation = entry->generation,
                                .number = entry->number,
                                .sent_time_ms = entry->typed_ms,
                                .text = {(const char *)entry->text.data, entry->text.size}};
    member_line(self, group, &line, NULL);
}

/* Acked, but the log went on without it: the broker lied about one of the two. The text stays in
 * the history. */
static void missed(member_core_t *self, group_t *group, size_t at)
{
    name_t me = *identity_name(self->identity);
    outbox_entry_t *entry = &group->outbox[at];
    unsigned long long place = entry->sequence;
    entry->sequence = group->cursor;
    own_line(self, group, entry);
    member_notice(self, group, group->cursor, self->now.wall_ms, NOTICE_BROKER, &me,
                  "WARNING: the broker said that it stored this message of yours at %llu, but it "
                  "is not there: the others may not have it",
                  place);
    drop(self, group, at);
}

/* Something else stands at its place. */
static void drop_displaced(member_core_t *self, group_t *group)
{
    for (size_t i = 0; i < group->outbox_count;)
        if (group->outbox[i].is_acked && group->outbox[i].sequence <= group->cursor)
            missed(self, group, i);
        else
            i++;
}

void member_outbox_read(member_core_t *self, group_t *group, uint64_t poll)
{
    if (!group_is_current(group))
        return;
    for (size_t i = 0; i < group->outbox_count;)
        if (group->outbox[i].is_acked && group->outbox[i].acked_poll < poll)
            missed(self, group, i);
        else
            i++;
}

static bool can_send_now(const member_core_t *self, const group_t *group)
{
    return group_is_current(group) && group->phase == GROUP_ACTIVE && !group->is_sending &&
           !group->is_out_of_step && group_is_settled(self, group);
}

void member_outbox_work(member_core_t *self, group_t *group)
{
    if (!can_send_now(self, group))
        return;
    drop_displaced(self, group);
    outbox_entry_t *entry = head(group);
    if (!entry || waits_for_epoch(group, entry) ||
        (group->is_held && self->now.boot_ms < group->send_at_ms))
        return;
    if (!entry->sealed.size && !session_is_ready(&self->session))
        return; /* what was never sealed can still be dropped */
    if (!entry->sealed.size) {
        status_t status = seal(self, group, entry);
        if (status) {
            refuse_for_good(self, group, entry, status);
            return;
        }
    }
    send_request_t request = {.sealed = buffer_view(&entry->sealed)};
    memcpy(request.group, group->id, GROUP_ID_BYTES);
    group->is_sending = true;
    session_call_traced(&self->session, self->now, &entry->trace, VERB_send, group->id,
                        entry->index, &request, self->effects);
}

void member_outbox_restored(member_core_t *self, group_t *group, uint64_t end)
{
    for (size_t i = 0; i < group->outbox_count; i++) {
        outbox_entry_t *entry = &group->outbox[i];
        if (!entry->is_acked || entry->sequence <= end)
            continue;
        entry->is_acked = false;
        save(self, group, entry);
    }
}

void member_outbox_new_epoch(member_core_t *self, group_t *group)
{
    uint64_t epoch = group_state_epoch(group->keys);
    group->is_held = false;
    for (size_t i = 0; i < group->outbox_count;) {
        if (group->outbox[i].is_acked && group->outbox[i].epoch < epoch)
            missed(self, group, i);
        else
            i++;
    }
}

static void hold(member_core_t *self, group_t *group, status_t why)
{
    name_t me = *identity_name(self->identity);
    uint64_t epoch = group->keys ? group_state_epoch(group->keys) : 0;
    if (why == STATUS_REKEY_DUE && group->held_epoch != epoch) {
        group->held_epoch = epoch;
        group->is_dirty = true;
        member_notice(self, group, group->cursor, self->now.wall_ms, NOTICE_HELD, &me,
                      "messages wait until somebody who left is out of the keys");
    }
    group->is_held = true;
    group->send_at_ms = self->now.boot_ms + self->config.poll_period_ms;
    member_polls_now(self);
}

/* The broker has it. It leaves the outbox when it comes back in the log. */
static void acked(member_core_t *self, group_t *group, outbox_entry_t *entry,
                  const send_reply_t *reply)
{
    group->is_held = false;
    entry->is_acked = true;
    entry->acked_poll = self->messages.started;
    entry->sequence = reply->sequence + group->shift;
    entry->time_ms = reply->time_ms;
    save(self, group, entry);
    answer(self, entry, STATUS_OK, NULL);
}

void member_send_answered(member_core_t *self, const call_t *call, status_t status,
                          const message_t *reply)
{
    group_t *group = member_group(self, call->group);
    if (!group)
        return;
    group->is_sending = false;
    outbox_entry_t *entry = find(group, call->subject);
    if (!entry || entry->is_acked)
        return; /* it came back in the log meanwhile */
    if (reply && !group_is_settled(self, group))
        return;   /* sent again, with the same bytes, once it is known to what log */
    if (!reply) { /* the session stopped: the text stays */
        answer(self, entry, status, status_text(status));
        hold(self, group, status);
        return;
    }
    switch (status) {
    case STATUS_OK:
        acked(self, group, entry, &reply->body.send_reply);
        break;
    case STATUS_REKEY_DUE:
    case STATUS_EPOCH_AHEAD:
        hold(self, group, status);
        break;
    case STATUS_STALE_EPOCH:
    case STATUS_GENERATION_USED:
        buffer_clear(&entry->sealed); /* a definite refusal: to be sealed again */
        entry->is_stale = status == STATUS_STALE_EPOCH && group->keys &&
                          group_state_epoch(group->keys) <= entry->epoch;
        save(self, group, entry);
        if (entry->is_stale || status == STATUS_GENERATION_USED)
            hold(self, group, status);
        break;
    default:
        refuse_for_good(self, group, entry, status);
    }
}

bool member_outbox_confirm(member_core_t *self, group_t *group, const event_record_t *event)
{
    outbox_entry_t *entry = NULL;
    for (size_t i = 0; i < group->outbox_count && !entry; i++)
        if (group->outbox[i].sealed.size == event->payload.size &&
            !memcmp(group->outbox[i].sealed.data, event->payload.data, event->payload.size))
            entry = &group->outbox[i];
    if (!entry)
        return false;
    size_t at = (size_t)(entry - group->outbox);
    entry->sequence = event->sequence;
    entry->time_ms = event->time_ms;
    own_line(self, group, entry);
    answer(self, entry, STATUS_OK, NULL);
    drop(self, group, (size_t)(entry - group->outbox));
    group->is_held = false;
    while (at > 0 && group->outbox[--at].is_acked) /* it went out before */
        missed(self, group, at);
    return true;
}

void member_outbox_end(member_core_t *self, group_t *group, status_t why)
{
    size_t unsent = 0;
    for (; group->outbox_count; drop(self, group, 0)) {
        outbox_entry_t *entry = &group->outbox[0];
        if (entry->is_acked) {
            own_line(self, group, entry); /* in the log, which can't be read any more */
            continue;
        }
        unsent += !entry->request;
        answer(self, entry, why, status_text(why));
    }
    tell_unsent(self, group, unsent, why);
    group->is_held = false;
}

uint64_t group_outbox_deadline(const member_core_t *self, const group_t *group)
{
    const outbox_entry_t *entry = head(group);
    bool is_due = can_send_now(self, group) && entry && !waits_for_epoch(group, entry);
    return is_due && group->is_held ? group->send_at_ms : UINT64_MAX;
}

bool group_outbox_is_busy(const member_core_t *self, const group_t *group)
{
    if (group->phase != GROUP_ACTIVE || group->is_out_of_step || group_is_stopped(self, group))
        return false;
    const outbox_entry_t *entry = head(group);
    return group->is_sending || (entry && !waits_for_epoch(group, entry) &&
                                 !(group->is_held && self->now.boot_ms < group->send_at_ms));
}
