/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/rules/inspect.h"

#include "broker/rules/cache.h"
#include "broker/rules/storage.h"
#include "proto/commit.h"
#include "proto/sealed_message.h"

#include <stdlib.h>
#include <string.h>

/* --- What waits ------------------------------------------------------------------------------ */

typedef struct {
    uint64_t count;
    uint64_t oldest_ms;
    bool damaged;
} waiting_t;

static void count_waiting(waiting_t *self, uint64_t since_ms)
{
    self->count++;
    if (self->oldest_ms == 0 || since_ms < self->oldest_ms)
        self->oldest_ms = since_ms;
}

static bool visit_join(void *context, const store_record_t *record)
{
    waiting_t *waiting = context;
    join_record_t join;
    waiting->damaged = !join_record_read(&join, record_value(record));
    if (!waiting->damaged)
        count_waiting(waiting, join.since_ms);
    return !waiting->damaged;
}

static bool visit_leave(void *context, const store_record_t *record)
{
    waiting_t *waiting = context;
    leave_record_t leave;
    waiting->damaged = !leave_record_read(&leave, record_value(record));
    if (!waiting->damaged)
        count_waiting(waiting, leave.since_ms);
    return !waiting->damaged;
}

/* `prefix`: of all groups, or of one. */
static status_t count_prefix(rules_t *self, const store_key_t *prefix, size_t limit,
                             store_visit_t *visit, waiting_t *out)
{
    *out = (waiting_t){0};
    status_t status = visit_prefix(self, prefix, NULL, limit, visit, out);
    return status == STATUS_OK && out->damaged ? STATUS_STORE_FAILED : status;
}

status_t rules_pending(rules_t *self, rules_pending_t *out)
{
    waiting_t joins, leaves;
    const store_key_t join_prefix = key_of_kind(KEY_JOIN);
    const store_key_t leave_prefix = key_of_kind(KEY_LEAVE);
    *out = (rules_pending_t){0};
    status_t status = count_prefix(self, &join_prefix, RULES_PENDING_COUNTED, visit_join, &joins);
    if (status == STATUS_OK)
        status = count_prefix(self, &leave_prefix, RULES_PENDING_COUNTED, visit_leave, &leaves);
    if (status != STATUS_OK)
        return status;
    *out = (rules_pending_t){.joins = joins.count,
                             .oldest_join_ms = joins.oldest_ms,
                             .leaves = leaves.count,
                             .oldest_leave_ms = leaves.oldest_ms,
                             .is_cut = joins.count == RULES_PENDING_COUNTED ||
                                       leaves.count == RULES_PENDING_COUNTED};
    return STATUS_OK;
}

/* --- Who is busy, who is slow ---------------------------------------------------------------- */

