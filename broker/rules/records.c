/* SPDX-License-Identifier: MPL-2.0 */
/* Keys and records of the broker's store. */
#include "broker/rules/records.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static void key_bytes(store_key_t *self, const void *bytes, size_t size)
{
    assert(self->size + size <= sizeof self->bytes);
    memcpy(self->bytes + self->size, bytes, size);
    self->size += size;
}

store_key_t key_of_record(const store_record_t *record)
{
    store_key_t self = {.size = 0};
    bool fits = record->key_size <= sizeof self.bytes;
    key_bytes(&self, record->key, fits ? record->key_size : sizeof self.bytes);
    return self;
}

status_t visit_stored(store_t *store, const store_key_t *prefix, bool reverse, store_visit_t *visit,
                      void *context)
{
    uint8_t end[sizeof prefix->bytes];
    store_range_t range = {.from = prefix->bytes,
                           .from_size = prefix->size,
                           .to = end,
                           .to_size = store_prefix_end(prefix->bytes, prefix->size, end),
                           .reverse = reverse};
    return store_range(store, &range, visit, context);
}

void key_u8(store_key_t *self, uint8_t value)
{
    key_bytes(self, &value, 1);
}

void key_u32(store_key_t *self, uint32_t value)
{
    uint8_t bytes[4];
    put_u32(bytes, value);
    key_bytes(self, bytes, sizeof bytes);
}

void key_u64(store_key_t *self, uint64_t value)
{
    uint8_t bytes[8];
    put_u64(bytes, value);
    key_bytes(self, bytes, sizeof bytes);
}

static void key_name(store_key_t *self, const name_t *name)
{
    size_t size = name_size(name);
    key_u8(self, (uint8_t)size);
    key_bytes(self, name->text, size);
}

store_key_t key_of_kind(int kind)
{
    store_key_t self;
    self.bytes[0] = (uint8_t)kind;
    self.size = 1;
    return self;
}

store_key_t key_of_group(int kind, const uint8_t group[static GROUP_ID_BYTES])
{
    store_key_t self = key_of_kind(kind);
    key_bytes(&self, group, GROUP_ID_BYTES);
    return self;
}

store_key_t key_of_name(int kind, const name_t *name)
{
    store_key_t self = key_of_kind(kind);
    key_name(&self, name);
    return self;
}

store_key_t key_of_group_name(int kind, const uint8_t group[static GROUP_ID_BYTES],
                              const name_t *name)
{
    store_key_t self = key_of_group(kind, group);
    key_name(&self, name);
    return self;
}

store_key_t key_of_name_group(int kind, const name_t *name,
                              const uint8_t group[static GROUP_ID_BYTES])
{
    store_key_t self = key_of_name(kind, name);
    key_bytes(&self, group, GROUP_ID_BYTES);
    return self;
}

static reader_t start(bytes_t bytes)
{
    reader_t in = reader_of(bytes.data, bytes.size);
    if (reader_u8(&in) != RECORD_FORMAT)
        in.failed = true;
    return in;
}

static bytes_t rest(reader_t *in)
{
    size_t size = in->left;
    return (bytes_t){reader_take(in, size), size};
}

void store_info_write(const store_info_t *self, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    buffer_append(out, self->incarnation, sizeof self->incarnation);
}

bool store_info_read(store_info_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    reader_copy(&in, out->incarnation, sizeof out->incarnation);
    return reader_done(&in);
}

void account_write(const account_t *self, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    buffer_append(out, self->identity_key, KEY_BYTES);
    buffer_append(out, self->signature, SIGNATURE_BYTES);
    buffer_u64(out, self->since_ms);
    buffer_u8(out, (uint8_t)self->state);
}

bool account_read(account_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    reader_copy(&in, out->identity_key, KEY_BYTES);
    reader_copy(&in, out->signature, SIGNATURE_BYTES);
    out->since_ms = reader_u64(&in);
    out->state = (account_state_t)reader_u8(&in);
    return reader_done(&in) && out->state <= ACCOUNT_RESET;
}

