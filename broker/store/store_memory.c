/* SPDX-License-Identifier: MPL-2.0 */
/* The store in a skip list, with faults on demand. */
#include "broker/store/store_memory.h"

#include "broker/store/engine.h"
#include "broker/store/skip_list.h"
#include "proto/memory.h"

#include <assert.h>
#include <stdlib.h>

typedef enum { FAULT_NONE, FAULT_BEFORE_WRITE, FAULT_AFTER_WRITE } fault_t;

typedef struct {
    uint8_t *value;
    size_t value_size;
    uint64_t version;
} record_t;

typedef struct {
    store_t base;
    skip_list_t *records;
    uint64_t size_bytes;
    uint64_t write_count;
    unsigned reopen_failures;
    fault_t next_fault;
    bool failed;
    bool full;
} memory_store_t;

static record_t *find_record(const memory_store_t *self, const void *key, size_t key_size)
{
    skip_node_t *node = skip_list_find(self->records, key, key_size);
    return node ? skip_node_payload(node) : NULL;
}

static status_t memory_get(store_t *base, const void *key, size_t key_size, uint8_t **value,
                           size_t *value_size, uint64_t *version)
{
    memory_store_t *self = (memory_store_t *)base;
    if (self->failed)
        return STATUS_STORE_FAILED;
    const record_t *record = find_record(self, key, key_size);
    if (!record)
        return STATUS_NOT_FOUND;
    *version = record->version;
    if (value) {
        *value = mem_dup(record->value, record->value_size);
        *value_size = record->value_size;
    }
    return STATUS_OK;
}

/* Whether the key is past the end of the range, in the range's direction. */
static bool is_past(const store_range_t *range, const uint8_t *key, size_t key_size)
{
    if (range->reverse)
        return range->from && store_key_compare(key, key_size, range->from, range->from_size) < 0;
    return range->to && store_key_compare(key, key_size, range->to, range->to_size) >= 0;
}

static status_t memory_range(store_t *base, const store_range_t *range, store_visit_t *visit,
                             void *context)
{
    memory_store_t *self = (memory_store_t *)base;
    if (self->failed)
        return STATUS_STORE_FAILED;
    skip_node_t *node = range->reverse
                            ? skip_list_below(self->records, range->to, range->to_size)
                            : skip_list_at_least(self->records, range->from, range->from_size);
    size_t left = range->limit ? range->limit : SIZE_MAX;
    for (; node && left > 0; left--) {
        size_t key_size;
        const uint8_t *key = skip_node_key(node, &key_size);
        if (is_past(range, key, key_size))
            break;
        const record_t *found = skip_node_payload(node);
        store_record_t record = {key, key_size, found->value, found->value_size, found->version};
        if (!visit(context, &record))
            break;
        node = range->reverse ? skip_list_previous(self->records, node) : skip_list_next(node);
    }
    return STATUS_OK;
}

static bool is_as_expected(const memory_store_t *self, const store_unit_t *unit)
{
    store_op_t op;
    for (size_t at = 0; store_unit_next(unit, &at, &op);) {
        if (op.kind != STORE_OP_EXPECT)
            continue;
        const record_t *record = find_record(self, op.key, op.key_size);
        if ((record ? record->version : 0) != op.version)
            return false;
    }
    return true;
}

static void put_record(memory_store_t *self, const store_op_t *op)
{
    bool added;
    skip_node_t *node = skip_list_add(self->records, op->key, op->key_size, &added);
    record_t *record = skip_node_payload(node);
    assert(op->version != 1 || added); /* put as new, but it was there */
    self->size_bytes += op->value_size + (added ? op->key_size : 0) - record->value_size;
    free(record->value);
    record->value = mem_dup(op->value, op->value_size);
    record->value_size = op->value_size;
    record->version = op->version == STORE_VERSION_NEXT ? record->version + 1 : op->version;
}

static void remove_node(memory_store_t *self, skip_node_t *node)
{
    size_t key_size;
    (void)skip_node_key(node, &key_size);
    record_t *record = skip_node_payload(node);
    self->size_bytes -= key_size + record->value_size;
    free(record->value);
    skip_list_remove(self->records, node);
}

static void delete_range(memory_store_t *self, const store_op_t *op)
{
    skip_node_t *node = skip_list_at_least(self->records, op->key, op->key_size);
    while (node) {
        size_t key_size;
        const uint8_t *key = skip_node_key(node, &key_size);
        if (store_key_compare(key, key_size, op->value, op->value_size) >= 0)
            break;
        skip_node_t *next = skip_list_next(node);
        remove_node(self, node);
        node = next;
    }
}

