/* SPDX-License-Identifier: MPL-2.0 */
/* A member's state of a group as rows. */
#include <string.h>

#include "client/keys/group_state_parts.h"
#include "proto/memory.h"

#define GROUP_FORMAT 1

static void save_head(const group_state_t *self, row_fn *row, void *context)
{
    buffer_t value = {0};
    buffer_u8(&value, GROUP_FORMAT);
    buffer_append(&value, self->group, GROUP_ID_BYTES);
    name8_write(&value, &self->group_name);
    buffer_u64(&value, self->epoch_added);
    buffer_u64(&value, self->epoch);
    buffer_append(&value, self->roster_root, HASH_BYTES);
    buffer_append(&value, self->membership.bytes, KEY_BYTES);
    buffer_u32(&value, self->path.leaf.value);
    buffer_u8(&value, (uint8_t)self->path.depth);
    for (unsigned level = 0; level <= self->path.depth; level++)
        buffer_append(&value, self->path.keys[level].bytes, KEY_BYTES);
    admin_list_write(&self->admins, &value);
    row(context, ROW_PUT, (bytes_t){(const uint8_t *)"h", 1}, buffer_view(&value));
    buffer_wipe(&value);
}

void group_state_save(group_state_t *self, row_fn *row, void *context)
{
    if (self->is_new)
        row(context, ROW_DELETE_PREFIX, (bytes_t){(const uint8_t *)"", 0}, (bytes_t){NULL, 0});
    if (self->is_dirty) {
        save_head(self, row, context);
        transcripts_save(&self->transcripts, row, context);
    }
    secret_tree_save(&self->secrets, row, context);
    self->is_new = self->is_dirty = false;
}

void group_state_save_all(const group_state_t *self, row_fn *row, void *context)
{
    save_head(self, row, context);
    transcripts_save_all(&self->transcripts, row, context);
    secret_tree_save_all(&self->secrets, row, context);
}

group_state_t *group_state_load_new(void)
{
    group_state_t *self = mem_zalloc(1, sizeof *self);
    secret_tree_load_start(&self->secrets, 0);
    return self;
}

static status_t load_head(group_state_t *self, bytes_t value)
{
    reader_t in = reader_of(value.data, value.size);
    uint8_t format = reader_u8(&in);
    if (format > GROUP_FORMAT)
        return STATUS_NEWER_FORMAT;
    reader_copy(&in, self->group, GROUP_ID_BYTES);
    self->group_name = name8_read(&in);
    self->epoch_added = reader_u64(&in);
    self->epoch = reader_u64(&in);
    reader_copy(&in, self->roster_root, HASH_BYTES);
    reader_copy(&in, self->membership.bytes, KEY_BYTES);
    self->path.leaf = leaf_index(reader_u32(&in));
    unsigned depth = reader_u8(&in);
    if (!reader_ok(&in) || format != GROUP_FORMAT || self->has_head || depth > TREE_DEPTH_MAX ||
        self->path.leaf.value >= tree_leaf_count(depth))
        return STATUS_DAMAGED_FILE;
    self->path.depth = depth;
    for (unsigned level = 0; level <= depth; level++)
        reader_copy(&in, self->path.keys[level].bytes, KEY_BYTES);
    if (!admin_list_read(&self->admins, &in) || !reader_done(&in))
        return STATUS_DAMAGED_FILE;
    self->has_head = true;
    secret_tree_load_start(&self->secrets, depth);
    return STATUS_OK;
}

status_t group_state_load_row(group_state_t *self, bytes_t key, bytes_t value)
{
    if (!key.size || (key.data[0] != 'h' && !self->has_head))
        return STATUS_DAMAGED_FILE;
    switch (key.data[0]) {
    case 'h':
        return key.size == 1 ? load_head(self, value) : STATUS_DAMAGED_FILE;
    case 'e':
        return transcripts_load_row(&self->transcripts, key, value);
    case 'n':
    case 'c':
        return secret_tree_load_row(&self->secrets, key, value);
    default:
        return STATUS_DAMAGED_FILE;
    }
}

status_t group_state_load_end(group_state_t *self)
{
    if (!self->has_head)
        return STATUS_DAMAGED_FILE;
    status_t status = transcripts_load_end(&self->transcripts, self->epoch);
    return status ? status : secret_tree_load_end(&self->secrets);
}
