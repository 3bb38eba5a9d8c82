/* SPDX-License-Identifier: MPL-2.0 */
/* The member core: takes what comes in, hands it to the part it concerns, and starts whatever is
 * due. */
#include "client/core/member.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/memory.h"

void member_fatal(member_core_t *self, status_t status, const char *format, ...)
{
    self->effects->fatal = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->effects->fatal_reason, sizeof self->effects->fatal_reason, format, arguments);
    va_end(arguments);
}

static member_core_t *begin(core_t *base, moment_t now, effects_t *effects)
{
    member_core_t *self = (member_core_t *)base;
    self->now = now;
    self->effects = effects;
    return self;
}

/* Whatever this step's news made possible. */
static void work(member_core_t *self)
{
    for (size_t i = 0; i < self->group_count; i++) {
        group_t *group = self->groups[i];
        member_leave_work(self, group);
        member_join_work(self, group);
        member_prove_work(self, group);
        member_roster_work(self, group);
        member_outbox_work(self, group);
    }
    member_unregister_work(self);
    member_pass_work(self);
    member_polls_work(self);
}

static void end(member_core_t *self)
{
    work(self);
    member_lines_release(self);
    member_groups_save(self);
    self->effects = NULL;
}

static void session_ready(void *owner, moment_t now, effects_t *effects)
{
    (void)now;
    (void)effects;
    member_restores_begin(owner);
    member_polls_now(owner);
}

static void session_answered(void *owner, moment_t now, const call_t *call, status_t status,
                             const message_t *reply, effects_t *effects)
{
    (void)now;
    (void)effects;
    member_core_t *self = owner;
    switch (call->verb) {
    case VERB_poll_messages:
        member_messages_answered(self, status, status ? NULL : reply);
        break;
    case VERB_poll_keys:
        member_keys_answered(self, call, status, status ? NULL : reply);
        break;
    case VERB_send:
        member_send_answered(self, call, status, reply);
        break;
    case VERB_lookup:
        member_lookup_answered(self, call, status, reply);
        break;
    case VERB_join:
        member_join_answered(self, call, status, reply);
        break;
    case VERB_leave:
        member_leave_answered(self, call, status, reply);
        break;
    case VERB_roster_proof:
        member_proof_answered(self, call, status, reply);
        break;
    case VERB_roster:
        member_roster_answered(self, call, status, reply);
        break;
    case VERB_restored:
        member_restored_answered(self, call, status, reply);
        break;
    case VERB_unregister:
        member_unregister_answered(self, call, status);
        break;
    default:
        break;
    }
}

static void session_pushed(void *owner, moment_t now, const message_t *push, effects_t *effects)
{
    (void)now;
    (void)effects;
    member_pushed(owner, push);
}

static void session_reachable(void *owner, moment_t now, status_t cause, const char *reason,
                              effects_t *effects)
{
    (void)now;
    (void)effects;
    member_core_t *self = owner;
    for (size_t i = 0; i < self->screen_count; i++)
        member_push_link(self, self->screens[i].id, cause, reason);
    if (session_refusal(&self->session))
        member_refuse_all_asks(self, cause, reason);
}

static const session_owner_t session_owner = {
    .ready = session_ready,
    .answered = session_answered,
    .pushed = session_pushed,
    .reachable = session_reachable,
};

static void member_start(core_t *base, moment_t now, effects_t *effects)
{
    member_core_t *self = begin(base, now, effects);
    if (self->vault_is_new)
        vault_write_format(&effects->writes, VAULT_OF_MEMBER);
    session_start(&self->session, now, effects);
    for (size_t i = 0; i < self->group_count; i++) {
        group_t *group = self->groups[i];
        if (group->is_creating && group->try_count)
            member_mail_creating(self, group);
        else if (group->phase == GROUP_LEFT)
            member_mail_forget(self, group);
    }
    end(self);
}

static void member_link(core_t *base, moment_t now, link_event_t event, const uint8_t *key,
                        effects_t *effects)
{
    member_core_t *self = begin(base, now, effects);
    session_link(&self->session, now, event, key, effects);
    end(self);
}

static void member_frame(core_t *base, moment_t now, bytes_t frame, effects_t *effects)
{
    member_core_t *self = begin(base, now, effects);
    session_frame(&self->session, now, frame, effects);
    end(self);
}

static void member_admin_alarm(member_core_t *self, const mail_t *mail)
{
    group_t *group = member_group(self, mail->group);
    name_t me = *identity_name(self->identity);
    if (!group || group->admin_alarm == mail->status || group->phase == GROUP_LEAVING ||
        group->phase == GROUP_LEFT)
        return;
    group->admin_alarm = mail->status;
    group->is_dirty = true;
    if (mail->status == STATUS_KEY_CHANGED) {
        member_notice(self, group, group->cursor, self->now.wall_ms, NOTICE_KEY_CHANGED,
                      &mail->name,
                      "WARNING: %s asks to come in with another key than this device remembers, "
                      "and is not let in",
                      mail->name.text);
        return;
    }
    member_notice(self, group, group->cursor, self->now.wall_ms,
                  mail->status == STATUS_FORK ? NOTICE_FORK : NOTICE_BROKER, &me,
                  "WARNING: who joins or leaves can't be served from here: %s: %s",
                  status_name(mail->status), status_text(mail->status));
}