static void apply_op(memory_store_t *self, const store_op_t *op)
{
    switch (op->kind) {
    case STORE_OP_EXPECT:
        break;
    case STORE_OP_PUT:
        put_record(self, op);
        break;
    case STORE_OP_DELETE: {
        skip_node_t *node = skip_list_find(self->records, op->key, op->key_size);
        if (node)
            remove_node(self, node);
        break;
    }
    case STORE_OP_DELETE_RANGE:
        delete_range(self, op);
        break;
    }
}

static void apply_units(memory_store_t *self, const store_unit_t *units, size_t count,
                        status_t *outcomes)
{
    for (size_t i = 0; i < count; i++) {
        bool good = is_as_expected(self, &units[i]);
        outcomes[i] = good ? STATUS_OK : STATUS_CONFLICT;
        store_op_t op;
        for (size_t at = 0; good && store_unit_next(&units[i], &at, &op);)
            apply_op(self, &op);
    }
    self->write_count++;
}

static bool needs_room(const store_unit_t *units, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (store_unit_needs_room(&units[i]))
            return true;
    return false;
}

static status_t memory_write(store_t *base, const store_unit_t *units, size_t count,
                             status_t *outcomes)
{
    memory_store_t *self = (memory_store_t *)base;
    if (self->failed)
        return STATUS_STORE_FAILED;
    if (count == 0)
        return STATUS_OK;
    if (self->full && needs_room(units, count))
        return STATUS_STORE_FULL;
    fault_t fault = self->next_fault;
    self->next_fault = FAULT_NONE;
    self->failed = fault != FAULT_NONE;
    if (fault != FAULT_BEFORE_WRITE)
        apply_units(self, units, count, outcomes);
    return self->failed ? STATUS_STORE_FAILED : STATUS_OK;
}

static status_t memory_reopen(store_t *base)
{
    memory_store_t *self = (memory_store_t *)base;
    if (self->reopen_failures > 0) {
        self->reopen_failures--;
        self->failed = true;
        return STATUS_STORE_FAILED;
    }
    self->failed = false;
    return STATUS_OK;
}

static status_t memory_checkpoint(store_t *base, const char *dir)
{
    (void)base;
    (void)dir;
    return STATUS_INVALID;
}

static status_t memory_size_bytes(store_t *base, uint64_t *size_bytes)
{
    *size_bytes = ((memory_store_t *)base)->size_bytes;
    return STATUS_OK;
}

static status_t memory_room(store_t *base)
{
    const memory_store_t *self = (memory_store_t *)base;
    if (self->failed)
        return STATUS_STORE_FAILED;
    return self->full ? STATUS_STORE_FULL : STATUS_OK;
}

static void memory_destroy(store_t *base)
{
    memory_store_t *self = (memory_store_t *)base;
    for (skip_node_t *node = skip_list_at_least(self->records, NULL, 0); node;
         node = skip_list_next(node))
        free(((record_t *)skip_node_payload(node))->value);
    skip_list_destroy(&self->records);
    free(self);
}

static const store_engine_t memory_engine = {
    .get = memory_get,
    .range = memory_range,
    .write = memory_write,
    .reopen = memory_reopen,
    .checkpoint = memory_checkpoint,
    .room = memory_room,
    .size_bytes = memory_size_bytes,
    .destroy = memory_destroy,
};

store_t *store_memory_new(void)
{
    memory_store_t *self = mem_zalloc(1, sizeof *self);
    self->base.engine = &memory_engine;
    self->records = skip_list_new(sizeof(record_t));
    return &self->base;
}

static memory_store_t *as_memory(store_t *store)
{
    assert(store->engine == &memory_engine);
    return (memory_store_t *)store;
}

store_t *store_memory_copy(store_t *base)
{
    memory_store_t *self = as_memory(base);
    store_t *copy = store_memory_new();
    memory_store_t *other = as_memory(copy);
    other->size_bytes = self->size_bytes;
    for (skip_node_t *node = skip_list_at_least(self->records, NULL, 0); node;
         node = skip_list_next(node)) {
        size_t key_size;
        bool added;
        const uint8_t *key = skip_node_key(node, &key_size);
        const record_t *from = skip_node_payload(node);
        record_t *to = skip_node_payload(skip_list_add(other->records, key, key_size, &added));
        *to = *from;
        to->value = mem_dup(from->value, from->value_size);
    }
    return copy;
}

void store_memory_fail_next_write(store_t *self, bool applied)
{
    as_memory(self)->next_fault = applied ? FAULT_AFTER_WRITE : FAULT_BEFORE_WRITE;
}

void store_memory_set_full(store_t *self, bool full)
{
    as_memory(self)->full = full;
}

void store_memory_fail_reopens(store_t *self, unsigned attempts)
{
    as_memory(self)->reopen_failures = attempts;
}

uint64_t store_memory_write_count(store_t *self)
{
    return as_memory(self)->write_count;
}
