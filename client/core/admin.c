/* SPDX-License-Identifier: MPL-2.0 */
/* The admin core: rounds of the two polling tasks, and mail from the member core. */
#include "client/core/admin.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

void admin_fatal(admin_core_t *self, status_t status, const char *reason)
{
    self->effects->fatal = status;
    snprintf(self->effects->fatal_reason, sizeof self->effects->fatal_reason, "%s", reason);
}

static void begin_round(admin_core_t *self)
{
    bool is_running = self->asks_joins || self->asks_leaves;
    if (is_running || (!self->is_due && self->now.boot_ms < self->at_ms))
        return;
    self->is_due = self->has_failed = false;
    self->asks_joins = self->asks_leaves = true;
    self->started++;
    session_call(&self->session, self->now, VERB_poll_leaves, NULL, 0, NULL, self->effects);
    session_call(&self->session, self->now, VERB_poll_joins, NULL, 0, NULL, self->effects);
}

static void end_round(admin_core_t *self)
{
    if (self->asks_joins || self->asks_leaves)
        return;
    self->at_ms = self->now.boot_ms + self->config.poll_period_ms;
    if (self->has_failed)
        return;
    self->finished = self->started;
    for (size_t i = 0; i < self->group_count; i++)
        admin_serve(self, self->groups[i]);
}

static void count_waiting(admin_core_t *self)
{
    self->state.waiting_joins = self->state.waiting_leaves = 0;
    for (size_t i = 0; i < self->group_count; i++)
        for (size_t k = 0; k < self->groups[i]->duty_count; k++) {
            bool is_join = self->groups[i]->duties[k].task == TASK_JOINS;
            *(is_join ? &self->state.waiting_joins : &self->state.waiting_leaves) += 1;
        }
}

static void clear_duties(admin_core_t *self, uint64_t task)
{
    for (size_t i = 0; i < self->group_count; i++)
        admin_duties_clear(self->groups[i], task);
}

static void take_joins(admin_core_t *self, status_t status, const message_t *reply)
{
    self->asks_joins = false;
    self->has_failed |= status != STATUS_OK;
    if (!status) {
        const poll_joins_reply_t *body = &reply->body.poll_joins_reply;
        self->state.last_joins_ms = self->now.wall_ms;
        clear_duties(self, TASK_JOINS);
        for (size_t i = 0; i < body->joins.count; i++) {
            const pending_join_record_t *join = &body->joins.items[i];
            admin_group_t *group = admin_group(self, join->group);
            if (group)
                admin_duty_add(group, TASK_JOINS, &join->name, join->since_ms, join->request);
        }
    }
    end_round(self);
}

static void take_leaves(admin_core_t *self, status_t status, const message_t *reply)
{
    self->asks_leaves = false;
    self->has_failed |= status != STATUS_OK;
    if (!status) {
        const poll_leaves_reply_t *body = &reply->body.poll_leaves_reply;
        self->state.last_leaves_ms = self->now.wall_ms;
        clear_duties(self, TASK_LEAVES);
        for (size_t i = 0; i < body->leaves.count; i++) {
            const pending_leave_record_t *leave = &body->leaves.items[i];
            admin_group_t *group = admin_group(self, leave->group);
            if (group)
                admin_duty_add(group, TASK_LEAVES, &leave->name, leave->since_ms, leave->statement);
        }
    }
    end_round(self);
}

static bool is_busy(const admin_core_t *self)
{
    for (size_t i = 0; i < self->group_count; i++)
        if (self->groups[i]->is_calling)
            return true;
    return self->is_due;
}

static void answer_passes(admin_core_t *self)
{
    if (is_busy(self))
        return;
    size_t kept = 0;
    for (size_t i = 0; i < self->pass_count; i++) {
        mail_t mail = {.kind = MAIL_PASSED, .number = self->passes[i].number};
        if (self->finished >= self->passes[i].after)
            mail_send(&mail, self->effects);
        else
            self->passes[kept++] = self->passes[i];
    }
    self->pass_count = kept;
}

static void tell_state(admin_core_t *self)
{
    count_waiting(self);
    self->state.ready = session_is_ready(&self->session);
    if (!memcmp(&self->state, &self->told, sizeof self->state))
        return;
    self->told = self->state;
    mail_t mail = {.kind = MAIL_STATE, .state = self->state};
    mail_send(&mail, self->effects);
}

static admin_core_t *begin(core_t *base, moment_t now, effects_t *effects)
{
    admin_core_t *self = (admin_core_t *)base;
    self->now = now;
    self->effects = effects;
    return self;
}

static void end(admin_core_t *self)
{
    for (size_t i = 0; i < self->group_count; i++)
        admin_send_work(self, self->groups[i]);
    begin_round(self);
    answer_passes(self);
    tell_state(self);
    self->effects = NULL;
}

static void session_ready(void *owner, moment_t now, effects_t *effects)
{
    (void)now;
    (void)effects;
    ((admin_core_t *)owner)->is_due = true;
}

static void session_answered(void *owner, moment_t now, const call_t *call, status_t status,
                             const message_t *reply, effects_t *effects)
{
    (void)now;
    (void)effects;
    admin_core_t *self = owner;
    if (call->verb == VERB_poll_joins)
        take_joins(self, status, reply);
    else if (call->verb == VERB_poll_leaves)
        take_leaves(self, status, reply);
    else
        admin_commit_answered(self, call, status, reply);
}

static void session_pushed(void *owner, moment_t now, const message_t *push, effects_t *effects)
{
    (void)now;
    (void)effects;
    if (push->verb == VERB_nudge)
        ((admin_core_t *)owner)->is_due = true;
}

