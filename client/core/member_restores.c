/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A broker that was restored from a backup begins a new history, and says so: its incarnation is
 * another. What it says is not believed where keys are concerned: no key, generation or number of a
 * message ever goes back here, and no epoch.
 *
 *   settled -another incarnation-> unsettled -its log ends in the present epoch-> settled
 *                                            -before it, or nobody knows-> stopped
 *
 * While unsettled nothing of the group is read or sent. A stopped group keeps its keys, since a
 * better backup may yet be restored; who doesn't want to wait leaves, and joins again.
 */
#include "client/core/member.h"

#include <sodium.h>
#include <string.h>

bool group_is_settled(const member_core_t *self, const group_t *group)
{
    return sodium_is_zero(group->incarnation, INCARNATION_BYTES) ||
           !memcmp(group->incarnation, self->session.incarnation, INCARNATION_BYTES);
}

bool group_is_stopped(const member_core_t *self, const group_t *group)
{
    const uint8_t *now = self->session.incarnation;
    return !sodium_is_zero(group->stopped_for, INCARNATION_BYTES) &&
           (sodium_is_zero(now, INCARNATION_BYTES) /* nothing was heard of the broker yet */ ||
            !memcmp(group->stopped_for, now, INCARNATION_BYTES));
}

static void settle(member_core_t *self, group_t *group)
{
    memcpy(group->incarnation, self->session.incarnation, INCARNATION_BYTES);
    memset(group->stopped_for, 0, INCARNATION_BYTES);
    group->done_sequence = 0; /* a welcome of the other history: it is offered again */
    group->is_dirty = true;
}

/* The last place that this device knows anything of. */
static uint64_t last_place(const group_t *group)
{
    return group->cursor > group->left_at ? group->cursor : group->left_at;
}

static void ask(member_core_t *self, const group_t *group)
{
    restored_request_t request;
    memcpy(request.group, group->id, GROUP_ID_BYTES);
    memcpy(request.incarnation, group->incarnation, INCARNATION_BYTES);
    session_forget(&self->session, VERB_restored, group->id);
    session_call(&self->session, self->now, VERB_restored, group->id, 0, &request, self->effects);
}

/* Polls that were sent again name places of the other history. */
static void forget_polls(member_core_t *self)
{
    static const uint8_t no_group[GROUP_ID_BYTES];
    session_forget(&self->session, VERB_poll_messages, no_group);
    session_forget(&self->session, VERB_poll_keys, no_group);
    self->messages.is_running = self->keys.is_running = false;
}

void member_restores_begin(member_core_t *self)
{
    bool is_other = false;
    for (size_t i = 0; i < self->group_count; i++) {
        group_t *group = self->groups[i];
        bool is_settled = group_is_settled(self, group);
        if (is_settled && memcmp(group->incarnation, self->session.incarnation, INCARNATION_BYTES))
            settle(self, group); /* the first that it sees */
        if (is_settled || group_is_stopped(self, group))
            continue;
        if (!is_other)
            forget_polls(self);
        is_other = true;
        if (last_place(group))
            ask(self, group);
        else
            settle(self, group);
    }
}

static void stop(member_core_t *self, group_t *group, const char *why)
{
    name_t nobody = {0};
    memcpy(group->stopped_for, self->session.incarnation, INCARNATION_BYTES);
    group->is_dirty = true;
    member_notice(self, group, group->cursor, self->now.wall_ms, NOTICE_RESTORED, &nobody,
                  "WARNING: the broker was restored, and %s. Nothing is sent from here. What was "
                  "read stays. Leave and join again; if no admin lets you in, make the group anew",
                  why);
}

static void tell_lost(member_core_t *self, group_t *group, uint64_t end)
{
    name_t nobody = {0};
    if (end >= group->cursor)
        member_notice(self, group, group->cursor, self->now.wall_ms, NOTICE_RESTORED, &nobody,
                      "the broker was restored from a backup; it has all that this device has");
    else
        member_notice(self, group, group->cursor, self->now.wall_ms, NOTICE_RESTORED, &nobody,
                      "the broker was restored from a backup; messages %llu to %llu exist only "
                      "here and with others who have read them",
                      (unsigned long long)end + 1, (unsigned long long)group->cursor);
}

/* The restored log goes on behind all that is here. `end`: where it ended, in this device's
 * numbers. */
static void go_on(member_core_t *self, group_t *group, uint64_t end)
{
    uint64_t last = last_place(group);
    if (group_is_current(group))
        tell_lost(self, group, end);
    if (group->phase == GROUP_WELCOMED && end < group->welcome_sequence)
        member_welcome_failed(group);
    if (group->phase == GROUP_LEAVING)
        group->leave_called = group->leave_acked = false;
    member_outbox_restored(self, group, end);
    group->shift += end < last ? last - end : 0;
    group->alarm = STATUS_OK;
    settle(self, group);
    self->messages.is_due = true;
}

void member_restore_forget(member_core_t *self, group_t *group)
{
    group->shift = last_place(group);
    settle(self, group);
}

void member_restored_answered(member_core_t *self, const call_t *call, status_t status,
                              const message_t *reply)
{
    group_t *group = member_group(self, call->group);
    if (!group || !reply || group_is_settled(self, group))
        return;
    const restored_reply_t *restored = &reply->body.restored_reply;
    bool is_far = restored->sequence > UINT64_MAX - group->shift;
    uint64_t end = is_far ? UINT64_MAX : restored->sequence + group->shift;
    if (!status && group_is_current(group) && end < group->cursor &&
        restored->epoch != group_state_epoch(group->keys))
        stop(self, group, "has an older key of this group than this device");
    else if (!status)
        go_on(self, group, end);
    else if (!group_is_current(group))
        member_restore_forget(self, group);
    else if (status == STATUS_UNKNOWN_GROUP || status == STATUS_NOT_MEMBER)
        stop(self, group, "doesn't know this group, or you in it");
    else
        stop(self, group, "can't say what it lost");
}
