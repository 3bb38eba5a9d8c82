/* SPDX-License-Identifier: MPL-2.0 */
/* The overlay's writes, their undo log, and the unit they become. */
#include "broker/store/overlay.h"

#include "broker/store/overlay_state.h"
#include "proto/memory.h"

#include <assert.h>
#include <stdlib.h>

overlay_t *overlay_new(store_t *store)
{
    overlay_t *self = mem_zalloc(1, sizeof *self);
    self->store = store;
    self->entries = skip_list_new(sizeof(entry_t));
    return self;
}

void overlay_destroy(overlay_t **self)
{
    if (!*self)
        return;
    overlay_clear(*self);
    skip_list_destroy(&(*self)->entries);
    free((*self)->ranges);
    free((*self)->undo);
    free(*self);
    *self = NULL;
}

bool overlay_is_in_deleted_range(const overlay_t *self, const uint8_t *key, size_t key_size)
{
    for (size_t i = self->range_count; i-- > 0;) {
        const deleted_range_t *range = &self->ranges[i];
        if (store_key_compare(key, key_size, range->from, range->from_size) >= 0 &&
            store_key_compare(key, key_size, range->to, range->to_size) < 0)
            return true;
    }
    return false;
}

static entry_t *find_entry(const overlay_t *self, const void *key, size_t key_size)
{
    skip_node_t *node = skip_list_find(self->entries, key, key_size);
    return node ? skip_node_payload(node) : NULL;
}

static undo_t *push_undo(overlay_t *self)
{
    if (self->undo_count == self->undo_capacity) {
        self->undo_capacity = self->undo_capacity ? self->undo_capacity * 2 : 256;
        self->undo = mem_realloc(self->undo, self->undo_capacity, sizeof *self->undo);
    }
    undo_t *undo = &self->undo[self->undo_count++];
    *undo = (undo_t){.write_count = self->write_count, .size_bytes = self->size_bytes};
    return undo;
}

/* Every change of an entry goes through here. Takes ownership of after.value. */
static void set_entry(overlay_t *self, const void *key, size_t key_size, entry_t after)
{
    undo_t *undo = push_undo(self);
    undo->node = skip_list_add(self->entries, key, key_size, &undo->added);
    entry_t *entry = skip_node_payload(undo->node);
    undo->before = *entry;
    self->size_bytes += after.value_size + (undo->added ? key_size : 0) - entry->value_size;
    self->write_count += after.kind != ENTRY_KNOWN;
    *entry = after;
}

status_t overlay_get(overlay_t *self, const void *key, size_t key_size, uint8_t **value,
                     size_t *value_size, uint64_t *version)
{
    const entry_t *entry = find_entry(self, key, key_size);
    if (entry ? entry->kind == ENTRY_KNOWN : !overlay_is_in_deleted_range(self, key, key_size))
        return store_get(self->store, key, key_size, value, value_size, version);
    bool present = entry && entry->kind == ENTRY_PUT;
    if (value) {
        *value = present ? mem_dup(entry->value, entry->value_size) : NULL;
        *value_size = present ? entry->value_size : 0;
    }
    if (version)
        *version = present ? entry->version : 0;
    return present ? STATUS_OK : STATUS_NOT_FOUND;
}

status_t overlay_expect(overlay_t *self, const void *key, size_t key_size, uint64_t version)
{
    const entry_t *entry = find_entry(self, key, key_size);
    if (entry)
        return entry->version == version ? STATUS_OK : STATUS_CONFLICT;
    if (overlay_is_in_deleted_range(self, key, key_size))
        return version == 0 ? STATUS_OK : STATUS_CONFLICT;
    set_entry(self, key, key_size,
              (entry_t){.kind = ENTRY_KNOWN,
                        .expected = true,
                        .expected_version = version,
                        .version = version});
    return STATUS_OK;
}

/* Puts over what the entry says, or over the given version where there is no entry. */
static void put(overlay_t *self, const void *key, size_t key_size, const void *value,
                size_t value_size, uint64_t version)
{
    const entry_t *entry = find_entry(self, key, key_size);
    entry_t after = entry ? *entry : (entry_t){.version = version};
    after.deleted_first |= after.kind == ENTRY_DELETED && !after.in_range;
    after.kind = ENTRY_PUT;
    after.version++;
    after.value = mem_dup(value, value_size);
    after.value_size = value_size;
    set_entry(self, key, key_size, after);
}

status_t overlay_put(overlay_t *self, const void *key, size_t key_size, const void *value,
                     size_t value_size)
{
    uint64_t version = 0;
    if (!find_entry(self, key, key_size) && !overlay_is_in_deleted_range(self, key, key_size)) {
        status_t status = store_get(self->store, key, key_size, NULL, NULL, &version);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
    }
    put(self, key, key_size, value, value_size, version);
    return STATUS_OK;
}

void overlay_put_new(overlay_t *self, const void *key, size_t key_size, const void *value,
                     size_t value_size)
{
    put(self, key, key_size, value, value_size, 0);
}

