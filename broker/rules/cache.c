/* SPDX-License-Identifier: MPL-2.0 */
/* Groups, members and online users in memory. */
#include "broker/rules/cache.h"

#include "broker/rules/hold.h"
#include "broker/rules/storage.h"
#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

static size_t member_key(uint8_t out[GROUP_NAME_KEY_BYTES], const uint8_t *group,
                         const name_t *name)
{
    size_t size = name_size(name);
    memcpy(out, group, GROUP_ID_BYTES);
    memcpy(out + GROUP_ID_BYTES, name->text, size);
    return GROUP_ID_BYTES + size;
}

group_t *cache_add_group(rules_t *self, const uint8_t *id, const head_t *head)
{
    group_t *group = mem_zalloc(1, sizeof *group);
    memcpy(group->id, id, GROUP_ID_BYTES);
    group->head = *head;
    hold_begin(self, group);
    table_add(self->groups, id, GROUP_ID_BYTES, group);
    return group;
}

status_t cache_group(rules_t *self, const uint8_t *id, bool ended_too, group_t **out)
{
    *out = table_find(self->groups, id, GROUP_ID_BYTES);
    if (!*out) {
        head_t head;
        uint64_t version;
        status_t status = load_head(self, id, &head, &version);
        if (status != STATUS_OK)
            return status == STATUS_NOT_FOUND ? STATUS_UNKNOWN_GROUP : status;
        *out = cache_add_group(self, id, &head);
        (*out)->version = version;
    }
    if ((*out)->swept)
        return STATUS_UNKNOWN_GROUP;
    return (*out)->head.ended && !ended_too ? STATUS_UNKNOWN_GROUP : STATUS_OK;
}

void cache_group_changed(rules_t *self, group_t *group)
{
    if (!group->dirty)
        pointers_add(&self->dirty_groups, group);
    group->dirty = true;
}

bool member_is_current(const member_t *self)
{
    return self->record.until_sequence == 0;
}

member_t *cache_find_member(rules_t *self, const group_t *group, const name_t *name)
{
    uint8_t key[GROUP_NAME_KEY_BYTES];
    return table_find(self->members, key, member_key(key, group->id, name));
}

static member_t *add_member(rules_t *self, group_t *group, const name_t *name,
                            const membership_t *record)
{
    member_t *member = mem_zalloc(1, sizeof *member);
    member->group = group;
    member->name = *name;
    member->record = *record;
    group->copies++;
    uint8_t key[GROUP_NAME_KEY_BYTES];
    table_add(self->members, key, member_key(key, group->id, name), member);
    return member;
}

status_t cache_member(rules_t *self, group_t *group, const name_t *name, member_t **out)
{
    *out = cache_find_member(self, group, name);
    if (*out)
        return STATUS_OK;
    membership_t record;
    status_t status = load_membership(self, group->id, name, &record);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_NOT_MEMBER : status;
    *out = add_member(self, group, name, &record);
    return STATUS_OK;
}

static void set_online(member_t *member, user_t *user)
{
    if (member->user)
        return;
    group_t *group = member->group;
    if (group->online_count == group->online_capacity) {
        group->online_capacity = group->online_capacity ? group->online_capacity * 2 : 4;
        group->online = mem_realloc(group->online, group->online_capacity, sizeof *group->online);
    }
    member->online_index = group->online_count;
    group->online[group->online_count++] = member;
    if (user->member_count == user->member_capacity) {
        user->member_capacity = user->member_capacity ? user->member_capacity * 2 : 4;
        user->members = mem_realloc(user->members, user->member_capacity, sizeof *user->members);
    }
    user->members[user->member_count++] = member;
    member->user = user;
    member->listening = false;
    member->cursor_known = false;
}

/* Out of the group's list; the user's list is the caller's affair. */
static void leave_online_list(member_t *member)
{
    group_t *group = member->group;
    member_t *last = group->online[--group->online_count];
    group->online[member->online_index] = last;
    last->online_index = member->online_index;
    member->user = NULL;
    member->listening = false;
}

void cache_member_ended(member_t *member)
{
    user_t *user = member->user;
    if (!user)
        return;
    for (size_t i = 0; i < user->member_count; i++)
        if (user->members[i] == member) {
            user->members[i] = user->members[--user->member_count];
            break;
        }
    leave_online_list(member);
}

