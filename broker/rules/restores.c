/* SPDX-License-Identifier: MPL-2.0 */
/* Restores: noted when they are made, told to who asks. */
#include "broker/rules/restores.h"

#include "broker/rules/cache.h"
#include "broker/rules/handlers.h"
#include "broker/rules/storage.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* --- Making one ------------------------------------------------------------------------------- */

typedef struct {
    store_unit_t unit;
    buffer_t value;
    uint32_t number;
    bool is_damaged;
} stamp_t;

static void put(stamp_t *self, const store_key_t *key)
{
    store_unit_put(&self->unit, key->bytes, key->size, self->value.data, self->value.size);
    buffer_clear(&self->value);
}

static bool find_last(void *context, const store_record_t *record)
{
    stamp_t *self = context;
    self->is_damaged = record->key_size != 1 + 4;
    self->number = self->is_damaged ? 0 : get_u32(record->key + 1);
    return false;
}

static bool note_end(void *context, const store_record_t *record)
{
    stamp_t *self = context;
    head_t head;
    self->is_damaged =
        record->key_size != 1 + GROUP_ID_BYTES || !head_read(&head, record_value(record));
    if (self->is_damaged)
        return false;
    store_key_t key = key_of_group(KEY_RESTORED, record->key + 1);
    key_u32(&key, self->number);
    log_end_write(&(log_end_t){.sequence = head.sequence, .epoch = head.epoch}, &self->value);
    put(self, &key);
    return true;
}

static status_t visit_kind(store_t *store, char kind, bool reverse, store_visit_t *visit,
                           stamp_t *self)
{
    const store_key_t prefix = key_of_kind(kind);
    status_t status = visit_stored(store, &prefix, reverse, visit, self);
    return self->is_damaged ? STATUS_STORE_FAILED : status;
}

static status_t replace_incarnation(stamp_t *self, store_t *store, uint64_t now_ms)
{
    store_key_t key = key_of_kind(KEY_STORE), note = key_of_kind(KEY_RESTORE);
    store_info_t info;
    uint8_t *value;
    size_t size;
    status_t status = store_get(store, key.bytes, key.size, &value, &size, NULL);
    if (status == STATUS_OK && !store_info_read(&info, (bytes_t){value, size}))
        status = STATUS_STORE_FAILED;
    free(value);
    if (status != STATUS_OK)
        return status;
    restore_t restore = {.time_ms = now_ms};
    memcpy(restore.incarnation, info.incarnation, INCARNATION_BYTES);
    key_u32(&note, self->number);
    restore_write(&restore, &self->value);
    put(self, &note);
    randombytes_buf(info.incarnation, INCARNATION_BYTES);
    store_info_write(&info, &self->value);
    put(self, &key);
    return STATUS_OK;
}

status_t restore_stamp(store_t *store, uint64_t now_ms)
{
    stamp_t self = {.number = 0};
    status_t outcome = STATUS_OK;
    store_unit_init(&self.unit);
    status_t status = visit_kind(store, KEY_RESTORE, true, find_last, &self);
    self.number++;
    if (status == STATUS_OK)
        status = replace_incarnation(&self, store, now_ms);
    if (status == STATUS_OK)
        status = visit_kind(store, KEY_HEAD, false, note_end, &self);
    if (status == STATUS_OK)
        status = store_write(store, &self.unit, 1, &outcome);
    store_unit_wipe(&self.unit);
    buffer_free(&self.value);
    return status == STATUS_OK ? outcome : status;
}

/* --- Telling of one --------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *incarnation; /* asked for */
    uint32_t first;             /* the restore that replaced it; 0: none did */
    uint64_t time_ms;           /* of the last restore */
    log_end_t earliest;         /* where the log ended in a restore since */
    bool is_damaged;
} lineage_t;

static bool take_restore(void *context, const store_record_t *record)
{
    lineage_t *self = context;
    restore_t restore;
    self->is_damaged = !restore_read(&restore, record_value(record));
    self->time_ms = restore.time_ms;
    if (self->first == 0 && memcmp(restore.incarnation, self->incarnation, INCARNATION_BYTES) == 0)
        self->first = get_u32(record->key + record->key_size - 4);
    return !self->is_damaged;
}

static bool take_end(void *context, const store_record_t *record)
{
    lineage_t *self = context;
    log_end_t end;
    self->is_damaged = !log_end_read(&end, record_value(record));
    if (end.sequence < self->earliest.sequence)
        self->earliest = end;
    return !self->is_damaged;
}

static status_t follow(rules_t *rules, const store_key_t *prefix, const store_key_t *from,
                       store_visit_t *visit, lineage_t *self)
{
    status_t status = visit_prefix(rules, prefix, from, 0, visit, self);
    return self->is_damaged ? STATUS_STORE_FAILED : status;
}

status_t handle_restored(request_t *request)
{
    rules_t *rules = request->rules;
    const restored_request_t *asked = &request->message->body.restored_request;
    group_t *group;
    member_t *member;
    lineage_t lineage = {.incarnation = asked->incarnation};
    store_key_t restores = key_of_kind(KEY_RESTORE);
    status_t status = cache_group(rules, asked->group, true, &group);
    if (status == STATUS_OK)
        status = cache_member(rules, group, &request->user->name, &member);
    if (status == STATUS_OK)
        status = follow(rules, &restores, NULL, take_restore, &lineage);
    if (status == STATUS_OK && lineage.first == 0)
        status = STATUS_NOT_FOUND;
    if (status != STATUS_OK)
        return status;
    request->group = group;
    lineage.earliest = (log_end_t){.sequence = group->head.sequence, .epoch = group->head.epoch};
    store_key_t ends = key_of_group(KEY_RESTORED, group->id), from = ends;
    key_u32(&from, lineage.first);
    status = follow(rules, &ends, &from, take_end, &lineage);
    if (status != STATUS_OK)
        return status;
    restored_reply_t *reply = &request->reply.restored_reply;
    reply->sequence = lineage.earliest.sequence;
    reply->epoch = lineage.earliest.epoch;
    reply->time_ms = lineage.time_ms;
    return STATUS_OK;
}
