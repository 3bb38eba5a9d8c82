/* SPDX-License-Identifier: MPL-2.0 */
/* Events of a group's log: messages and leaves. What doesn't open or prove leaves a notice, and
 * changes nothing. */
#include <string.h>

#include "client/core/member.h"
#include "client/keys/message_fields.h"

/* Returns the line's sub. */
static uint8_t refuse_event(member_core_t *self, group_t *group, const event_record_t *event,
                            status_t why)
{
    return member_notice(self, group, event->sequence, event->time_ms, NOTICE_UNDECRYPTABLE,
                         &event->sender, "%s: %s", status_name(why), status_text(why));
}

/* Whether a leaf nobody is known at may still turn out to be held. */
static bool may_be_held(const group_t *group, uint32_t leaf)
{
    return !group->has_roster && leaf < tree_leaf_count(group_state_depth(group->keys));
}

static void unknown_type(member_core_t *self, group_t *group, local_line_record_t *line,
                         const uint8_t *sub, const char *why)
{
    line->kind = LINE_NOTICE;
    line->notice = text_of(NOTICE_UNDECRYPTABLE);
    line->who = line->sender;
    line->reason = text_of(why);
    member_line(self, group, line, sub);
}

/* With the creation context that came sealed with it. */
static void text_line(member_core_t *self, group_t *group, local_line_record_t *line,
                      const uint8_t *sub, const opened_message_t *opened)
{
    trace_context_t trace = message_fields_trace(buffer_view(&opened->fields));
    char traceparent[TRACE_CONTEXT_CHARS + 1];
    line->traceparent = trace_context_text(&trace, traceparent);
    member_line(self, group, line, sub);
}

void member_accept_message(member_core_t *self, group_t *group, known_member_t *sender,
                           const roster_member_t *entry, const opened_message_t *opened,
                           uint64_t sequence, uint64_t time_ms, const uint8_t *sub)
{
    local_line_record_t line = {.kind = LINE_MESSAGE,
                                .epoch = opened->epoch,
                                .sequence = sequence,
                                .time_ms = time_ms,
                                .sender = entry->name,
                                .generation = opened->generation,
                                .number = opened->number};
    if (sender && sender->is_counted && opened->number <= sender->last_number) {
        unknown_type(self, group, &line, sub, "the same message came twice; shown once");
        return;
    }
    if (sender && sender->is_counted && opened->number > sender->last_number + 1)
        member_notice(self, group, sequence, time_ms, NOTICE_GAP, &entry->name,
                      "%llu messages of %s before this one did not arrive",
                      (unsigned long long)(opened->number - sender->last_number - 1),
                      entry->name.text);
    if (sender) {
        sender->is_counted = true;
        sender->last_number = opened->number;
        member_known_save(self, group, sender);
    }
    if (opened->type != MESSAGE_TYPE_TEXT)
        unknown_type(self, group, &line, sub, "a kind of message that this version doesn't know");
    else if (text_content_read(buffer_view(&opened->content), &line.sent_time_ms, &line.text))
        unknown_type(self, group, &line, sub, "the message's content is malformed");
    else
        text_line(self, group, &line, sub, opened);
}

static void wait_for_sender(member_core_t *self, group_t *group, const event_record_t *event,
                            uint32_t leaf, uint64_t epoch, buffer_t *bytes)
{
    waiting_t waiting = {.sequence = event->sequence,
                         .leaf = leaf,
                         .epoch = epoch,
                         .kind = event->kind,
                         .time_ms = event->time_ms,
                         .bytes = *bytes};
    *bytes = (buffer_t){0}; /* transferred */
    waiting.patience_ms = self->now.boot_ms + self->config.poll_period_ms;
    waiting.sub = refuse_event(self, group, event, STATUS_UNPROVEN);
    member_wait(self, group, &waiting);
}

/* A message under the own leaf that isn't in the outbox: a replay, or this device's state is an old
 * copy. */
static void foreign_own_message(member_core_t *self, group_t *group, const event_record_t *event)
{
    opened_message_t opened = {0};
    status_t status =
        group_state_open(group->keys, event->payload, identity_key(self->identity), &opened);
    if (!status) {
        group->keys_dirty = group->is_dirty = true;
        group->is_out_of_step = true;
        member_notice(self, group, event->sequence, event->time_ms, NOTICE_OUT_OF_STEP,
                      &event->sender,
                      "another copy of this device's keys has sent a message; nothing more is sent "
                      "from here: leave and join again");
    } else {
        refuse_event(self, group, event, status);
    }
    opened_message_wipe(&opened);
}

