/* SPDX-License-Identifier: MPL-2.0 */
/* The four polling tasks. "Nothing new" is told from memory. */
#include "broker/rules/cache.h"
#include "broker/rules/fanout.h"
#include "broker/rules/handlers.h"
#include "broker/rules/storage.h"
#include "broker/rules/trace_emit.h"
#include "proto/commit.h"
#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

/* What an event takes in a frame beside its payload, at most. */
enum { EVENT_OVERHEAD_BYTES = 96 };

typedef struct {
    rules_t *rules;
    event_record_t *events;
    size_t count;
    size_t capacity;
    size_t budget_bytes; /* left */
    bool full;
    bool damaged;
    const uint8_t *group;
} fetch_t;

static bool collect_event(void *context, const store_record_t *record)
{
    fetch_t *fetch = context;
    event_t event;
    if (!event_read(&event, record_value(record))) {
        fetch->damaged = true;
        return false;
    }
    size_t cost = event.payload.size + EVENT_OVERHEAD_BYTES;
    if (fetch->count > 0 && (cost > fetch->budget_bytes || fetch->count == POLL_EVENTS_MAX)) {
        fetch->full = true;
        return false;
    }
    fetch->budget_bytes -= cost < fetch->budget_bytes ? cost : fetch->budget_bytes;
    if (fetch->count == fetch->capacity) {
        fetch->capacity = fetch->capacity ? fetch->capacity * 2 : 16;
        fetch->events = mem_realloc(fetch->events, fetch->capacity, sizeof *fetch->events);
    }
    event_record_t *out = &fetch->events[fetch->count++];
    *out = (event_record_t){.sequence = get_u64(record->key + record->key_size - 8),
                            .time_ms = event.time_ms,
                            .kind = event.kind,
                            .sender = event.sender,
                            .payload = rules_lend_copy(fetch->rules, event.payload)};
    memcpy(out->group, fetch->group, GROUP_ID_BYTES);
    return true;
}

/* Fetches events first..last as far as the budget goes. *delivered becomes the last one's sequence.
 */
static status_t fetch_events(fetch_t *fetch, const group_t *group, uint64_t first, uint64_t last,
                             uint64_t *delivered)
{
    store_key_t from = key_of_group(KEY_EVENT, group->id), to = from;
    key_u64(&from, first);
    key_u64(&to, last + 1);
    store_range_t range = {
        .from = from.bytes, .from_size = from.size, .to = to.bytes, .to_size = to.size};
    size_t before = fetch->count;
    fetch->group = group->id;
    status_t status = overlay_range(fetch->rules->overlay, &range, collect_event, fetch);
    if (status != STATUS_OK || fetch->damaged)
        return STATUS_STORE_FAILED;
    if (fetch->count > before)
        *delivered = fetch->events[fetch->count - 1].sequence;
    return STATUS_OK;
}

/* From where to where the caller may read. */
static status_t cursor_status(const group_t *group, const member_t *member, uint64_t cursor,
                              uint64_t last)
{
    bool current = member_is_current(member);
    uint64_t joined = member->record.joined_sequence;
    uint64_t first = cursor + 1 > joined ? cursor + 1 : joined;
    if (cursor > last)
        return current ? STATUS_BAD_CURSOR : STATUS_NOT_MEMBER;
    if (cursor == last)
        return current ? STATUS_OK : STATUS_NOT_MEMBER;
    return first < group->head.first_sequence ? STATUS_GONE : STATUS_OK;
}

static status_t poll_member(request_t *request, fetch_t *fetch, member_t *member, uint64_t cursor,
                            group_state_record_t *state)
{
    const group_t *group = member->group;
    const membership_t *record = &member->record;
    bool current = member_is_current(member);
    uint64_t last = current ? group->head.sequence : record->until_sequence;
    state->head = last;
    state->epoch = current ? group->head.epoch : 0;
    state->rekey_due_since_ms = current ? group->head.rekey_due_since_ms : 0;
    status_t in_bounds = cursor_status(group, member, cursor, last);
    state->status = in_bounds;
    if (in_bounds != STATUS_OK)
        return STATUS_OK;
    uint64_t before = cursor + 1 > record->joined_sequence ? cursor : record->joined_sequence - 1;
    uint64_t delivered = before;
    size_t count = fetch->count;
    status_t status = STATUS_OK;
    if (before < last && !fetch->full)
        status = fetch_events(fetch, group, before + 1, last, &delivered);
    if (status != STATUS_OK)
        return status;
    if (fetch->count > count)
        trace_fetched(request->rules, request, group, fetch->events + count, fetch->count - count);
    if (delivered < last)
        request->reply.poll_messages_reply.more = 1;
    if (current && request->session->purpose == PURPOSE_EVENTS)
        fanout_polled(request->rules, member, before, delivered);
    return STATUS_OK;
}

