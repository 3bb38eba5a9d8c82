/* SPDX-License-Identifier: MPL-2.0 */
/* A group's log grows here, and what is new goes out to who is online. */
#include "broker/rules/fanout.h"

#include "broker/rules/cache.h"
#include "broker/rules/output.h"
#include "broker/rules/storage.h"
#include "broker/rules/trace_emit.h"
#include "proto/commit.h"
#include "proto/memory.h"

#include <assert.h>
#include <string.h>

/* Room for the head of the push around a chunk. */
enum { CHUNK_MAX_BYTES = PUSH_FRAME_MAX_BYTES - 64, TURN_KEPT_BYTES = 16 * 1024 };

static chunk_t *add_chunk(group_t *group, uint64_t first)
{
    if (group->chunk_count == group->chunk_capacity) {
        group->chunk_capacity = group->chunk_capacity ? group->chunk_capacity * 2 : 4;
        group->chunks = mem_realloc(group->chunks, group->chunk_capacity, sizeof *group->chunks);
    }
    assert(group->chunks);
    chunk_t *chunk = &group->chunks[group->chunk_count++];
    *chunk = (chunk_t){.start = group->events.size, .end = group->events.size, .first = first};
    group->chunk_closed = false;
    return chunk;
}

/* Encodes an event once for all who will get it. Changes of membership end a chunk, so that who
 * leaves or is removed gets exactly what is theirs. */
static void keep_for_push(rules_t *self, group_t *group, const event_record_t *event)
{
    if (!group->appended) {
        group->appended = true;
        pointers_add(&self->appended_groups, group);
    }
    if (group->online_count == 0 && group->chunk_count == 0)
        return;
    size_t before = group->events.size;
    output_encode_event(event, &group->events);
    chunk_t *chunk = group->chunk_count ? &group->chunks[group->chunk_count - 1] : NULL;
    if (!chunk || group->chunk_closed || group->events.size - chunk->start > CHUNK_MAX_BYTES ||
        chunk->count == POLL_EVENTS_MAX) {
        chunk = add_chunk(group, event->sequence);
        chunk->start = before;
    }
    chunk->end = group->events.size;
    chunk->count++;
    if (event->kind != EVENT_MESSAGE)
        group->chunk_closed = true;
}

uint64_t fanout_append(rules_t *self, group_t *group, head_t *head, uint8_t kind,
                       const name_t *sender, bytes_t payload)
{
    head->sequence++;
    if (self->now_ms > head->last_ms)
        head->last_ms = self->now_ms;
    event_t event = {.kind = kind, .time_ms = head->last_ms, .sender = *sender, .payload = payload};
    save_event(self, group->id, head->sequence, &event);
    event_record_t record = {.sequence = head->sequence,
                             .time_ms = event.time_ms,
                             .kind = kind,
                             .sender = *sender,
                             .payload = payload};
    memcpy(record.group, group->id, GROUP_ID_BYTES);
    keep_for_push(self, group, &record);
    self->counters.events_appended++;
    return event.time_ms;
}

void fanout_polled(rules_t *self, member_t *member, uint64_t cursor, uint64_t delivered)
{
    member->listening = true;
    member->pushed_to = delivered;
    member->window_bytes = 0;
    if (member->group->appended)
        member->group->chunk_closed = true; /* the next chunk starts where this poll ended */
    if (member->cursor_known && member->cursor == cursor)
        return;
    member->cursor = cursor;
    member->cursor_known = true;
    trace_cursor_moved(self, member);
    if (!member->cursor_dirty)
        pointers_add(&self->dirty_cursors, member);
    member->cursor_dirty = true;
}

/* How far back a repetition is looked for: a hundred joins in one turn nudge an admin once. */
enum { NUDGES_COMPARED = 32 };

static void nudge(rules_t *self, const user_t *user, const group_t *group, uint64_t task)
{
    bool is_duty = task == TASK_JOINS || task == TASK_LEAVES;
    if (!user->sessions[is_duty ? PURPOSE_DUTIES : PURPOSE_EVENTS])
        return;
    for (size_t i = self->nudge_count; i-- > 0 && self->nudge_count - i <= NUDGES_COMPARED;) {
        const nudge_t *earlier = &self->nudges[i];
        if (earlier->task == task && name_equal(&earlier->user, &user->name) &&
            memcmp(earlier->group, group->id, GROUP_ID_BYTES) == 0)
            return;
    }
    if (self->nudge_count == self->nudge_capacity) {
        self->nudge_capacity = self->nudge_capacity ? self->nudge_capacity * 2 : 16;
        self->nudges = mem_realloc(self->nudges, self->nudge_capacity, sizeof *self->nudges);
    }
    nudge_t *added = &self->nudges[self->nudge_count++];
    *added = (nudge_t){.user = user->name, .task = task};
    memcpy(added->group, group->id, GROUP_ID_BYTES);
}