void cache_set_membership(rules_t *self, group_t *group, const name_t *name,
                          const membership_t *record)
{
    save_membership(self, group->id, name, record);
    member_t *member = cache_find_member(self, group, name);
    user_t *user = cache_find_user(self, name);
    if (!member && (!user || !user->loaded))
        return; /* read when it is needed */
    if (!member)
        member = add_member(self, group, name, record);
    bool anew = member->record.joined_sequence != record->joined_sequence;
    member->record = *record;
    if (anew)
        member->listening = member->cursor_known = false;
    if (member_is_current(member) && user && user->loaded)
        set_online(member, user);
}

user_t *cache_find_user(rules_t *self, const name_t *name)
{
    return table_find(self->users, name->text, name_size(name));
}

user_t *cache_user(rules_t *self, const name_t *name)
{
    user_t *user = cache_find_user(self, name);
    if (user)
        return user;
    user = mem_zalloc(1, sizeof *user);
    user->name = *name;
    table_add(self->users, name->text, name_size(name), user);
    return user;
}

static status_t load_one(rules_t *self, user_t *user, const uint8_t *id)
{
    group_t *group;
    member_t *member;
    status_t status = cache_group(self, id, true, &group);
    if (status == STATUS_OK)
        status = cache_member(self, group, &user->name, &member);
    if (status == STATUS_UNKNOWN_GROUP || status == STATUS_NOT_MEMBER)
        return STATUS_OK;
    if (status == STATUS_OK && member_is_current(member) && !group->head.ended)
        set_online(member, user);
    return status;
}

status_t cache_load_user(rules_t *self, user_t *user)
{
    if (user->loaded)
        return STATUS_OK;
    group_ids_t groups;
    status_t status = load_groups_of(self, KEY_MEMBERSHIP, &user->name, 0, &groups);
    for (size_t i = 0; i < groups.count && status == STATUS_OK; i++)
        status = load_one(self, user, groups.ids[i]);
    user->loaded = status == STATUS_OK;
    return status;
}

void cache_drop_user(rules_t *self, user_t *user)
{
    for (size_t i = 0; i < user->member_count; i++)
        leave_online_list(user->members[i]);
    table_remove(self->users, user->name.text, name_size(&user->name));
    free(user->members);
    free(user);
}

static void free_member(rules_t *self, member_t *member)
{
    uint8_t key[GROUP_NAME_KEY_BYTES];
    table_remove(self->members, key, member_key(key, member->group->id, &member->name));
    member->group->copies--;
    free(member->ring);
    free(member->ring_versions);
    free(member);
}

static void free_group(rules_t *self, group_t *group)
{
    table_remove(self->groups, group->id, GROUP_ID_BYTES);
    free(group->online);
    free(group->chunks);
    buffer_free(&group->events);
    free(group);
}

/* Members whose user is online, or whose cursor is still to be stored, are kept; so a few are
 * looked at and passed over. */
enum { PASSED_OVER_MAX = 64 };

void cache_trim(rules_t *self)
{
    unsigned passed = 0;
    while (table_count(self->members) > self->config.cached_members_max &&
           passed < PASSED_OVER_MAX) {
        member_t *member = table_oldest(self->members);
        if (member->user || member->cursor_dirty) {
            table_renew_oldest(self->members);
            passed++;
        } else {
            free_member(self, member);
        }
    }
    passed = 0;
    while (table_count(self->groups) > self->config.cached_groups_max && passed < PASSED_OVER_MAX) {
        group_t *group = table_oldest(self->groups);
        if (group->copies || group->dirty) {
            table_renew_oldest(self->groups);
            passed++;
        } else {
            free_group(self, group);
        }
    }
}

void cache_reset(rules_t *self)
{
    void *cursor = NULL;
    for (user_t *user; (user = table_next(self->users, &cursor));) {
        user->loaded = false;
        user->no_keys_wait = false;
        user->member_count = 0;
    }
    while (table_count(self->members) > 0)
        free_member(self, table_oldest(self->members));
    while (table_count(self->groups) > 0)
        free_group(self, table_oldest(self->groups));
    self->dirty_groups.count = 0;
    self->appended_groups.count = 0;
    self->dirty_cursors.count = 0;
}
