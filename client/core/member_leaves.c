/* SPDX-License-Identifier: MPL-2.0 */
/* Leaving groups, and closing the account. */
#include <stdio.h>
#include <string.h>

#include "client/core/member.h"

static void start_leave(member_core_t *self, group_t *group)
{
    group->phase = GROUP_LEAVING;
    buffer_clear(&group->leave_statement);
    identity_make_leave(self->identity, group->id, group_state_leaf(group->keys).value,
                        group_state_epoch_added(group->keys), &group->leave_statement);
    group->leave_called = group->leave_acked = false;
    group->is_dirty = true;
}

void member_leave(member_core_t *self, uint64_t screen, uint64_t request, const name_t *name)
{
    group_t *group = member_group_named(self, name);
    bool is_lost = group && group->phase == GROUP_LOST && group->leave_statement.size;
    if (is_lost) {
        group->phase = GROUP_LEAVING; /* with the statement signed when the keys were lost */
        group->is_dirty = true;
    } else if (!group || !group_is_current(group)) {
        const char *detail = group && group->phase == GROUP_JOINING
                                 ? "not admitted yet: there is nothing to leave"
                                 : NULL;
        member_refuse(self, screen, request, LOCAL_VERB_leave,
                      group ? STATUS_NOT_MEMBER : STATUS_UNKNOWN_GROUP, detail);
        return;
    }
    ask_t *ask = member_ask(self, screen, request, LOCAL_VERB_leave);
    memcpy(ask->group, group->id, GROUP_ID_BYTES);
    if (group->phase == GROUP_ACTIVE)
        start_leave(self, group);
}

static void answer_leaves(member_core_t *self, const uint8_t *group, status_t status)
{
    if (status)
        member_refuse_asks(self, LOCAL_VERB_leave, group, status, status_text(status));
    size_t at = 0;
    ask_t *ask;
    while ((ask = member_find_ask(self, &at, LOCAL_VERB_leave, group))) {
        member_reply(self, ask->screen, ask->request, LOCAL_VERB_leave, STATUS_OK, NULL);
        member_ask_done(self, ask);
    }
}

void member_leave_work(member_core_t *self, group_t *group)
{
    if (group->phase == GROUP_LEFT)
        answer_leaves(self, group->id, STATUS_OK);
    if (group->phase != GROUP_LEAVING || group->leave_called || !group->leave_statement.size)
        return;
    leave_request_t request = {.statement = buffer_view(&group->leave_statement)};
    memcpy(request.group, group->id, GROUP_ID_BYTES);
    group->leave_called = true;
    const trace_context_t *trace = member_ask_trace(self, LOCAL_VERB_leave, group->id);
    if (!trace)
        trace = member_ask_trace(self, LOCAL_VERB_unregister, NULL);
    session_call_traced(&self->session, self->now, trace, VERB_leave, group->id, 0, &request,
                        self->effects);
}

static void stay(member_core_t *self, group_t *group, status_t why)
{
    group->phase = group->keys ? GROUP_ACTIVE : GROUP_LOST;
    if (group->keys)
        buffer_clear(&group->leave_statement);
    group->leave_called = false;
    group->is_dirty = true;
    answer_leaves(self, group->id, why);
    char detail[160];
    snprintf(detail, sizeof detail, "%s: %s", group->name.text, status_text(why));
    member_refuse_asks(self, LOCAL_VERB_unregister, NULL, why, detail);
}

void member_leave_answered(member_core_t *self, const call_t *call, status_t status,
                           const message_t *reply)
{
    group_t *group = member_group(self, call->group);
    if (!group)
        return;
    if (group->phase != GROUP_LEAVING) {
        answer_leaves(self, call->group, group->phase == GROUP_LEFT ? STATUS_OK : status);
        return;
    }
    if (!reply) {
        answer_leaves(self, call->group, status); /* the session stopped: tried again next time */
        group->leave_called = true;
        return;
    }
    bool is_settled = group_is_settled(self, group);
    uint64_t left_sequence = reply->body.leave_reply.sequence + group->shift;
    if (!status && is_settled && group->keys && left_sequence > group->cursor + 1) {
        group->leave_acked = true;
        self->messages.is_due = true; /* what came before the leave may still be read */
        return;
    }
    bool is_out = !status || status == STATUS_ALREADY_LEFT || status == STATUS_NOT_MEMBER ||
                  status == STATUS_UNKNOWN_GROUP;
    if (!is_out) {
        stay(self, group, status);
        return;
    }
    name_t me = *identity_name(self->identity);
    uint64_t sequence = status || !is_settled ? group->cursor : left_sequence;
    group->cursor = sequence;
    member_notice(self, group, sequence, self->now.wall_ms, NOTICE_LEFT, &me,
                  "you left; what comes now can't be read here");
    member_group_end(self, group, GROUP_LEFT, STATUS_ALREADY_LEFT);
    if (!is_settled)
        member_restore_forget(self, group);
    answer_leaves(self, call->group, STATUS_OK);
}

void member_unregister(member_core_t *self, uint64_t screen, uint64_t request)
{
    for (size_t i = 0; i < self->group_count; i++)
        if (self->groups[i]->phase == GROUP_ACTIVE)
            start_leave(self, self->groups[i]);
    member_ask(self, screen, request, LOCAL_VERB_unregister);
}

void member_unregister_work(member_core_t *self)
{
    for (size_t i = 0; i < self->group_count; i++)
        if (group_is_polled(self->groups[i]))
            return;
    size_t at = 0;
    ask_t *ask = member_find_ask(self, &at, LOCAL_VERB_unregister, NULL);
    if (!ask || ask->stage)
        return;
    ask->stage = 1;
    unregister_request_t request;
    identity_sign_unregister(self->identity, self->config.broker_key, request.signature);
    session_call_traced(&self->session, self->now, &ask->trace, VERB_unregister, NULL, ask->subject,
                        &request, self->effects);
}

void member_unregister_answered(member_core_t *self, const call_t *call, status_t status)
{
    (void)call;
    if (status) {
        member_refuse_asks(self, LOCAL_VERB_unregister, NULL, status, status_text(status));
        return;
    }
    size_t at = 0;
    ask_t *ask;
    while ((ask = member_find_ask(self, &at, LOCAL_VERB_unregister, NULL))) {
        member_reply(self, ask->screen, ask->request, LOCAL_VERB_unregister, STATUS_OK, NULL);
        member_ask_done(self, ask);
    }
}