static void member_admin_alarm_over(member_core_t *self, const mail_t *mail)
{
    group_t *group = member_group(self, mail->group);
    if (!group || !group->admin_alarm)
        return;
    group->admin_alarm = STATUS_OK;
    group->is_dirty = true;
}

static void take_mail(member_core_t *self, const mail_t *mail)
{
    size_t at = 0;
    ask_t *ask;
    switch (mail->kind) {
    case MAIL_CREATED:
        member_created(self, mail);
        break;
    case MAIL_PASSED:
        while ((ask = member_find_ask(self, &at, LOCAL_VERB_pass, NULL))) {
            if (ask->stage == 0 && ask->subject == mail->number)
                ask->stage = 1;
            at++;
        }
        break;
    case MAIL_WAITING:
        member_pending_answered(self, mail);
        break;
    case MAIL_STATE:
        self->admin = mail->state;
        break;
    case MAIL_ALARM:
        member_admin_alarm(self, mail);
        break;
    case MAIL_SERVED:
        member_admin_alarm_over(self, mail);
        member_polls_now(self);
        break;
    default:
        self->unreadable++;
    }
}

static void member_mail(core_t *base, moment_t now, bytes_t bytes, effects_t *effects)
{
    member_core_t *self = begin(base, now, effects);
    mail_t mail;
    if (mail_read(&mail, bytes))
        self->unreadable++;
    else
        take_mail(self, &mail);
    end(self);
}

static void member_screen_request(core_t *base, moment_t now, uint64_t screen, bytes_t frame,
                                  effects_t *effects)
{
    member_core_t *self = begin(base, now, effects);
    member_request(self, screen, frame);
    end(self);
}

static void member_screen_ended(core_t *base, moment_t now, uint64_t screen, effects_t *effects)
{
    member_core_t *self = begin(base, now, effects);
    member_screen_gone(self, screen);
    end(self);
}

static void member_time(core_t *base, moment_t now, effects_t *effects)
{
    member_core_t *self = begin(base, now, effects);
    session_time(&self->session, now, effects);
    end(self);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t member_deadline(const core_t *base)
{
    const member_core_t *self = (const member_core_t *)base;
    uint64_t deadline = session_deadline(&self->session);
    if (self->session.stopped)
        return earlier(deadline, member_lines_deadline(self));
    deadline = earlier(deadline, member_polls_deadline(self));
    deadline = earlier(deadline, member_lines_deadline(self));
    for (size_t i = 0; i < self->group_count; i++) {
        const group_t *group = self->groups[i];
        deadline = earlier(deadline, group_outbox_deadline(self, group));
        if (group->phase == GROUP_JOINING && !group->is_creating && group->lookup_at_ms &&
            !group->is_looking_up)
            deadline = earlier(deadline, group->lookup_at_ms);
        bool is_wanted = group->wanted_leaf != UINT32_MAX || group->waiting_count;
        if (group_is_current(group) && is_wanted && !group->is_proving)
            deadline = earlier(deadline, group->prove_at_ms);
    }
    return deadline;
}

static void member_destroy(core_t *base)
{
    member_core_t *self = (member_core_t *)base;
    for (size_t i = 0; i < self->group_count; i++)
        group_destroy(self->groups[i]);
    free(self->groups);
    free(self->pins);
    for (size_t i = 0; i < self->screen_count; i++)
        free(self->screens[i].groups);
    free(self->screens);
    free(self->asks);
    session_wipe(&self->session);
    sodium_memzero(self, sizeof *self);
    free(self);
}

static const core_ops_t member_ops = {
    .start = member_start,
    .link = member_link,
    .frame = member_frame,
    .mail = member_mail,
    .request = member_screen_request,
    .screen_gone = member_screen_ended,
    .time = member_time,
    .deadline = member_deadline,
    .destroy = member_destroy,
};

status_t member_core_new(core_t **out, const core_config_t *config, const struct identity *identity,
                         vault_t *vault)
{
    member_core_t *self = mem_zalloc(1, sizeof *self);
    self->base.ops = &member_ops;
    self->config = *config;
    self->identity = identity;
    self->vault = vault;
    session_config_t session =
        session_config_of(config, identity, PURPOSE_EVENTS, &session_owner, self);
    session_init(&self->session, &session);
    status_t status = member_load(self);
    *out = &self->base;
    if (status)
        core_destroy(out);
    return status;
}
