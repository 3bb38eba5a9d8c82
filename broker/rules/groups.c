/* SPDX-License-Identifier: MPL-2.0 */
/* Finding groups, asking to be let in, and leaving. */
#include "broker/rules/groups.h"
#include "broker/rules/cache.h"
#include "broker/rules/fanout.h"
#include "broker/rules/handlers.h"
#include "broker/rules/hold.h"
#include "broker/rules/storage.h"
#include "proto/commit.h"
#include "proto/requests.h"

#include <sodium.h>
#include <string.h>

status_t handle_lookup(request_t *request)
{
    rules_t *rules = request->rules;
    const lookup_request_t *asked = &request->message->body.lookup_request;
    if (name_size(&asked->name) == 0)
        return STATUS_BAD_NAME;
    uint8_t id[GROUP_ID_BYTES];
    status_t status = load_group_id(rules, &asked->name, id);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_UNKNOWN_GROUP : status;
    group_t *group;
    status = cache_group(rules, id, false, &group);
    if (status != STATUS_OK)
        return status;
    request->group = group;
    lookup_reply_t *reply = &request->reply.lookup_reply;
    memcpy(reply->group, group->id, GROUP_ID_BYTES);
    memcpy(reply->transcript, group->head.transcript, HASH_BYTES);
    memcpy(reply->creator_key, group->head.creator_key, KEY_BYTES);
    reply->epoch = group->head.epoch;
    reply->members = group->head.members;
    reply->join_policy = group->head.join_policy;
    reply->hold_ms = group->head.hold_ms;
    reply->creator = group->head.creator;
    return STATUS_OK;
}

static void list_membership(groups_reply_t *reply, const member_t *member)
{
    if (reply->memberships.count == GROUPS_PER_USER_MAX)
        return;
    const membership_t *record = &member->record;
    membership_record_t *out = &reply->memberships.items[reply->memberships.count++];
    memcpy(out->group, member->group->id, GROUP_ID_BYTES);
    out->name = member->group->head.name;
    out->leaf = record->leaf;
    out->epoch_added = record->epoch_added;
    out->role = record->role;
    out->joined_sequence = record->joined_sequence;
    out->until_sequence = record->until_sequence;
}

status_t handle_groups(request_t *request)
{
    rules_t *rules = request->rules;
    const user_t *user = request->user;
    groups_reply_t *reply = &request->reply.groups_reply;
    group_ids_t past;
    /* Past memberships are kept as long as their groups; a restless user is told only so many. */
    status_t status = load_groups_of(rules, KEY_FORMER, &user->name, GROUPS_PER_USER_MAX, &past);
    reply->memberships.items =
        rules_lend(rules, GROUPS_PER_USER_MAX * sizeof *reply->memberships.items);
    for (size_t i = 0; i < user->member_count; i++)
        if (member_is_current(user->members[i]))
            list_membership(reply, user->members[i]);
    for (size_t i = 0; i < past.count && status == STATUS_OK; i++) {
        group_t *group;
        member_t *member;
        status = cache_group(rules, past.ids[i], true, &group);
        if (status == STATUS_OK)
            status = cache_member(rules, group, &user->name, &member);
        if (status == STATUS_OK && !member_is_current(member))
            list_membership(reply, member);
        if (status == STATUS_UNKNOWN_GROUP || status == STATUS_NOT_MEMBER)
            status = STATUS_OK; /* being swept */
    }
    return status;
}

status_t check_join_request(rules_t *rules, const uint8_t *group, const name_t *user, bytes_t bytes)
{
    join_t parsed;
    account_t account;
    status_t status = join_request_parse(&parsed, bytes);
    if (status != STATUS_OK)
        return status;
    if (memcmp(parsed.group, group, GROUP_ID_BYTES) != 0 || !name_equal(&parsed.name, user))
        return STATUS_BAD_JOIN;
    status = load_account(rules, user, &account);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_UNKNOWN_USER : status;
    bool same = sodium_memcmp(parsed.identity_key, account.identity_key, KEY_BYTES) == 0;
    return same ? STATUS_OK : STATUS_BAD_SIGNATURE;
}

static status_t check_join(request_t *request, const join_request_t *asked, group_t *group)
{
    rules_t *rules = request->rules;
    const user_t *user = request->user;
    member_t *member;
    status_t status = cache_member(rules, group, &user->name, &member);
    if (status == STATUS_OK && member_is_current(member))
        return STATUS_ALREADY_MEMBER;
    if (status != STATUS_OK && status != STATUS_NOT_MEMBER)
        return status;
    status = check_join_request(rules, group->id, &user->name, asked->request);
    if (status != STATUS_OK)
        return status;
    if (group->head.members >= TREE_LEAVES_MAX)
        return STATUS_GROUP_FULL;
    return user->member_count < rules->config.groups_per_user_max ? STATUS_OK : STATUS_TOO_MANY;
}

static bool count_record(void *context, const store_record_t *record)
{
    (void)record;
    ++*(size_t *)context;
    return true;
}

/* Whether there is room for one more request, at the group and with the user. */
static status_t check_pending(rules_t *rules, const group_t *group, const name_t *user)
{
    if (group->head.pending_joins >= rules->config.pending_joins_max)
        return STATUS_TOO_MANY;
    size_t count = 0, most = rules->config.groups_per_user_max;
    store_key_t prefix = key_of_name(KEY_ASKED, user);
    status_t status = visit_prefix(rules, &prefix, NULL, most, count_record, &count);
    return status == STATUS_OK && count >= most ? STATUS_TOO_MANY : status;
}