void overlay_put_known(overlay_t *self, const void *key, size_t key_size, const void *value,
                       size_t value_size, uint64_t version)
{
    put(self, key, key_size, value, value_size, version);
}

/* What the entry becomes when its record goes. */
static entry_t deleted(const entry_t *entry, bool in_range)
{
    entry_t after = {.kind = ENTRY_DELETED, .in_range = in_range};
    if (entry) {
        after.expected = entry->expected;
        after.expected_version = entry->expected_version;
        after.in_range |= entry->kind == ENTRY_DELETED && entry->in_range;
    }
    return after;
}

void overlay_delete(overlay_t *self, const void *key, size_t key_size)
{
    const entry_t *entry = find_entry(self, key, key_size);
    set_entry(self, key, key_size, deleted(entry, false));
}

void overlay_delete_range(overlay_t *self, const void *from, size_t from_size, const void *to,
                          size_t to_size)
{
    assert(from_size > 0 && to_size > 0);
    if (store_key_compare(from, from_size, to, to_size) >= 0)
        return;
    skip_node_t *node = skip_list_at_least(self->entries, from, from_size);
    for (; node; node = skip_list_next(node)) {
        size_t key_size;
        const uint8_t *key = skip_node_key(node, &key_size);
        if (store_key_compare(key, key_size, to, to_size) >= 0)
            break;
        set_entry(self, key, key_size, deleted(skip_node_payload(node), true));
    }
    (void)push_undo(self);
    if (self->range_count == self->range_capacity) {
        self->range_capacity = self->range_capacity ? self->range_capacity * 2 : 8;
        self->ranges = mem_realloc(self->ranges, self->range_capacity, sizeof *self->ranges);
    }
    self->ranges[self->range_count++] =
        (deleted_range_t){mem_dup(from, from_size), from_size, mem_dup(to, to_size), to_size};
    self->write_count++;
    self->size_bytes += from_size + to_size;
}

overlay_mark_t overlay_mark(const overlay_t *self)
{
    return (overlay_mark_t){self->undo_count};
}

static void drop_newest_range(overlay_t *self)
{
    deleted_range_t *range = &self->ranges[--self->range_count];
    free(range->from);
    free(range->to);
}

void overlay_rollback(overlay_t *self, overlay_mark_t mark)
{
    assert(mark.undo_count <= self->undo_count);
    while (self->undo_count > mark.undo_count) {
        undo_t *undo = &self->undo[--self->undo_count];
        self->write_count = undo->write_count;
        self->size_bytes = undo->size_bytes;
        if (!undo->node) {
            drop_newest_range(self);
            continue;
        }
        entry_t *entry = skip_node_payload(undo->node);
        free(entry->value); /* each change made a value of its own, or none */
        *entry = undo->before;
        if (undo->added)
            skip_list_remove(self->entries, undo->node);
    }
}

bool overlay_is_empty(const overlay_t *self)
{
    return self->write_count == 0;
}

size_t overlay_size_bytes(const overlay_t *self)
{
    return self->size_bytes;
}

static void take_entry(const entry_t *entry, const uint8_t *key, size_t key_size,
                       store_unit_t *unit)
{
    bool is_put = entry->kind == ENTRY_PUT;
    if (is_put ? entry->deleted_first : entry->kind == ENTRY_DELETED && !entry->in_range)
        store_unit_delete(unit, key, key_size);
    if (is_put)
        store_unit_put_version(unit, key, key_size, entry->value, entry->value_size,
                               entry->version);
}

void overlay_take_unit(const overlay_t *self, store_unit_t *unit)
{
    size_t key_size;
    skip_node_t *first = skip_list_at_least(self->entries, NULL, 0);
    for (skip_node_t *node = first; node; node = skip_list_next(node)) {
        const uint8_t *key = skip_node_key(node, &key_size);
        const entry_t *entry = skip_node_payload(node);
        if (entry->expected)
            store_unit_expect(unit, key, key_size, entry->expected_version);
    }
    for (size_t i = 0; i < self->range_count; i++) {
        const deleted_range_t *range = &self->ranges[i];
        store_unit_delete_range(unit, range->from, range->from_size, range->to, range->to_size);
    }
    for (skip_node_t *node = first; node; node = skip_list_next(node)) {
        const uint8_t *key = skip_node_key(node, &key_size);
        take_entry(skip_node_payload(node), key, key_size, unit);
    }
}

void overlay_clear(overlay_t *self)
{
    for (size_t i = 0; i < self->undo_count; i++)
        free(self->undo[i].before.value);
    for (skip_node_t *node = skip_list_at_least(self->entries, NULL, 0); node;
         node = skip_list_next(node))
        free(((entry_t *)skip_node_payload(node))->value);
    skip_list_clear(self->entries);
    while (self->range_count > 0)
        drop_newest_range(self);
    self->undo_count = 0;
    self->write_count = 0;
    self->size_bytes = 0;
}
