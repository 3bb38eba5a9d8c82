/* SPDX-License-Identifier: MPL-2.0 */
/* Records through the overlay, by their types. */
#include "broker/rules/storage.h"

#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

void pointers_add(pointers_t *self, void *item)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 16;
        self->items = mem_realloc(self->items, self->capacity, sizeof *self->items);
    }
    self->items[self->count++] = item;
}

void pointers_free(pointers_t *self)
{
    free(self->items);
    *self = (pointers_t){0};
}

void *rules_lend(rules_t *self, size_t size)
{
    void *memory = mem_zalloc(1, size);
    pointers_add(&self->lent, memory);
    return memory;
}

bytes_t rules_lend_copy(rules_t *self, bytes_t bytes)
{
    uint8_t *copy = mem_dup(bytes.data, bytes.size);
    pointers_add(&self->lent, copy);
    return (bytes_t){copy, bytes.size};
}

bytes_t record_value(const store_record_t *record)
{
    return (bytes_t){record->value, record->value_size};
}

static status_t load(rules_t *self, const store_key_t *key, bytes_t *value, uint64_t *version)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    status_t status = overlay_get(self->overlay, key->bytes, key->size, &bytes, &size, version);
    if (status == STATUS_OK)
        pointers_add(&self->lent, bytes);
    *value = (bytes_t){bytes, size};
    return status;
}

static status_t checked(bool whole)
{
    return whole ? STATUS_OK : STATUS_STORE_FAILED;
}

status_t load_account(rules_t *self, const name_t *name, account_t *out)
{
    store_key_t key = key_of_name(KEY_ACCOUNT, name);
    bytes_t value;
    status_t status = load(self, &key, &value, NULL);
    return status == STATUS_OK ? checked(account_read(out, value)) : status;
}

status_t load_invite(rules_t *self, const name_t *name, invite_t *out)
{
    store_key_t key = key_of_name(KEY_INVITE, name);
    bytes_t value;
    status_t status = load(self, &key, &value, NULL);
    return status == STATUS_OK ? checked(invite_read(out, value)) : status;
}

status_t load_group_id(rules_t *self, const name_t *name, uint8_t out[GROUP_ID_BYTES])
{
    store_key_t key = key_of_name(KEY_NAME, name);
    bytes_t value;
    status_t status = load(self, &key, &value, NULL);
    return status == STATUS_OK ? checked(bytes_record_read(out, GROUP_ID_BYTES, value)) : status;
}

status_t load_head(rules_t *self, const uint8_t *group, head_t *out, uint64_t *version)
{
    store_key_t key = key_of_group(KEY_HEAD, group);
    bytes_t value;
    status_t status = load(self, &key, &value, version);
    return status == STATUS_OK ? checked(head_read(out, value)) : status;
}

status_t load_membership(rules_t *self, const uint8_t *group, const name_t *name, membership_t *out)
{
    store_key_t key = key_of_group_name(KEY_MEMBER, group, name);
    bytes_t value;
    status_t status = load(self, &key, &value, NULL);
    return status == STATUS_OK ? checked(membership_read(out, value)) : status;
}

status_t load_commit(rules_t *self, const uint8_t *group, uint64_t epoch, commit_record_t *out)
{
    store_key_t key = key_of_group(KEY_COMMIT, group);
    key_u64(&key, epoch);
    bytes_t value;
    status_t status = load(self, &key, &value, NULL);
    return status == STATUS_OK ? checked(commit_record_read(out, value)) : status;
}

status_t load_event(rules_t *self, const uint8_t *group, uint64_t sequence, event_t *out)
{
    store_key_t key = key_of_group(KEY_EVENT, group);
    key_u64(&key, sequence);
    bytes_t value;
    status_t status = load(self, &key, &value, NULL);
    return status == STATUS_OK ? checked(event_read(out, value)) : status;
}

status_t load_leaf(rules_t *self, const uint8_t *group, uint32_t leaf, leaf_record_t *out)
{
    store_key_t key = key_of_group(KEY_LEAF, group);
    key_u32(&key, leaf);
    bytes_t value;
    status_t status = load(self, &key, &value, NULL);
    return status == STATUS_OK ? checked(leaf_record_read(out, value)) : status;
}

status_t load_join(rules_t *self, const uint8_t *group, const name_t *name, join_record_t *out)
{
    store_key_t key = key_of_group_name(KEY_JOIN, group, name);
    bytes_t value;
    status_t status = load(self, &key, &value, NULL);
    return status == STATUS_OK ? checked(join_record_read(out, value)) : status;
}

