/* SPDX-License-Identifier: MPL-2.0 */
/* The member's two polling tasks, what is pushed between them, and passes. */
#include <string.h>

#include "client/core/member.h"
#include "proto/memory.h"

#include <assert.h>
#include <stdlib.h>

static bool begin(member_core_t *self, poll_task_t *task)
{
    if (task->is_running || (!task->is_due && self->now.boot_ms < task->at_ms))
        return false;
    task->is_running = true;
    task->is_due = false;
    task->running_no = ++task->started;
    return true;
}

static void finish(member_core_t *self, poll_task_t *task, status_t status, bool has_more)
{
    task->is_running = false;
    task->at_ms = self->now.boot_ms + self->config.poll_period_ms;
    if (status)
        return;
    task->last_wall_ms = self->now.wall_ms;
    if (has_more)
        task->is_due = true;
    else
        task->finished = task->running_no;
}

static void poll_messages(member_core_t *self)
{
    cursor_record_t *cursors = mem_zalloc(self->group_count, sizeof *cursors);
    poll_messages_request_t request = {.budget_bytes = POLL_BUDGET_MAX_BYTES,
                                       .cursors = {cursors, 0}};
    for (size_t i = 0; i < self->group_count && request.cursors.count < POLL_CURSORS_MAX; i++) {
        const group_t *group = self->groups[(self->poll_turn + i) % self->group_count];
        if (!group_is_polled(group) || !group_is_settled(self, group))
            continue;
        cursor_record_t *cursor = &cursors[request.cursors.count++];
        memcpy(cursor->group, group->id, GROUP_ID_BYTES);
        cursor->cursor = group->cursor - group->shift;
    }
    self->pushed_bytes = 0;
    session_call(&self->session, self->now, VERB_poll_messages, NULL, 0, &request, self->effects);
    free(cursors);
}

static void poll_keys(member_core_t *self)
{
    cursor_record_t *done = mem_zalloc(self->group_count, sizeof *done);
    poll_keys_request_t request = {.done = {done, 0}};
    for (size_t i = 0; i < self->group_count && request.done.count < POLL_CURSORS_MAX; i++) {
        const group_t *group = self->groups[i];
        if (!group->done_sequence)
            continue;
        cursor_record_t *cursor = &done[request.done.count++];
        memcpy(cursor->group, group->id, GROUP_ID_BYTES);
        cursor->cursor = group->done_sequence - group->shift;
    }
    session_call(&self->session, self->now, VERB_poll_keys, NULL, 0, &request, self->effects);
    free(done);
}

void member_polls_work(member_core_t *self)
{
    if (begin(self, &self->keys))
        poll_keys(self);
    if (begin(self, &self->messages))
        poll_messages(self);
}

void member_polls_now(member_core_t *self)
{
    self->messages.is_due = true;
    self->keys.is_due = true;
}

uint64_t member_polls_deadline(const member_core_t *self)
{
    uint64_t deadline = UINT64_MAX;
    const poll_task_t *tasks[] = {&self->messages, &self->keys};
    for (size_t i = 0; i < 2; i++) {
        uint64_t at = tasks[i]->is_due ? 0 : tasks[i]->at_ms;
        if (!tasks[i]->is_running && at < deadline)
            deadline = at;
    }
    return deadline;
}

/* Whether any group went on. */
static bool apply(member_core_t *self, const event_record_t *events, size_t count, bool is_push)
{
    bool has_progress = false;
    for (size_t i = 0; i < count; i++) {
        event_record_t event = events[i];
        group_t *group = member_group(self, event.group);
        if (!group || !group_is_polled(group) || !group_is_settled(self, group))
            continue;
        if (is_push)
            self->pushed_bytes += event.payload.size;
        uint64_t before = group->cursor;
        event.sequence += group->shift;
        bool is_applied = member_event(self, group, &event);
        has_progress |= is_applied && group->cursor > before;
        if (!is_applied && is_push && group_is_current(group) && event.sequence > group->cursor + 1)
            self->messages.is_due = true; /* something in between was lost */
    }
    return has_progress;
}

/* What the broker says of a group as a whole. It is told once, and changes nothing that this device
 * holds. */
static void apply_state(member_core_t *self, const group_state_record_t *state)
{
    group_t *group = member_group(self, state->group);
    status_t status = status_from_wire(state->status);
    if (!group || !group_is_polled(group) || !group_is_settled(self, group))
        return;
    if (group->phase == GROUP_WELCOMED && status)
        member_welcome_failed(group); /* it is too old, or its commit stands nowhere */
    bool is_out = status == STATUS_NOT_MEMBER || status == STATUS_UNKNOWN_GROUP ||
                  (status == STATUS_GONE && group->leave_acked);
    if (group->phase == GROUP_LEAVING && is_out) {
        member_group_end(self, group, GROUP_LEFT, STATUS_ALREADY_LEFT);
        return;
    }
    if (group->alarm == status)
        return;
    group->alarm = status;
    group->is_dirty = true;
    if (!status)
        return;
    name_t nobody = {0};
    if (status == STATUS_BAD_CURSOR)
        member_notice(self, group, group->cursor, self->now.wall_ms, NOTICE_BROKER, &nobody,
                      "WARNING: BAD_CURSOR: the broker has messages up to %llu, this device up to "
                      "%llu: it lost or hides some, and doesn't say that it was restored from a "
                      "backup",
                      (unsigned long long)state->head + group->shift,
                      (unsigned long long)group->cursor);
    else
        member_notice(self, group, group->cursor, self->now.wall_ms, NOTICE_BROKER, &nobody,
                      "%s: %s", status_name(status), status_text(status));
}