static void message_event(member_core_t *self, group_t *group, const event_record_t *event)
{
    message_header_t header;
    bytes_t header_bytes, sealed;
    status_t status = message_header_parse(&header, event->payload, &header_bytes, &sealed);
    if (status) {
        refuse_event(self, group, event, status);
        return;
    }
    if (header.leaf == group_state_leaf(group->keys).value) {
        if (!member_outbox_confirm(self, group, event))
            foreign_own_message(self, group, event);
        return;
    }
    known_member_t *sender = group_known(group, header.leaf);
    if (!sender && !may_be_held(group, header.leaf))
        status = STATUS_UNKNOWN_LEAF;
    else if (sender && sender->has_left)
        status = STATUS_ALREADY_LEFT;
    else if (sender)
        status = member_pin_check(self, &sender->entry.name, sender->entry.identity_key);
    if (status) {
        refuse_event(self, group, event, status);
        return;
    }
    opened_message_t opened = {0};
    status = group_state_open(group->keys, event->payload,
                              sender ? sender->entry.identity_key : NULL, &opened);
    if (!status || status == STATUS_UNPROVEN)
        group->keys_dirty = true;
    if (!status && sender) {
        member_accept_message(self, group, sender, &sender->entry, &opened, event->sequence,
                              event->time_ms, NULL);
    } else if (status == STATUS_UNPROVEN) {
        buffer_t bytes = {0};
        opened_message_write(&opened, &bytes);
        wait_for_sender(self, group, event, header.leaf, header.epoch, &bytes);
    } else {
        refuse_event(self, group, event, status);
    }
    opened_message_wipe(&opened);
}

void member_accept_leave(member_core_t *self, group_t *group, known_member_t *leaver,
                         const name_t *name, uint64_t sequence, uint64_t time_ms,
                         const uint8_t *sub)
{
    bool is_known_already = leaver && leaver->has_left;
    if (leaver && !is_known_already) {
        leaver->has_left = true;
        leaver->left_ms = time_ms;
        member_known_save(self, group, leaver);
    }
    local_line_record_t line = {
        .kind = LINE_NOTICE, .sequence = sequence, .time_ms = time_ms, .who = *name};
    line.epoch = group->keys ? group_state_epoch(group->keys) : 0;
    line.notice = text_of(NOTICE_LEFT);
    line.reason = text_of(is_known_already ? "left (said again)"
                                           : "left; a new key is due before anything is sent");
    member_line(self, group, &line, sub);
}

static void own_leave(member_core_t *self, group_t *group, const event_record_t *event,
                      const leave_t *leave)
{
    status_t status = leave->epoch_added == group_state_epoch_added(group->keys)
                          ? leave_verify(leave, identity_key(self->identity))
                          : STATUS_BAD_LEAVE;
    if (status) {
        refuse_event(self, group, event, status);
        return;
    }
    name_t me = *identity_name(self->identity);
    member_notice(self, group, event->sequence, event->time_ms, NOTICE_LEFT, &me,
                  "you left; what comes now can't be read here");
    group->cursor = event->sequence;
    member_group_end(self, group, GROUP_LEFT, STATUS_ALREADY_LEFT);
}

static void leave_event(member_core_t *self, group_t *group, const event_record_t *event)
{
    leave_t leave;
    status_t status = leave_parse(&leave, event->payload);
    if (!status && memcmp(leave.group, group->id, GROUP_ID_BYTES))
        status = STATUS_BAD_LEAVE;
    if (!status && leave.leaf == group_state_leaf(group->keys).value) {
        own_leave(self, group, event, &leave);
        return;
    }
    known_member_t *leaver = status ? NULL : group_known(group, leave.leaf);
    if (!status && !leaver && !may_be_held(group, leave.leaf))
        status = STATUS_UNKNOWN_LEAF;
    if (!status && !leaver) {
        buffer_t bytes = {0};
        buffer_append(&bytes, event->payload.data, event->payload.size);
        wait_for_sender(self, group, event, leave.leaf, group_state_epoch(group->keys), &bytes);
        return;
    }
    if (!status && leave.epoch_added != leaver->entry.epoch_added)
        status = STATUS_BAD_LEAVE;
    if (!status)
        status = leave_verify(&leave, leaver->entry.identity_key);
    if (status)
        refuse_event(self, group, event, status);
    else
        member_accept_leave(self, group, leaver, &leaver->entry.name, event->sequence,
                            event->time_ms, NULL);
}

bool member_event(member_core_t *self, group_t *group, const event_record_t *event)
{
    if (event->sequence <= group->cursor)
        return true; /* seen before */
    if (event->sequence != group->cursor + 1)
        return false;
    bool is_done = true;
    if (group->phase == GROUP_WELCOMED)
        is_done = member_first_commit(self, group, event);
    else if (event->kind == EVENT_COMMIT)
        is_done = member_commit_event(self, group, event);
    else if (event->kind == EVENT_MESSAGE)
        message_event(self, group, event);
    else if (event->kind == EVENT_LEAVE)
        leave_event(self, group, event);
    else
        refuse_event(self, group, event, STATUS_MALFORMED);
    if (is_done) {
        group->cursor = event->sequence;
        group->is_dirty = true;
    }
    return is_done;
}