static status_t poll_group(request_t *request, fetch_t *fetch, const cursor_record_t *cursor,
                           group_state_record_t *state)
{
    group_t *group;
    member_t *member;
    memcpy(state->group, cursor->group, GROUP_ID_BYTES);
    status_t status = cache_group(request->rules, cursor->group, true, &group);
    if (status == STATUS_OK)
        status = cache_member(request->rules, group, &request->user->name, &member);
    if (status == STATUS_OK)
        return poll_member(request, fetch, member, cursor->cursor, state);
    state->status = status;
    return status == STATUS_UNKNOWN_GROUP || status == STATUS_NOT_MEMBER ? STATUS_OK : status;
}

status_t handle_poll_messages(request_t *request)
{
    rules_t *rules = request->rules;
    const poll_messages_request_t *asked = &request->message->body.poll_messages_request;
    poll_messages_reply_t *reply = &request->reply.poll_messages_reply;
    uint64_t budget =
        asked->budget_bytes < POLL_BUDGET_MAX_BYTES ? asked->budget_bytes : POLL_BUDGET_MAX_BYTES;
    fetch_t fetch = {.rules = rules, .budget_bytes = (size_t)budget};
    size_t count = asked->cursors.count;
    reply->states.items = rules_lend(rules, (count + 1) * sizeof *reply->states.items);
    reply->states.count = count;
    status_t status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = poll_group(request, &fetch, &asked->cursors.items[i], &reply->states.items[i]);
    reply->events.items = fetch.events;
    reply->events.count = fetch.count;
    if (fetch.events)
        pointers_add(&rules->lent, fetch.events);
    return status;
}

typedef struct {
    rules_t *rules;
    poll_keys_reply_t *reply;
    bool damaged;
} keys_t;

static bool collect_key(void *context, const store_record_t *record)
{
    keys_t *keys = context;
    waiting_welcome_t welcome;
    if (keys->reply->keys.count == PENDING_PER_REPLY_MAX) {
        keys->reply->more = 1;
        return false;
    }
    keys->damaged = !waiting_welcome_read(&welcome, record_value(record));
    if (keys->damaged)
        return false;
    const uint8_t *end = record->key + record->key_size;
    pending_key_record_t *out = &keys->reply->keys.items[keys->reply->keys.count++];
    memcpy(out->group, end - 8 - GROUP_ID_BYTES, GROUP_ID_BYTES);
    out->commit_sequence = get_u64(end - 8);
    out->group_name = welcome.group_name;
    out->sealed = rules_lend_copy(keys->rules, welcome.sealed);
    return true;
}

static status_t erase_done(request_t *request, const cursor_record_t *done)
{
    store_key_t key = key_of_name_group(KEY_WELCOME, &request->user->name, done->group);
    key_u64(&key, done->cursor);
    bool present;
    status_t status = load_presence(request->rules, &key, &present);
    if (status == STATUS_OK && present)
        erase(request->rules, &key);
    return status;
}

status_t handle_poll_keys(request_t *request)
{
    rules_t *rules = request->rules;
    const poll_keys_request_t *asked = &request->message->body.poll_keys_request;
    poll_keys_reply_t *reply = &request->reply.poll_keys_reply;
    user_t *user = request->user;
    status_t status = STATUS_OK;
    if (user->no_keys_wait)
        return STATUS_OK;
    for (size_t i = 0; i < asked->done.count && status == STATUS_OK; i++)
        status = erase_done(request, &asked->done.items[i]);
    if (status != STATUS_OK)
        return status;
    reply->keys.items = rules_lend(rules, PENDING_PER_REPLY_MAX * sizeof *reply->keys.items);
    keys_t keys = {.rules = rules, .reply = reply};
    store_key_t prefix = key_of_name(KEY_WELCOME, &user->name);
    status = visit_prefix(rules, &prefix, NULL, PENDING_PER_REPLY_MAX + 1, collect_key, &keys);
    if (status != STATUS_OK || keys.damaged)
        return STATUS_STORE_FAILED;
    user->no_keys_wait = reply->keys.count == 0;
    return STATUS_OK;
}

typedef struct {
    rules_t *rules;
    const group_t *group;
    poll_joins_reply_t *joins;
    poll_leaves_reply_t *leaves;
    store_key_t last; /* the key of what was collected last */
    bool is_full;
    bool damaged;
} duties_t;