static void push_nudge(rules_t *self, const nudge_t *waiting)
{
    const user_t *user = cache_find_user(self, &waiting->user);
    bool is_duty = waiting->task == TASK_JOINS || waiting->task == TASK_LEAVES;
    session_t *session = user ? user->sessions[is_duty ? PURPOSE_DUTIES : PURPOSE_EVENTS] : NULL;
    if (!session)
        return;
    nudge_push_t push = {.task = waiting->task};
    memcpy(push.group, waiting->group, GROUP_ID_BYTES);
    output_push(self, session, VERB_nudge, &push);
}

void fanout_nudge_user(rules_t *self, const name_t *name, const group_t *group, uint64_t task)
{
    user_t *user = cache_find_user(self, name);
    if (user)
        nudge(self, user, group, task);
}

void fanout_nudge_admins(rules_t *self, const group_t *group, uint64_t task)
{
    for (size_t i = 0; i < group->online_count; i++) {
        member_t *member = group->online[i];
        if (member->record.role == ROLE_ADMIN && member_is_current(member))
            nudge(self, member->user, group, task);
    }
}

void fanout_nudge_members(rules_t *self, const group_t *group)
{
    for (size_t i = 0; i < group->online_count; i++)
        nudge(self, group->online[i]->user, group, TASK_MESSAGES);
}

/* Why the chunk can't be pushed, if so. */
static trace_reason_t push_obstacle(const member_t *member, const chunk_t *chunk)
{
    size_t size = chunk->end - chunk->start;
    uint64_t until = member->record.until_sequence;
    if (until != 0 && chunk->first + chunk->count - 1 > until)
        return TRACE_REASON_LEFT;
    if (chunk->first != member->pushed_to + 1)
        return TRACE_REASON_BEHIND;
    if (size > CHUNK_MAX_BYTES || member->window_bytes + size > PUSH_WINDOW_BYTES)
        return TRACE_REASON_WINDOW_FULL;
    return TRACE_REASON_NONE;
}

/* Whether the chunk was pushed. */
static bool push_chunk(rules_t *self, member_t *member, const chunk_t *chunk)
{
    const group_t *group = member->group;
    size_t size = chunk->end - chunk->start;
    trace_reason_t obstacle = push_obstacle(member, chunk);
    if (obstacle != TRACE_REASON_NONE) {
        trace_push_dropped(self, member, chunk, obstacle);
        return false;
    }
    bytes_t events = {group->events.data + chunk->start, size};
    uint64_t step = trace_pushed(self, member, chunk);
    output_push_events(self, member->user->sessions[PURPOSE_EVENTS], events, chunk->count, step);
    member->pushed_to += chunk->count;
    member->window_bytes += size;
    self->counters.events_pushed += chunk->count;
    return true;
}

static void push_to_member(rules_t *self, member_t *member, size_t *pushed, size_t *dropped)
{
    const group_t *group = member->group;
    bool is_pushed = false;
    if (!member->listening || !member->user->sessions[PURPOSE_EVENTS])
        return;
    for (size_t i = 0; i < group->chunk_count && member->listening; i++) {
        const chunk_t *chunk = &group->chunks[i];
        if (chunk->first + chunk->count - 1 <= member->pushed_to)
            continue; /* a poll of this turn has taken it already */
        member->listening = is_pushed = push_chunk(self, member, chunk);
    }
    if (member->listening) {
        *pushed += is_pushed;
        return;
    }
    ++*dropped;
    if (member_is_current(member))
        nudge(self, member->user, group, TASK_MESSAGES);
}

static void push_group(rules_t *self, group_t *group)
{
    size_t pushed = 0, dropped = 0;
    for (size_t i = 0; i < group->online_count; i++)
        push_to_member(self, group->online[i], &pushed, &dropped);
    for (size_t i = group->online_count; i-- > 0;)
        if (!member_is_current(group->online[i]))
            cache_member_ended(group->online[i]);
    self->counters.pushes_dropped += dropped;
    trace_fanned_out(self, group, pushed);
}

void fanout_push_all(rules_t *self)
{
    for (size_t i = 0; i < self->appended_groups.count; i++)
        push_group(self, self->appended_groups.items[i]);
    for (size_t i = 0; i < self->nudge_count; i++)
        push_nudge(self, &self->nudges[i]);
}

void fanout_clear(rules_t *self)
{
    for (size_t i = 0; i < self->appended_groups.count; i++) {
        group_t *group = self->appended_groups.items[i];
        if (group->events.capacity > TURN_KEPT_BYTES)
            buffer_free(&group->events);
        buffer_clear(&group->events);
        group->chunk_count = 0;
        group->appended = false;
        group->chunk_closed = false;
    }
    self->appended_groups.count = 0;
    self->nudge_count = 0;
}