bool account_is_alive(const account_t *self)
{
    return self->state == ACCOUNT_ALIVE || self->state == ACCOUNT_DISABLED;
}

void invite_hash(uint8_t out[static HASH_BYTES], const uint8_t invite[static INVITE_BYTES])
{
    (void)crypto_generichash(out, HASH_BYTES, invite, INVITE_BYTES, NULL, 0);
}

void invite_write(const invite_t *self, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    buffer_append(out, self->hash, HASH_BYTES);
    buffer_u64(out, self->until_ms);
}

bool invite_read(invite_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    reader_copy(&in, out->hash, HASH_BYTES);
    out->until_ms = reader_u64(&in);
    return reader_done(&in);
}

void head_write(const head_t *self, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    name8_write(out, &self->name);
    name8_write(out, &self->creator);
    buffer_append(out, self->creator_key, KEY_BYTES);
    buffer_u8(out, self->join_policy);
    buffer_u8(out, self->ended);
    buffer_u8(out, self->depth);
    buffer_u64(out, self->hold_ms);
    buffer_u64(out, self->epoch);
    buffer_append(out, self->transcript, HASH_BYTES);
    buffer_u64(out, self->sequence);
    buffer_u64(out, self->first_sequence);
    buffer_u64(out, self->last_ms);
    buffer_u32(out, self->members);
    buffer_u32(out, self->admins);
    buffer_u32(out, self->leaves_due);
    buffer_u64(out, self->rekey_due_since_ms);
    buffer_u32(out, self->pending_joins);
}

bool head_read(head_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    out->name = name8_read(&in);
    out->creator = name8_read(&in);
    reader_copy(&in, out->creator_key, KEY_BYTES);
    out->join_policy = reader_u8(&in);
    out->ended = reader_u8(&in) != 0;
    out->depth = reader_u8(&in);
    out->hold_ms = reader_u64(&in);
    out->epoch = reader_u64(&in);
    reader_copy(&in, out->transcript, HASH_BYTES);
    out->sequence = reader_u64(&in);
    out->first_sequence = reader_u64(&in);
    out->last_ms = reader_u64(&in);
    out->members = reader_u32(&in);
    out->admins = reader_u32(&in);
    out->leaves_due = reader_u32(&in);
    out->rekey_due_since_ms = reader_u64(&in);
    out->pending_joins = reader_u32(&in);
    return reader_done(&in) && out->depth <= TREE_DEPTH_MAX;
}

void commit_record_write(const commit_record_t *self, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    buffer_u64(out, self->sequence);
    buffer_u64(out, self->time_ms);
    buffer_append(out, self->hash, HASH_BYTES);
}

bool commit_record_read(commit_record_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    out->sequence = reader_u64(&in);
    out->time_ms = reader_u64(&in);
    reader_copy(&in, out->hash, HASH_BYTES);
    return reader_done(&in);
}

void event_write(const event_t *self, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    buffer_u8(out, self->kind);
    buffer_u64(out, self->time_ms);
    name8_write(out, &self->sender);
    buffer_append(out, self->payload.data, self->payload.size);
}

bool event_read(event_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    out->kind = reader_u8(&in);
    out->time_ms = reader_u64(&in);
    out->sender = name8_read(&in);
    out->payload = rest(&in);
    return reader_done(&in);
}

void membership_write(const membership_t *self, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    buffer_append(out, self->identity_key, KEY_BYTES);
    buffer_u32(out, self->leaf);
    buffer_u64(out, self->epoch_added);
    buffer_u8(out, self->role);
    buffer_u8(out, self->left);
    buffer_u8(out, self->removed);
    buffer_u64(out, self->joined_sequence);
    buffer_u64(out, self->until_sequence);
    buffer_append(out, self->leave_hash, HASH_BYTES);
}