static bool collect_join(void *context, const store_record_t *record)
{
    duties_t *duties = context;
    poll_joins_reply_t *reply = duties->joins;
    join_record_t join;
    if (reply->joins.count == PENDING_PER_REPLY_MAX) {
        duties->is_full = true;
        return false;
    }
    reader_t name =
        reader_of(record->key + 1 + GROUP_ID_BYTES, record->key_size - 1 - GROUP_ID_BYTES);
    pending_join_record_t *out = &reply->joins.items[reply->joins.count++];
    out->name = name8_read(&name);
    duties->damaged = !reader_done(&name) || !join_record_read(&join, record_value(record));
    if (duties->damaged)
        return false;
    memcpy(out->group, duties->group->id, GROUP_ID_BYTES);
    out->since_ms = join.since_ms;
    out->request = rules_lend_copy(duties->rules, join.request);
    duties->last = key_of_record(record);
    return true;
}

static bool collect_leave(void *context, const store_record_t *record)
{
    duties_t *duties = context;
    poll_leaves_reply_t *reply = duties->leaves;
    leave_record_t leave;
    if (reply->leaves.count == PENDING_PER_REPLY_MAX) {
        duties->is_full = true;
        return false;
    }
    duties->damaged = !leave_record_read(&leave, record_value(record));
    if (duties->damaged)
        return false;
    pending_leave_record_t *out = &reply->leaves.items[reply->leaves.count++];
    memcpy(out->group, duties->group->id, GROUP_ID_BYTES);
    out->name = leave.name;
    out->sequence = leave.sequence;
    out->since_ms = leave.since_ms;
    out->statement = rules_lend_copy(duties->rules, leave.statement);
    duties->last = key_of_record(record);
    return true;
}

/* Where the pass over the user's groups goes on. */
static size_t marked_group(const user_t *user, const duty_mark_t *mark)
{
    for (size_t i = 0; mark->is_set && i < user->member_count; i++)
        if (memcmp(user->members[i]->group->id, mark->group, GROUP_ID_BYTES) == 0)
            return i;
    return 0;
}

static bool has_duty(const member_t *member, int kind)
{
    const head_t *head = &member->group->head;
    uint32_t waiting = kind == KEY_JOIN ? head->pending_joins : head->leaves_due;
    return waiting > 0 && member->record.role == ROLE_ADMIN && member_is_current(member);
}

/* Visits what waits in the groups that the caller administers. When the reply is full the next poll
 * goes on behind it, so that what an admin doesn't serve hides nobody. *more: it is full. */
static status_t visit_duties(request_t *request, int kind, store_visit_t *visit, duties_t *duties,
                             uint64_t *more)
{
    user_t *user = request->user;
    duty_mark_t *mark = kind == KEY_JOIN ? &user->joins_mark : &user->leaves_mark;
    duty_mark_t found = {.is_set = false};
    status_t status = STATUS_OK;
    for (size_t i = marked_group(user, mark); i < user->member_count && !found.is_set; i++) {
        const group_t *group = user->members[i]->group;
        if (!has_duty(user->members[i], kind))
            continue;
        bool goes_on = mark->is_set && memcmp(group->id, mark->group, GROUP_ID_BYTES) == 0;
        store_key_t prefix = key_of_group(kind, group->id);
        duties->group = group;
        duties->last = goes_on ? mark->after : prefix;
        status = visit_prefix(request->rules, &prefix, goes_on ? &mark->after : NULL,
                              PENDING_PER_REPLY_MAX + 1, visit, duties);
        if (status != STATUS_OK || duties->damaged)
            return STATUS_STORE_FAILED;
        found.is_set = duties->is_full;
        memcpy(found.group, group->id, GROUP_ID_BYTES);
        found.after = duties->last;
    }
    if (found.is_set)
        key_u8(&found.after, 0); /* just behind */
    *more = found.is_set;
    *mark = found;
    return STATUS_OK;
}

status_t handle_poll_joins(request_t *request)
{
    poll_joins_reply_t *reply = &request->reply.poll_joins_reply;
    duties_t duties = {.rules = request->rules, .joins = reply};
    reply->joins.items =
        rules_lend(request->rules, PENDING_PER_REPLY_MAX * sizeof *reply->joins.items);
    return visit_duties(request, KEY_JOIN, collect_join, &duties, &reply->more);
}

status_t handle_poll_leaves(request_t *request)
{
    poll_leaves_reply_t *reply = &request->reply.poll_leaves_reply;
    duties_t duties = {.rules = request->rules, .leaves = reply};
    reply->leaves.items =
        rules_lend(request->rules, PENDING_PER_REPLY_MAX * sizeof *reply->leaves.items);
    return visit_duties(request, KEY_LEAVE, collect_leave, &duties, &reply->more);
}