static void session_reachable(void *owner, moment_t now, status_t cause, const char *reason,
                              effects_t *effects)
{
    (void)owner;
    (void)now;
    (void)cause;
    (void)reason;
    (void)effects;
}

static const session_owner_t session_owner = {
    .ready = session_ready,
    .answered = session_answered,
    .pushed = session_pushed,
    .reachable = session_reachable,
};

static void admin_start(core_t *base, moment_t now, effects_t *effects)
{
    admin_core_t *self = begin(base, now, effects);
    if (self->vault_is_new)
        vault_write_format(&effects->writes, VAULT_OF_ADMIN);
    session_start(&self->session, now, effects);
    end(self);
}

static void admin_link(core_t *base, moment_t now, link_event_t event, const uint8_t *key,
                       effects_t *effects)
{
    admin_core_t *self = begin(base, now, effects);
    session_link(&self->session, now, event, key, effects);
    end(self);
}

static void admin_frame(core_t *base, moment_t now, bytes_t frame, effects_t *effects)
{
    admin_core_t *self = begin(base, now, effects);
    session_frame(&self->session, now, frame, effects);
    end(self);
}

/* Who it is by what was signed and by the own roster, not by what the broker says. */
static mail_waiting_t waiting_of(const admin_group_t *group, const duty_t *duty)
{
    mail_waiting_t entry = {.name = duty->name, .task = duty->task, .since_ms = duty->since_ms};
    join_t join;
    leave_t leave;
    const roster_member_t *member = NULL;
    if (duty->task == TASK_JOINS && !join_request_parse(&join, buffer_view(&duty->bytes))) {
        entry.name = join.name;
        memcpy(entry.identity_key, join.identity_key, KEY_BYTES);
    }
    if (duty->task == TASK_LEAVES && !leave_parse(&leave, buffer_view(&duty->bytes)))
        member = roster_table_get(holder_roster(group->holder), leaf_index(leave.leaf));
    if (member) {
        entry.name = member->name;
        memcpy(entry.identity_key, member->identity_key, KEY_BYTES);
    }
    return entry;
}

static void tell_waiting(admin_core_t *self, const mail_t *question)
{
    const admin_group_t *group = admin_group(self, question->group);
    buffer_t list = {0};
    for (size_t i = 0; group && i < group->duty_count && i < 256; i++) {
        mail_waiting_t entry = waiting_of(group, &group->duties[i]);
        mail_waiting_write(&entry, &list);
    }
    mail_t mail = {.kind = MAIL_WAITING,
                   .number = question->number,
                   .status = group ? STATUS_OK : STATUS_NOT_ADMIN,
                   .bytes = buffer_view(&list)};
    mail_send(&mail, self->effects);
    buffer_free(&list);
}

static void take_mail(admin_core_t *self, const mail_t *mail)
{
    admin_group_t *group = admin_group(self, mail->group);
    switch (mail->kind) {
    case MAIL_CREATE:
        admin_create(self, mail);
        break;
    case MAIL_FORGET:
        if (group)
            admin_group_drop(self, group);
        break;
    case MAIL_PASS:
        if (self->pass_count == sizeof self->passes / sizeof self->passes[0])
            break;
        self->is_due = true;
        self->passes[self->pass_count].number = mail->number;
        self->passes[self->pass_count++].after = self->started + 1;
        break;
    case MAIL_PENDING:
        tell_waiting(self, mail);
        break;
    default:
        self->unreadable++;
    }
}

static void admin_take_mail(core_t *base, moment_t now, bytes_t bytes, effects_t *effects)
{
    admin_core_t *self = begin(base, now, effects);
    mail_t mail;
    if (mail_read(&mail, bytes))
        self->unreadable++;
    else
        take_mail(self, &mail);
    end(self);
}

static void admin_time(core_t *base, moment_t now, effects_t *effects)
{
    admin_core_t *self = begin(base, now, effects);
    session_time(&self->session, now, effects);
    end(self);
}

static uint64_t admin_deadline(const core_t *base)
{
    const admin_core_t *self = (const admin_core_t *)base;
    uint64_t deadline = session_deadline(&self->session);
    if (self->session.stopped)
        return deadline;
    if (!self->asks_joins && !self->asks_leaves) {
        uint64_t round = self->is_due ? 0 : self->at_ms;
        deadline = round < deadline ? round : deadline;
    }
    for (size_t i = 0; i < self->group_count; i++) {
        const admin_group_t *group = self->groups[i];
        if (group->prepared && !group->is_calling && group->call_at_ms < deadline)
            deadline = group->call_at_ms;
    }
    return deadline;
}

static void admin_destroy(core_t *base)
{
    admin_core_t *self = (admin_core_t *)base;
    for (size_t i = 0; i < self->group_count; i++)
        admin_group_destroy(self->groups[i]);
    free(self->groups);
    session_wipe(&self->session);
    sodium_memzero(self, sizeof *self);
    free(self);
}

static const core_ops_t admin_ops = {
    .start = admin_start,
    .link = admin_link,
    .frame = admin_frame,
    .mail = admin_take_mail,
    .time = admin_time,
    .deadline = admin_deadline,
    .destroy = admin_destroy,
};

status_t admin_core_new(core_t **out, const core_config_t *config, const struct identity *identity,
                        vault_t *vault)
{
    admin_core_t *self = mem_zalloc(1, sizeof *self);
    self->base.ops = &admin_ops;
    self->config = *config;
    self->identity = identity;
    self->vault = vault;
    session_config_t session =
        session_config_of(config, identity, PURPOSE_DUTIES, &session_owner, self);
    session_init(&self->session, &session);
    status_t status = admin_load(self);
    *out = &self->base;
    if (status)
        core_destroy(out);
    return status;
}