bool membership_read(membership_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    reader_copy(&in, out->identity_key, KEY_BYTES);
    out->leaf = reader_u32(&in);
    out->epoch_added = reader_u64(&in);
    out->role = reader_u8(&in);
    out->left = reader_u8(&in) != 0;
    out->removed = reader_u8(&in) != 0;
    out->joined_sequence = reader_u64(&in);
    out->until_sequence = reader_u64(&in);
    reader_copy(&in, out->leave_hash, HASH_BYTES);
    return reader_done(&in);
}

void leaf_record_write(const leaf_record_t *self, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    name8_write(out, &self->name);
    buffer_append(out, self->identity_key, KEY_BYTES);
    buffer_u64(out, self->epoch_added);
    buffer_u8(out, self->role);
}

bool leaf_record_read(leaf_record_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    out->name = name8_read(&in);
    reader_copy(&in, out->identity_key, KEY_BYTES);
    out->epoch_added = reader_u64(&in);
    out->role = reader_u8(&in);
    return reader_done(&in);
}

void sent_write(const sent_t *self, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    buffer_u64(out, self->epoch);
    buffer_u32(out, self->leaf);
    buffer_u32(out, self->generation);
    buffer_u64(out, self->sequence);
    buffer_u64(out, self->time_ms);
    buffer_append(out, self->hash, HASH_BYTES);
}

bool sent_read(sent_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    out->epoch = reader_u64(&in);
    out->leaf = reader_u32(&in);
    out->generation = reader_u32(&in);
    out->sequence = reader_u64(&in);
    out->time_ms = reader_u64(&in);
    reader_copy(&in, out->hash, HASH_BYTES);
    return reader_done(&in);
}

void join_record_write(const join_record_t *self, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    buffer_u64(out, self->since_ms);
    buffer_append(out, self->request.data, self->request.size);
}

bool join_record_read(join_record_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    out->since_ms = reader_u64(&in);
    out->request = rest(&in);
    return reader_done(&in);
}

void leave_record_write(const leave_record_t *self, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    name8_write(out, &self->name);
    buffer_u64(out, self->sequence);
    buffer_u64(out, self->since_ms);
    buffer_append(out, self->statement.data, self->statement.size);
}

bool leave_record_read(leave_record_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    out->name = name8_read(&in);
    out->sequence = reader_u64(&in);
    out->since_ms = reader_u64(&in);
    out->statement = rest(&in);
    return reader_done(&in);
}

void waiting_welcome_write(const waiting_welcome_t *self, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    name8_write(out, &self->group_name);
    buffer_append(out, self->sealed.data, self->sealed.size);
}

bool waiting_welcome_read(waiting_welcome_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    out->group_name = name8_read(&in);
    out->sealed = rest(&in);
    return reader_done(&in);
}

void restore_write(const restore_t *self, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    buffer_append(out, self->incarnation, INCARNATION_BYTES);
    buffer_u64(out, self->time_ms);
}

bool restore_read(restore_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    reader_copy(&in, out->incarnation, INCARNATION_BYTES);
    out->time_ms = reader_u64(&in);
    return reader_done(&in);
}

void log_end_write(const log_end_t *self, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    buffer_u64(out, self->sequence);
    buffer_u64(out, self->epoch);
}

bool log_end_read(log_end_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    out->sequence = reader_u64(&in);
    out->epoch = reader_u64(&in);
    return reader_done(&in);
}

void number_record_write(uint64_t number, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    buffer_u64(out, number);
}

bool number_record_read(uint64_t *out, bytes_t bytes)
{
    reader_t in = start(bytes);
    *out = reader_u64(&in);
    return reader_done(&in);
}

void bytes_record_write(bytes_t bytes, buffer_t *out)
{
    buffer_u8(out, RECORD_FORMAT);
    buffer_append(out, bytes.data, bytes.size);
}

bool bytes_record_read(void *out, size_t size, bytes_t bytes)
{
    reader_t in = start(bytes);
    reader_copy(&in, out, size);
    return reader_done(&in);
}