status_t load_presence(rules_t *self, const store_key_t *key, bool *present)
{
    status_t status = overlay_get(self->overlay, key->bytes, key->size, NULL, NULL, NULL);
    *present = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

void put_scratch(rules_t *self, const store_key_t *key)
{
    if (overlay_put(self->overlay, key->bytes, key->size, self->scratch.data, self->scratch.size) !=
        STATUS_OK)
        self->turn_failed = true;
    buffer_clear(&self->scratch);
}

/* The same for a key that is known to be absent. */
static void put_new_scratch(rules_t *self, const store_key_t *key)
{
    overlay_put_new(self->overlay, key->bytes, key->size, self->scratch.data, self->scratch.size);
    buffer_clear(&self->scratch);
}

void save_account(rules_t *self, const name_t *name, const account_t *account)
{
    store_key_t key = key_of_name(KEY_ACCOUNT, name);
    account_write(account, &self->scratch);
    put_scratch(self, &key);
}

void save_group_id(rules_t *self, const name_t *name, const uint8_t *group)
{
    store_key_t key = key_of_name(KEY_NAME, name);
    bytes_record_write((bytes_t){group, GROUP_ID_BYTES}, &self->scratch);
    put_new_scratch(self, &key);
}

void save_membership(rules_t *self, const uint8_t *group, const name_t *name,
                     const membership_t *membership)
{
    store_key_t key = key_of_group_name(KEY_MEMBER, group, name);
    membership_write(membership, &self->scratch);
    put_scratch(self, &key);
}

void save_commit(rules_t *self, const uint8_t *group, uint64_t epoch, const commit_record_t *commit)
{
    store_key_t key = key_of_group(KEY_COMMIT, group);
    key_u64(&key, epoch);
    commit_record_write(commit, &self->scratch);
    put_new_scratch(self, &key);
}

void save_event(rules_t *self, const uint8_t *group, uint64_t sequence, const event_t *event)
{
    store_key_t key = key_of_group(KEY_EVENT, group);
    key_u64(&key, sequence);
    event_write(event, &self->scratch);
    put_new_scratch(self, &key);
}

void save_leaf(rules_t *self, const uint8_t *group, uint32_t leaf, const leaf_record_t *record)
{
    store_key_t key = key_of_group(KEY_LEAF, group);
    key_u32(&key, leaf);
    leaf_record_write(record, &self->scratch);
    put_scratch(self, &key);
}

void save_sent(rules_t *self, const uint8_t *group, const name_t *name, size_t slot,
               const sent_t *sent, uint64_t version)
{
    store_key_t key = key_of_group_name(KEY_SENT, group, name);
    key_u8(&key, (uint8_t)slot);
    sent_write(sent, &self->scratch);
    overlay_put_known(self->overlay, key.bytes, key.size, self->scratch.data, self->scratch.size,
                      version);
    buffer_clear(&self->scratch);
}

void save_cursor(rules_t *self, const uint8_t *group, const name_t *name, uint64_t cursor)
{
    store_key_t key = key_of_group_name(KEY_CURSOR, group, name);
    number_record_write(cursor, &self->scratch);
    put_scratch(self, &key);
}

void save_join(rules_t *self, const uint8_t *group, const name_t *name, const join_record_t *join)
{
    store_key_t key = key_of_group_name(KEY_JOIN, group, name);
    join_record_write(join, &self->scratch);
    put_scratch(self, &key);
}

void save_leave(rules_t *self, const uint8_t *group, uint32_t leaf, const leave_record_t *leave)
{
    store_key_t key = key_of_group(KEY_LEAVE, group);
    key_u32(&key, leaf);
    leave_record_write(leave, &self->scratch);
    put_new_scratch(self, &key);
}

void save_welcome(rules_t *self, const name_t *recipient, const uint8_t *group, uint64_t sequence,
                  const waiting_welcome_t *welcome)
{
    store_key_t key = key_of_name_group(KEY_WELCOME, recipient, group);
    key_u64(&key, sequence);
    waiting_welcome_write(welcome, &self->scratch);
    put_new_scratch(self, &key);
}

void save_empty(rules_t *self, const store_key_t *key)
{
    bytes_record_write((bytes_t){NULL, 0}, &self->scratch);
    put_scratch(self, key);
}

void erase(rules_t *self, const store_key_t *key)
{
    overlay_delete(self->overlay, key->bytes, key->size);
}

typedef struct {
    store_key_t *keys;
    size_t count;
    size_t capacity;
} keys_t;

static bool collect_key(void *context, const store_record_t *record)
{
    keys_t *keys = context;
    if (keys->count == keys->capacity) {
        keys->capacity = keys->capacity ? keys->capacity * 2 : 4;
        keys->keys = mem_realloc(keys->keys, keys->capacity, sizeof *keys->keys);
    }
    keys->keys[keys->count++] = key_of_record(record);
    return true;
}

status_t erase_prefix(rules_t *self, const store_key_t *prefix)
{
    keys_t found = {0};
    status_t status = visit_prefix(self, prefix, NULL, 0, collect_key, &found);
    for (size_t i = 0; i < found.count && status == STATUS_OK; i++)
        erase(self, &found.keys[i]);
    free(found.keys);
    return status;
}

void save_standing(rules_t *self, const name_t *user, const uint8_t *group, bool is_current)
{
    store_key_t current = key_of_name_group(KEY_MEMBERSHIP, user, group);
    store_key_t former = key_of_name_group(KEY_FORMER, user, group);
    save_empty(self, is_current ? &current : &former);
    erase(self, is_current ? &former : &current);
}

status_t visit_prefix(rules_t *self, const store_key_t *prefix, const store_key_t *from,
                      size_t limit, store_visit_t *visit, void *context)
{
    uint8_t end[sizeof prefix->bytes];
    size_t end_size = store_prefix_end(prefix->bytes, prefix->size, end);
    const store_key_t *start = from ? from : prefix;
    store_range_t range = {.from = start->bytes,
                           .from_size = start->size,
                           .to = end_size ? end : NULL,
                           .to_size = end_size,
                           .limit = limit};
    return overlay_range(self->overlay, &range, visit, context);
}

static bool collect_group_id(void *context, const store_record_t *record)
{
    group_ids_t *out = context;
    out->ids = mem_realloc(out->ids, out->count + 1, GROUP_ID_BYTES);
    memcpy(out->ids[out->count++], record->key + record->key_size - GROUP_ID_BYTES, GROUP_ID_BYTES);
    return true;
}

status_t load_groups_of(rules_t *self, int kind, const name_t *user, size_t limit, group_ids_t *out)
{
    store_key_t prefix = key_of_name(kind, user);
    *out = (group_ids_t){0};
    status_t status = visit_prefix(self, &prefix, NULL, limit, collect_group_id, out);
    if (out->ids)
        pointers_add(&self->lent, out->ids);
    return status;
}
