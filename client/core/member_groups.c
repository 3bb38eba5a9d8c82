/* SPDX-License-Identifier: MPL-2.0 */
/* The member's groups, and what is kept of each beside its keys. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/member.h"
#include "proto/memory.h"

#define GROUP_ROW_FORMAT 3 /* 1 had none of what was said already, 2 no incarnations */

group_t *member_group(member_core_t *self, const uint8_t id[static GROUP_ID_BYTES])
{
    for (size_t i = 0; i < self->group_count; i++)
        if (!memcmp(self->groups[i]->id, id, GROUP_ID_BYTES))
            return self->groups[i];
    return NULL;
}

static bool is_over(const group_t *group)
{
    return group->phase == GROUP_LEFT || group->phase == GROUP_LOST;
}

group_t *member_group_named(member_core_t *self, const name_t *name)
{
    group_t *best = NULL;
    for (size_t i = 0; i < self->group_count; i++) {
        group_t *group = self->groups[i];
        if (name_equal(&group->name, name) && (!best || !is_over(group)))
            best = group;
    }
    return best;
}

group_t *member_group_add(member_core_t *self, const uint8_t id[static GROUP_ID_BYTES],
                          const name_t *name)
{
    if (self->group_count == self->group_capacity) {
        self->group_capacity = self->group_capacity ? 2 * self->group_capacity : 8;
        self->groups = mem_realloc(self->groups, self->group_capacity, sizeof *self->groups);
    }
    group_t *group = mem_zalloc(1, sizeof *group);
    memcpy(group->id, id, GROUP_ID_BYTES);
    group->name = *name;
    group->wanted_leaf = UINT32_MAX;
    group->next_number = 1;
    group->hold_ms = HOLD_DEFAULT_MS;
    memcpy(group->incarnation, self->session.incarnation, INCARNATION_BYTES);
    group->is_dirty = true;
    self->groups[self->group_count++] = group;
    return group;
}

static void free_roster(group_t *group)
{
    for (size_t i = 0; i < group->waiting_count; i++)
        waiting_wipe(&group->waiting[i]);
    roster_pages_destroy(&group->pages);
    free(group->waiting);
    free(group->known);
    group->waiting = NULL;
    group->known = NULL;
    group->waiting_count = group->waiting_capacity = 0;
    group->known_count = group->known_capacity = 0;
}

void group_destroy(group_t *group)
{
    group_state_destroy(&group->keys);
    for (size_t i = 0; i < group->try_count; i++)
        join_try_wipe(&group->tries[i]);
    free(group->tries);
    buffer_wipe(&group->welcome);
    buffer_free(&group->leave_statement);
    free_roster(group);
    for (size_t i = 0; i < group->outbox_count; i++)
        outbox_entry_wipe(&group->outbox[i]);
    free(group->outbox);
    for (size_t i = 0; i < group->queue_count; i++)
        queued_line_wipe(&group->queue[i]);
    free(group->queue);
    sodium_memzero(group, sizeof *group);
    free(group);
}

static void delete_rows(member_core_t *self, row_kind_t kind, const group_t *group)
{
    row_key_t prefix = row_key_of_group(kind, group->id);
    writes_delete_prefix(&self->effects->writes, row_key_view(&prefix));
    self->effects->writes.erases_keys = true;
}

void member_group_drop(member_core_t *self, group_t *group)
{
    static const row_kind_t kinds[] = {ROW_GROUP,  ROW_KEYS,    ROW_LINE, ROW_UNSHOWN,
                                       ROW_MEMBER, ROW_WAITING, ROW_JOIN, ROW_OUTBOX};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        delete_rows(self, kinds[i], group);
    for (size_t i = 0; i < self->group_count; i++)
        if (self->groups[i] == group)
            self->groups[i] = self->groups[--self->group_count];
    group_destroy(group);
}

void member_mail_forget(member_core_t *self, const group_t *group)
{
    mail_t mail = {.kind = MAIL_FORGET, .name = group->name};
    memcpy(mail.group, group->id, GROUP_ID_BYTES);
    mail_send(&mail, self->effects);
}

void member_group_end(member_core_t *self, group_t *group, group_phase_t phase, status_t why)
{
    buffer_clear(&group->leave_statement);
    if (phase == GROUP_LOST && group->keys) /* the way out: leave and join again */
        identity_make_leave(self->identity, group->id, group_state_leaf(group->keys).value,
                            group_state_epoch_added(group->keys), &group->leave_statement);
    group->phase = phase;
    group->left_at = group->cursor;
    group->has_roster = group->roster_failed = false;
    group_state_destroy(&group->keys);
    group->keys_dirty = group->is_new_keys = false;
    member_outbox_end(self, group, why);
    for (size_t i = 0; i < group->waiting_count; i++)
        group->waiting[i].is_released = true;
    member_lines_release(self);
    free_roster(group);
    member_tries_erase(self, group);
    buffer_wipe(&group->welcome);
    group->leave_called = false;
    group->wanted_leaf = UINT32_MAX;
    delete_rows(self, ROW_KEYS, group);
    delete_rows(self, ROW_MEMBER, group);
    delete_rows(self, ROW_WAITING, group);
    group->is_dirty = true;
    if (phase == GROUP_LEFT) /* else its tree may still be of use */
        member_mail_forget(self, group);
}