/* The log was read to its head, and what the welcome belongs to isn't there. */
static void welcome_without_commit(member_core_t *self, group_t *group)
{
    name_t nobody = {0};
    if (group->bad_welcome_sequence != group->welcome_sequence)
        member_notice(self, group, group->left_at, self->now.wall_ms, NOTICE_BROKER, &nobody,
                      "the welcome can't be used: its commit is not in the log");
    group->bad_welcome_sequence = group->welcome_sequence;
    member_welcome_failed(group);
}

void member_messages_answered(member_core_t *self, status_t status, const message_t *reply)
{
    assert(status || reply);
    const poll_messages_reply_t *body = reply ? &reply->body.poll_messages_reply : NULL;
    uint64_t poll = self->messages.running_no;
    /* "More" without a step forward would only be the same again: not before the next period. */
    bool has_progress = !status && apply(self, body->events.items, body->events.count, false);
    finish(self, &self->messages, status, !status && body->more && has_progress);
    self->poll_turn += !status && body->more && !has_progress;
    for (size_t i = 0; !status && i < body->states.count; i++) {
        const group_state_record_t *state = &body->states.items[i];
        apply_state(self, state);
        group_t *group = member_group(self, state->group);
        if (!group || body->more || !group_is_settled(self, group))
            continue; /* not read to its head */
        status_t answer = status_from_wire(state->status);
        bool is_read = !answer && state->head + group->shift == group->cursor;
        if (group->phase == GROUP_WELCOMED && !answer)
            welcome_without_commit(self, group);
        else if (is_read || answer == STATUS_BAD_CURSOR)
            member_outbox_read(self, group, poll);
    }
}

void member_keys_answered(member_core_t *self, const call_t *call, status_t status,
                          const message_t *reply)
{
    assert(status || reply);
    const poll_keys_reply_t *body = reply ? &reply->body.poll_keys_reply : NULL;
    (void)call;
    if (status) {
        finish(self, &self->keys, status, false);
        return;
    }
    for (size_t i = 0; i < self->group_count; i++)
        if (self->groups[i]->done_sequence) {
            self->groups[i]->done_sequence = 0; /* said; if it was used since, it is said again */
            self->groups[i]->is_dirty = true;
        }
    bool has_progress = false;
    for (size_t i = 0; i < body->keys.count; i++)
        has_progress |= member_welcome(self, &body->keys.items[i]);
    finish(self, &self->keys, STATUS_OK, body->more && has_progress);
}

void member_pushed(member_core_t *self, const message_t *push)
{
    if (push->verb == VERB_events) {
        const events_push_t *body = &push->body.events_push;
        apply(self, body->events.items, body->events.count, true);
        if (self->pushed_bytes >= PUSH_WINDOW_BYTES / 2)
            self->messages.is_due = true;
    } else if (push->verb == VERB_nudge) {
        if (push->body.nudge_push.task == TASK_KEYS)
            self->keys.is_due = true;
        else
            self->messages.is_due = true;
    }
}

static void mail_pass(member_core_t *self, uint64_t number)
{
    mail_t mail = {.kind = MAIL_PASS, .number = number};
    mail_send(&mail, self->effects);
}

/* The admin side first: what it serves may have to be fetched by this side. */
void member_pass(member_core_t *self, uint64_t screen, uint64_t request)
{
    ask_t *ask = member_ask(self, screen, request, LOCAL_VERB_pass);
    mail_pass(self, ask->subject);
}

static bool is_settled(member_core_t *self)
{
    for (size_t i = 0; i < self->group_count; i++) {
        const group_t *group = self->groups[i];
        if (group->phase == GROUP_WELCOMED || group->is_asking || group_outbox_is_busy(self, group))
            return false;
    }
    return !self->messages.is_due && !self->keys.is_due;
}

/* stage 0: the admin side; 1: to begin with the own side; else 2 + the number of the poll that must
 * have ended. */
void member_pass_work(member_core_t *self)
{
    size_t at = 0;
    ask_t *ask;
    while ((ask = member_find_ask(self, &at, LOCAL_VERB_pass, NULL))) {
        if (ask->stage == 1 && session_is_ready(&self->session)) {
            member_polls_now(self);
            ask->stage = 2;
            uint64_t messages = self->messages.started + 1, keys = self->keys.started + 1;
            ask->subject = messages > keys ? messages : keys;
            self->messages.started = self->keys.started = ask->subject - 1;
        }
        if (ask->stage == 2 && self->messages.finished >= ask->subject &&
            self->keys.finished >= ask->subject && is_settled(self)) {
            member_reply(self, ask->screen, ask->request, LOCAL_VERB_pass, STATUS_OK, NULL);
            member_ask_done(self, ask);
        } else {
            at++;
        }
    }
}
