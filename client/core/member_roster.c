/* SPDX-License-Identifier: MPL-2.0 */
/* Who is proven to hold a leaf, and events that wait until their sender is. */
#include "client/core/member.h"

#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

#define KNOWN_ROW_FORMAT   1
#define WAITING_ROW_FORMAT 1

static size_t lower_bound(const group_t *group, uint32_t leaf)
{
    size_t low = 0, high = group->known_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (group->known[middle].entry.leaf < leaf)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

known_member_t *group_known(group_t *group, uint32_t leaf)
{
    size_t at = lower_bound(group, leaf);
    return at < group->known_count && group->known[at].entry.leaf == leaf ? &group->known[at]
                                                                          : NULL;
}

void member_known_save(member_core_t *self, group_t *group, const known_member_t *known)
{
    row_key_t key = row_key_of_group(ROW_MEMBER, group->id);
    put_u32(key.bytes + key.size, known->entry.leaf);
    key.size += 4;
    buffer_t value = {0};
    known_row_write(known, &value);
    writes_put(&self->effects->writes, row_key_view(&key), buffer_view(&value));
    buffer_free(&value);
}

known_member_t *member_know(member_core_t *self, group_t *group, const roster_member_t *entry,
                            bool is_new)
{
    size_t at = lower_bound(group, entry->leaf);
    if (at == group->known_count || group->known[at].entry.leaf != entry->leaf) {
        if (group->known_count == group->known_capacity) {
            group->known_capacity = group->known_capacity ? 2 * group->known_capacity : 8;
            group->known = mem_realloc(group->known, group->known_capacity, sizeof *group->known);
        }
        memmove(&group->known[at + 1], &group->known[at],
                (group->known_count - at) * sizeof *group->known);
        group->known_count++;
        group->known[at] = (known_member_t){0};
    }
    group->known[at] = (known_member_t){.entry = *entry, .is_counted = is_new};
    member_known_save(self, group, &group->known[at]);
    if (member_pin_check(self, &entry->name, entry->identity_key))
        member_notice(self, group, group->cursor, self->now.wall_ms, NOTICE_KEY_CHANGED,
                      &entry->name,
                      "WARNING: %s now has another key than this device remembers; what comes "
                      "from it is not shown",
                      entry->name.text);
    return &group->known[at];
}

void member_unknow(member_core_t *self, group_t *group, uint32_t leaf)
{
    known_member_t *known = group_known(group, leaf);
    if (!known)
        return;
    size_t at = (size_t)(known - group->known);
    memmove(known, known + 1, (group->known_count - at - 1) * sizeof *known);
    group->known_count--;
    row_key_t key = row_key_of_group(ROW_MEMBER, group->id);
    put_u32(key.bytes + key.size, leaf);
    key.size += 4;
    writes_delete(&self->effects->writes, row_key_view(&key));
}

void known_row_write(const known_member_t *known, buffer_t *out)
{
    buffer_u8(out, KNOWN_ROW_FORMAT);
    buffer_u32(out, known->entry.leaf);
    name8_write(out, &known->entry.name);
    buffer_append(out, known->entry.identity_key, KEY_BYTES);
    buffer_u64(out, known->entry.epoch_added);
    buffer_u8(out, known->entry.role);
    buffer_u64(out, known->last_number);
    buffer_u8(out, known->is_counted);
    buffer_u8(out, known->has_left);
    buffer_u64(out, known->left_ms);
}

status_t known_row_read(known_member_t *known, bytes_t bytes)
{
    reader_t in = reader_of(bytes.data, bytes.size);
    uint8_t format = reader_u8(&in);
    if (reader_ok(&in) && format > KNOWN_ROW_FORMAT)
        return STATUS_NEWER_FORMAT;
    known->entry.leaf = reader_u32(&in);
    known->entry.name = name8_read(&in);
    reader_copy(&in, known->entry.identity_key, KEY_BYTES);
    known->entry.epoch_added = reader_u64(&in);
    known->entry.role = reader_u8(&in);
    known->last_number = reader_u64(&in);
    known->is_counted = reader_u8(&in);
    known->has_left = reader_u8(&in);
    known->left_ms = reader_u64(&in);
    return reader_done(&in) ? STATUS_OK : STATUS_DAMAGED_FILE;
}

uint64_t group_rekey_due_since(const group_t *group)
{
    uint64_t since = 0;
    for (size_t i = 0; i < group->known_count; i++) {
        const known_member_t *known = &group->known[i];
        if (known->has_left && (!since || known->left_ms < since))
            since = known->left_ms;
    }
    return since;
}

void waiting_wipe(waiting_t *waiting)
{
    buffer_wipe(&waiting->bytes);
    *waiting = (waiting_t){0};
}

void waiting_row_write(const waiting_t *waiting, buffer_t *out)
{
    buffer_u8(out, WAITING_ROW_FORMAT);
    buffer_u64(out, waiting->sequence);
    buffer_u8(out, waiting->sub);
    buffer_u32(out, waiting->leaf);
    buffer_u64(out, waiting->epoch);
    buffer_u64(out, waiting->kind);
    buffer_u64(out, waiting->time_ms);
    buffer_lp(out, waiting->bytes.data, waiting->bytes.size);
}

status_t waiting_row_read(waiting_t *waiting, bytes_t bytes)
{
    *waiting = (waiting_t){.is_released = true};
    reader_t in = reader_of(bytes.data, bytes.size);
    uint8_t format = reader_u8(&in);
    if (reader_ok(&in) && format > WAITING_ROW_FORMAT)
        return STATUS_NEWER_FORMAT;
    waiting->sequence = reader_u64(&in);
    waiting->sub = reader_u8(&in);
    waiting->leaf = reader_u32(&in);
    waiting->epoch = reader_u64(&in);
    waiting->kind = reader_u64(&in);
    waiting->time_ms = reader_u64(&in);
    uint32_t size = reader_u32(&in);
    const uint8_t *data = reader_take(&in, size);
    if (!reader_done(&in))
        return STATUS_DAMAGED_FILE;
    buffer_append(&waiting->bytes, data, size);
    return STATUS_OK;
}

/* Its placeholder stays for good. */
static void forget_oldest(member_core_t *self, group_t *group)
{
    row_key_t key = row_key_of_number(ROW_WAITING, group->id, group->waiting[0].sequence);
    writes_delete(&self->effects->writes, row_key_view(&key));
    waiting_wipe(&group->waiting[0]);
    group->waiting_count--;
    memmove(&group->waiting[0], &group->waiting[1], group->waiting_count * sizeof *group->waiting);
}

void member_wait(member_core_t *self, group_t *group, waiting_t *waiting)
{
    if (group->waiting_count == WAITING_MAX)
        forget_oldest(self, group);
    if (group->waiting_count == group->waiting_capacity) {
        group->waiting_capacity = group->waiting_capacity ? 2 * group->waiting_capacity : 8;
        group->waiting =
            mem_realloc(group->waiting, group->waiting_capacity, sizeof *group->waiting);
    }
    row_key_t key = row_key_of_number(ROW_WAITING, group->id, waiting->sequence);
    buffer_t value = {0};
    waiting_row_write(waiting, &value);
    writes_put(&self->effects->writes, row_key_view(&key), buffer_view(&value));
    buffer_wipe(&value);
    group->waiting[group->waiting_count++] = *waiting;
    *waiting = (waiting_t){0}; /* transferred */
}

/* The placeholder stays, with its reason. */
static void give_up(member_core_t *self, group_t *group, const waiting_t *waiting, status_t why)
{
    local_line_record_t line = {.kind = LINE_NOTICE,
                                .epoch = waiting->epoch,
                                .sequence = waiting->sequence,
                                .time_ms = waiting->time_ms};
    line.notice = text_of(NOTICE_UNDECRYPTABLE);
    line.reason = text_of(status_text(why));
    member_line(self, group, &line, &waiting->sub);
}

static void resolve_one(member_core_t *self, group_t *group, const waiting_t *waiting,
                        const roster_member_t *entry)
{
    bool was_member = entry->epoch_added <= waiting->epoch;
    known_member_t *known = group_known(group, entry->leaf);
    if (known && known->entry.epoch_added != entry->epoch_added)
        known = NULL;
    if (waiting->kind == EVENT_LEAVE) {
        leave_t leave;
        status_t status = leave_parse(&leave, buffer_view(&waiting->bytes));
        if (!status && entry->epoch_added && leave.epoch_added != entry->epoch_added)
            status = STATUS_BAD_LEAVE;
        if (!status)
            status = leave_verify(&leave, entry->identity_key);
        if (status)
            give_up(self, group, waiting, status);
        else
            member_accept_leave(self, group, known, &entry->name, waiting->sequence,
                                waiting->time_ms, &waiting->sub);
        return;
    }
    opened_message_t opened = {0};
    status_t status = opened_message_read(&opened, buffer_view(&waiting->bytes));
    if (!status && !was_member)
        status = STATUS_BAD_SIGNATURE;
    if (!status)
        status = opened_message_verify(&opened, entry->identity_key);
    if (!status && member_pin_check(self, &entry->name, entry->identity_key))
        status = STATUS_KEY_CHANGED;
    if (status)
        give_up(self, group, waiting, status);
    else
        member_accept_message(self, group, known, entry, &opened, waiting->sequence,
                              waiting->time_ms, &waiting->sub);
    opened_message_wipe(&opened);
}

void member_resolve(member_core_t *self, group_t *group, const roster_member_t *entry)
{
    size_t kept = 0;
    bool is_stranger = !group_known(group, entry->leaf); /* proven only by its removal */
    for (size_t i = 0; i < group->waiting_count; i++) {
        waiting_t *waiting = &group->waiting[i];
        if (waiting->leaf != entry->leaf) {
            group->waiting[kept++] = *waiting;
            continue;
        }
        if (!group_known(group, entry->leaf))
            member_know(self, group, entry, false); /* its messages are counted: a gap shows */
        resolve_one(self, group, waiting, entry);
        row_key_t key = row_key_of_number(ROW_WAITING, group->id, waiting->sequence);
        writes_delete(&self->effects->writes, row_key_view(&key));
        waiting_wipe(waiting);
    }
    group->waiting_count = kept;
    if (is_stranger)
        member_unknow(self, group, entry->leaf);
}

/* The first leaf that something waits for; after failures the others have their turn, so that one
 * that can't be proven doesn't hold them up. */
static uint32_t leaf_to_prove(const group_t *group)
{
    bool wants_commit = group->wanted_leaf != UINT32_MAX;
    if (!group->waiting_count || (wants_commit && group->prove_turn % 2 == 0))
        return group->wanted_leaf;
    size_t turn = wants_commit ? group->prove_turn / 2 : group->prove_turn;
    return group->waiting[turn % group->waiting_count].leaf;
}

void member_prove_work(member_core_t *self, group_t *group)
{
    if (!group_is_current(group) || group->is_proving || self->now.boot_ms < group->prove_at_ms)
        return;
    uint32_t leaf = leaf_to_prove(group);
    if (leaf == UINT32_MAX)
        return;
    roster_proof_request_t request = {.leaf = leaf};
    memcpy(request.group, group->id, GROUP_ID_BYTES);
    group->is_proving = true;
    session_call(&self->session, self->now, VERB_roster_proof, group->id, leaf, &request,
                 self->effects);
}

static status_t check_proof(group_t *group, uint64_t leaf, const roster_proof_reply_t *reply,
                            roster_member_t *out)
{
    if (reply->epoch != group_state_epoch(group->keys))
        return STATUS_EPOCH_AHEAD;
    if (reply->entries.count != 1 || reply->entries.items[0].leaf != leaf)
        return STATUS_BAD_PROOF;
    const roster_entry_record_t *entry = &reply->entries.items[0];
    *out = (roster_member_t){.leaf = (uint32_t)leaf,
                             .name = entry->name,
                             .epoch_added = entry->epoch_added,
                             .role = (uint8_t)entry->role};
    if (entry->role > UINT8_MAX || !name_size(&entry->name))
        return STATUS_BAD_PROOF;
    memcpy(out->identity_key, entry->identity_key, KEY_BYTES);
    uint8_t proof[TREE_DEPTH_MAX * HASH_BYTES];
    if (reply->proof.count > TREE_DEPTH_MAX)
        return STATUS_BAD_PROOF;
    for (size_t i = 0; i < reply->proof.count; i++)
        memcpy(proof + i * HASH_BYTES, reply->proof.items[i].hash, HASH_BYTES);
    return group_state_prove(group->keys, out, (bytes_t){proof, reply->proof.count * HASH_BYTES});
}

void member_proof_answered(member_core_t *self, const call_t *call, status_t status,
                           const message_t *reply)
{
    group_t *group = member_group(self, call->group);
    if (!group)
        return;
    group->is_proving = false;
    if (!group_is_current(group))
        return;
    roster_member_t entry;
    if (!status)
        status = check_proof(group, call->subject, &reply->body.roster_proof_reply, &entry);
    if (status) { /* wrong, or of another epoch: once more when more is known */
        group->prove_at_ms = self->now.boot_ms + self->config.poll_period_ms;
        group->prove_turn++;
        if (status == STATUS_EPOCH_AHEAD)
            member_polls_now(self);
        return;
    }
    group->keys_dirty = true;
    group->prove_turn = 0;
    if (group->wanted_leaf == entry.leaf) {
        group->wanted_leaf = UINT32_MAX;
        member_polls_now(self); /* the commit that waits is fetched again */
    }
    if (!group_known(group, entry.leaf))
        member_know(self, group, &entry, entry.epoch_added > group_state_epoch_added(group->keys));
    member_resolve(self, group, &entry);
}