bool group_is_current(const group_t *group)
{
    return group->keys && (group->phase == GROUP_ACTIVE || group->phase == GROUP_LEAVING);
}

bool group_is_polled(const group_t *group)
{
    return group_is_current(group) || group->phase == GROUP_WELCOMED;
}

bool group_is_admin(const member_core_t *self, const group_t *group)
{
    (void)self;
    return group_is_current(group) &&
           group_state_find_admin(group->keys, group_state_leaf(group->keys)) != NULL;
}

void group_row_write(const group_t *group, buffer_t *out)
{
    buffer_u8(out, GROUP_ROW_FORMAT);
    name8_write(out, &group->name);
    buffer_u8(out, (uint8_t)group->phase);
    buffer_u8(out, group->is_creating);
    buffer_u8(out, group->is_out_of_step);
    buffer_u8(out, group->has_roster);
    buffer_u64(out, group->cursor);
    buffer_u64(out, group->left_at);
    buffer_u64(out, group->next_number);
    buffer_u8(out, group->next_sub);
    buffer_u64(out, group->sub_sequence);
    buffer_u64(out, group->hold_ms);
    buffer_u64(out, group->next_try);
    buffer_u64(out, group->next_outbox);
    buffer_u64(out, group->welcome_sequence);
    buffer_u64(out, group->bad_welcome_sequence);
    buffer_u64(out, group->done_sequence);
    buffer_lp(out, group->admitted_by.text, name_size(&group->admitted_by));
    buffer_lp(out, group->welcome.data, group->welcome.size);
    buffer_lp(out, group->leave_statement.data, group->leave_statement.size);
    buffer_u64(out, group->stuck_sequence);
    buffer_u64(out, group->held_epoch);
    buffer_u64(out, (uint64_t)group->alarm);
    buffer_u64(out, (uint64_t)group->admin_alarm);
    buffer_append(out, group->incarnation, INCARNATION_BYTES);
    buffer_append(out, group->stopped_for, INCARNATION_BYTES);
    buffer_u64(out, group->shift);
}

static void read_lp(reader_t *in, buffer_t *out)
{
    uint32_t size = reader_u32(in);
    const uint8_t *bytes = reader_take(in, size);
    if (bytes)
        buffer_append(out, bytes, size);
}

status_t group_row_read(group_t *group, bytes_t bytes)
{
    reader_t in = reader_of(bytes.data, bytes.size);
    uint8_t format = reader_u8(&in);
    if (reader_ok(&in) && format > GROUP_ROW_FORMAT)
        return STATUS_NEWER_FORMAT;
    group->name = name8_read(&in);
    group->phase = (group_phase_t)reader_u8(&in);
    group->is_creating = reader_u8(&in);
    group->is_out_of_step = reader_u8(&in);
    group->has_roster = reader_u8(&in);
    group->cursor = reader_u64(&in);
    group->left_at = reader_u64(&in);
    group->next_number = reader_u64(&in);
    group->next_sub = reader_u8(&in);
    group->sub_sequence = reader_u64(&in);
    group->hold_ms = reader_u64(&in);
    group->next_try = reader_u64(&in);
    group->next_outbox = reader_u64(&in);
    group->welcome_sequence = reader_u64(&in);
    group->bad_welcome_sequence = reader_u64(&in);
    group->done_sequence = reader_u64(&in);
    buffer_t admitted = {0};
    read_lp(&in, &admitted);
    status_t status = STATUS_OK;
    if (admitted.size)
        status = name_set(&group->admitted_by, (const char *)admitted.data, admitted.size);
    buffer_free(&admitted);
    read_lp(&in, &group->welcome);
    read_lp(&in, &group->leave_statement);
    if (format > 1) {
        group->stuck_sequence = reader_u64(&in);
        group->held_epoch = reader_u64(&in);
        group->alarm = (status_t)reader_u64(&in);
        group->admin_alarm = (status_t)reader_u64(&in);
    }
    memset(group->incarnation, 0, INCARNATION_BYTES);
    if (format > 2) {
        reader_copy(&in, group->incarnation, INCARNATION_BYTES);
        reader_copy(&in, group->stopped_for, INCARNATION_BYTES);
        group->shift = reader_u64(&in);
    }
    bool known = group->phase > GROUP_NONE && group->phase <= GROUP_LOST;
    return !status && reader_done(&in) && known ? STATUS_OK : STATUS_DAMAGED_FILE;
}

static void save_group(member_core_t *self, group_t *group)
{
    writes_t *writes = &self->effects->writes;
    if (group->keys && group->keys_dirty) {
        if (group->is_new_keys)
            delete_rows(self, ROW_KEYS, group);
        rows_target_t target = {writes, ROW_KEYS, group->id};
        group_state_save(group->keys, vault_put_key_row, &target);
    }
    group->keys_dirty = group->is_new_keys = false;
    if (!group->is_dirty)
        return;
    row_key_t key = row_key_of_group(ROW_GROUP, group->id);
    buffer_t value = {0};
    group_row_write(group, &value);
    writes_put(writes, row_key_view(&key), buffer_view(&value));
    buffer_wipe(&value);
    group->is_dirty = false;
}

void member_groups_save(member_core_t *self)
{
    for (size_t i = 0; i < self->group_count; i++)
        save_group(self, self->groups[i]);
}