/* Keeps the LOADS_MAX greatest of what is offered, in descending order of compare. */
static void keep_greatest(void *items, size_t *count, const void *item, size_t size,
                          int (*compare)(const void *, const void *))
{
    uint8_t *bytes = items;
    size_t at = *count;
    while (at > 0 && compare(item, bytes + (at - 1) * size) > 0)
        at--;
    if (at == LOADS_MAX)
        return;
    if (*count < LOADS_MAX)
        ++*count;
    memmove(bytes + (at + 1) * size, bytes + at * size, (*count - at - 1) * size);
    memcpy(bytes + at * size, item, size);
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static uint64_t oldest_wait(const group_load_record_t *group)
{
    uint64_t join = group->oldest_join_ms, leave = group->oldest_leave_ms;
    if (join == 0 || leave == 0)
        return join + leave;
    return join < leave ? join : leave;
}

static int compare_groups(const void *left, const void *right)
{
    const group_load_record_t *a = left, *b = right;
    uint64_t a_since = oldest_wait(a), b_since = oldest_wait(b);
    if (a_since != b_since) /* who waits since earlier comes first, who doesn't wait last */
        return compare_u64(b_since - 1, a_since - 1);
    return compare_u64(a->online, b->online);
}

static int compare_users(const void *left, const void *right)
{
    const user_load_record_t *a = left, *b = right;
    return compare_u64(a->behind, b->behind);
}

/* Beginning to read a range costs as much as so many of its records. */
enum { RANGE_COST = 16 };

/* *budget: records that may still be read, of all groups. */
static status_t load_of_group(rules_t *self, const group_t *group, size_t *budget,
                              group_load_record_t *out)
{
    const head_t *head = &group->head;
    *out = (group_load_record_t){.name = head->name,
                                 .members = head->members,
                                 .online = group->online_count,
                                 .epoch = head->epoch,
                                 .sequence = head->sequence,
                                 .pending_joins = head->pending_joins,
                                 .leaves_due = head->leaves_due,
                                 .oldest_leave_ms = head->rekey_due_since_ms};
    if (head->pending_joins == 0 || *budget == 0)
        return STATUS_OK;
    waiting_t joins;
    const store_key_t prefix = key_of_group(KEY_JOIN, group->id);
    status_t status = count_prefix(self, &prefix, *budget, visit_join, &joins);
    const uint64_t cost = joins.count + RANGE_COST;
    *budget -= cost < *budget ? cost : *budget;
    out->oldest_join_ms = joins.oldest_ms;
    return status;
}

static user_load_record_t load_of_user(const user_t *user)
{
    user_load_record_t out = {.name = user->name};
    for (unsigned purpose = PURPOSE_EVENTS; purpose <= PURPOSE_DUTIES; purpose++)
        out.sessions += user->sessions[purpose] ? 1 : 0;
    for (size_t i = 0; i < user->member_count; i++) {
        const member_t *member = user->members[i];
        if (!member_is_current(member))
            continue;
        if (member->cursor_known)
            out.behind += member->group->head.sequence - member->cursor;
        else
            out.unpolled++;
    }
    return out;
}

status_t rules_loads(rules_t *self, rules_loads_t *out)
{
    void *cursor = NULL;
    size_t budget = RULES_PENDING_COUNTED;
    out->group_count = out->slow_count = 0;
    for (const group_t *group; (group = table_next(self->groups, &cursor));) {
        group_load_record_t load;
        if (group->head.ended)
            continue;
        status_t status = load_of_group(self, group, &budget, &load);
        if (status != STATUS_OK)
            return status;
        keep_greatest(out->groups, &out->group_count, &load, sizeof load, compare_groups);
    }
    cursor = NULL;
    for (const user_t *user; (user = table_next(self->users, &cursor));) {
        const user_load_record_t load = load_of_user(user);
        if (load.behind > 0 || load.unpolled > 0)
            keep_greatest(out->slow, &out->slow_count, &load, sizeof load, compare_users);
    }
    return STATUS_OK;
}

static rules_online_t online_user(const user_t *user)
{
    rules_online_t out = {.name = user->name};
    for (size_t i = 0; i < user->member_count && out.group_count < RULES_ONLINE_GROUPS; i++)
        if (member_is_current(user->members[i]))
            out.groups[out.group_count++] = user->members[i]->group->head.name;
    return out;
}

size_t rules_online(rules_t *self, rules_online_t *out, size_t max)
{
    const size_t all = table_count(self->users);
    const size_t count = all < max ? all : max;
    size_t left = all; /* the table walks from who was there longest ago */
    void *cursor = NULL;
    for (const user_t *user; (user = table_next(self->users, &cursor)); left--)
        if (left <= count)
            out[left - 1] = online_user(user);
    return count;
}

/* --- One message ----------------------------------------------------------------------------- */

static status_t find_event(rules_t *self, const name_t *name, uint64_t sequence,
                           uint8_t id[static GROUP_ID_BYTES], head_t *head, event_t *event)
{
    status_t status = load_group_id(self, name, id);
    if (status == STATUS_NOT_FOUND)
        return STATUS_UNKNOWN_GROUP;
    if (status == STATUS_OK)
        status = load_head(self, id, head, NULL);
    if (status != STATUS_OK)
        return status;
    if (sequence == 0 || sequence > head->sequence)
        return STATUS_NOT_FOUND;
    if (sequence < head->first_sequence)
        return STATUS_GONE;
    return load_event(self, id, sequence, event);
}

/* What an event says of its epoch in the clear. */
static uint64_t epoch_of_event(const event_t *event)
{
    message_header_t header;
    commit_t commit;
    bytes_t head, rest;
    if (event->kind == EVENT_MESSAGE &&
        message_header_parse(&header, event->payload, &head, &rest) == STATUS_OK)
        return header.epoch;
    if (event->kind != EVENT_COMMIT || commit_parse(&commit, event->payload) != STATUS_OK)
        return 0;
    uint64_t epoch = commit.epoch;
    commit_wipe(&commit);
    return epoch;
}

typedef struct {
    rules_t *rules;
    const uint8_t *group;
    uint64_t sequence;
    rules_explained_t *out;
    bool damaged;
} readers_t;

static uint64_t cursor_of(readers_t *self, const name_t *name, const member_t *member)
{
    uint64_t cursor = 0;
    uint8_t *value;
    size_t size;
    if (member && member->cursor_known)
        return member->cursor;
    store_key_t key = key_of_group_name(KEY_CURSOR, self->group, name);
    status_t status = overlay_get(self->rules->overlay, key.bytes, key.size, &value, &size, NULL);
    if (status == STATUS_OK) {
        self->damaged |= !number_record_read(&cursor, (bytes_t){value, size});
        free(value);
    } else if (status != STATUS_NOT_FOUND) {
        self->damaged = true;
    }
    return cursor;
}

static bool visit_member(void *context, const store_record_t *record)
{
    readers_t *self = context;
    explain_reply_t *reply = &self->out->reply;
    membership_t membership;
    reader_t in =
        reader_of(record->key + 1 + GROUP_ID_BYTES, record->key_size - 1 - GROUP_ID_BYTES);
    const name_t name = name8_read(&in);
    self->damaged |= !reader_done(&in) || !membership_read(&membership, record_value(record));
    if (self->damaged)
        return false;
    bool reads = membership.joined_sequence <= self->sequence &&
                 (membership.until_sequence == 0 || self->sequence <= membership.until_sequence);
    if (!reads)
        return true;
    if (reply->readers.count == EXPLAINED_READERS_MAX) {
        reply->more = 1;
        return false;
    }
    const group_t *group = table_find(self->rules->groups, self->group, GROUP_ID_BYTES);
    const member_t *member = group ? cache_find_member(self->rules, group, &name) : NULL;
    self->out->readers[reply->readers.count++] =
        (reader_record_t){.name = name,
                          .cursor = cursor_of(self, &name, member),
                          .online = member && member->user && member->user->sessions[PURPOSE_EVENTS],
                          .until = membership.until_sequence};
    return !self->damaged;
}

status_t rules_explain(rules_t *self, const name_t *name, uint64_t sequence, rules_explained_t *out)
{
    head_t head;
    event_t event;
    explain_reply_t *reply = &out->reply;
    *reply = (explain_reply_t){.readers = {.items = out->readers}};
    status_t status = find_event(self, name, sequence, reply->group, &head, &event);
    if (status == STATUS_OK) {
        readers_t readers = {
            .rules = self, .group = reply->group, .sequence = sequence, .out = out};
        const store_key_t members = key_of_group(KEY_MEMBER, reply->group);
        reply->kind = event.kind;
        reply->time_ms = event.time_ms;
        reply->sender = event.sender;
        reply->size_bytes = event.payload.size;
        reply->epoch = epoch_of_event(&event);
        reply->head = head.sequence;
        status = visit_prefix(self, &members, NULL, 0, visit_member, &readers);
        status = status == STATUS_OK && readers.damaged ? STATUS_STORE_FAILED : status;
    }
    rules_return_lent(self);
    return status;
}

status_t rules_read_sealed(rules_t *self, const name_t *name, uint64_t sequence, buffer_t *out)
{
    uint8_t id[GROUP_ID_BYTES];
    head_t head;
    event_t event;
    status_t status = find_event(self, name, sequence, id, &head, &event);
    if (status == STATUS_OK)
        buffer_append(out, event.payload.data, event.payload.size);
    rules_return_lent(self);
    return status;
}