status_t handle_join(request_t *request)
{
    rules_t *rules = request->rules;
    const join_request_t *asked = &request->message->body.join_request;
    const name_t *name = &request->user->name;
    group_t *group;
    status_t status = cache_group(rules, asked->group, false, &group);
    if (status != STATUS_OK)
        return status;
    request->group = group;
    status = check_join(request, asked, group);
    if (status != STATUS_OK)
        return status;
    request->reply.join_reply.epoch = group->head.epoch;
    join_record_t earlier;
    status = load_join(rules, group->id, name, &earlier);
    if (status == STATUS_OK && earlier.request.size == asked->request.size &&
        memcmp(earlier.request.data, asked->request.data, asked->request.size) == 0)
        return STATUS_OK;
    bool is_new = status == STATUS_NOT_FOUND;
    if (status != STATUS_OK && !is_new)
        return status;
    status = is_new ? check_pending(rules, group, name) : STATUS_OK;
    if (status == STATUS_OK)
        status = take_membership_token(rules, name);
    if (status != STATUS_OK)
        return status;
    join_record_t join = {.since_ms = rules->now_ms, .request = asked->request};
    save_join(rules, group->id, name, &join);
    store_key_t mark = key_of_name_group(KEY_ASKED, name, group->id);
    save_empty(rules, &mark);
    group->head.pending_joins += is_new;
    cache_group_changed(rules, group);
    fanout_nudge_admins(rules, group, TASK_JOINS);
    return STATUS_OK;
}

static void hash_statement(uint8_t out[static HASH_BYTES], bytes_t statement)
{
    (void)crypto_generichash(out, HASH_BYTES, statement.data, statement.size, NULL, 0);
}

static status_t check_leave(const group_t *group, const member_t *member, const leave_t *leave)
{
    const membership_t *record = &member->record;
    if (group->head.ended)
        return STATUS_UNKNOWN_GROUP;
    if (!member_is_current(member))
        return record->left ? STATUS_ALREADY_LEFT : STATUS_NOT_MEMBER;
    if (leave->leaf != record->leaf)
        return STATUS_NOT_YOUR_LEAF;
    if (memcmp(leave->group, group->id, GROUP_ID_BYTES) != 0 ||
        leave->epoch_added != record->epoch_added)
        return STATUS_BAD_LEAVE;
    status_t status = leave_verify(leave, record->identity_key);
    if (status != STATUS_OK)
        return status;
    bool is_last_admin = record->role == ROLE_ADMIN && group->head.admins == 1;
    return is_last_admin && group->head.members > 1 ? STATUS_LAST_ADMIN : STATUS_OK;
}

/* The last member's leave ends the group: its name is free, what is stored goes with the sweep. */
static void end_or_await_rekey(rules_t *rules, group_t *group, const member_t *member,
                               bytes_t statement)
{
    head_t *head = &group->head;
    head->members--;
    head->admins -= member->record.role == ROLE_ADMIN;
    if (head->members == 0) {
        store_key_t name = key_of_name(KEY_NAME, &head->name);
        erase(rules, &name);
        head->ended = true;
        return;
    }
    leave_record_t leave = {.name = member->name,
                            .sequence = head->sequence,
                            .since_ms = rules->now_ms,
                            .statement = statement};
    save_leave(rules, group->id, member->record.leaf, &leave);
    if (head->leaves_due++ == 0) {
        head->rekey_due_since_ms = rules->now_ms;
        hold_begin(rules, group);
    }
    fanout_nudge_admins(rules, group, TASK_LEAVES);
}

static void carry_out_leave(request_t *request, group_t *group, member_t *member, bytes_t statement)
{
    rules_t *rules = request->rules;
    (void)fanout_append(rules, group, &group->head, EVENT_LEAVE, &member->name, statement);
    membership_t record = member->record;
    record.left = true;
    record.until_sequence = group->head.sequence;
    hash_statement(record.leave_hash, statement);
    cache_set_membership(rules, group, &member->name, &record);
    save_standing(rules, &member->name, group->id, false);
    store_key_t cursor = key_of_group_name(KEY_CURSOR, group->id, &member->name);
    erase(rules, &cursor);
    end_or_await_rekey(rules, group, member, statement);
    cache_group_changed(rules, group);
}

status_t handle_leave(request_t *request)
{
    rules_t *rules = request->rules;
    const leave_request_t *asked = &request->message->body.leave_request;
    group_t *group;
    member_t *member;
    status_t status = cache_group(rules, asked->group, true, &group);
    if (status != STATUS_OK)
        return status;
    request->group = group;
    status = cache_member(rules, group, &request->user->name, &member);
    if (status != STATUS_OK)
        return group->head.ended ? STATUS_UNKNOWN_GROUP : status;
    leave_t leave;
    status = leave_parse(&leave, asked->statement);
    if (status != STATUS_OK)
        return status;
    uint8_t hash[HASH_BYTES];
    hash_statement(hash, asked->statement);
    if (member->record.left && sodium_memcmp(hash, member->record.leave_hash, HASH_BYTES) == 0) {
        request->reply.leave_reply.sequence = member->record.until_sequence;
        return STATUS_OK;
    }
    status = check_leave(group, member, &leave);
    if (status == STATUS_OK)
        status = take_membership_token(rules, &request->user->name);
    if (status != STATUS_OK)
        return status;
    carry_out_leave(request, group, member, asked->statement);
    request->reply.leave_reply.sequence = request->sequence = group->head.sequence;
    return STATUS_OK;
}
