/* SPDX-License-Identifier: MPL-2.0 */
/* A range of the overlay: the store's records and the overlay's entries merged in order. */
#include "broker/store/overlay_state.h"

typedef struct {
    const overlay_t *overlay;
    const store_range_t *range;
    store_visit_t *visit;
    void *context;
    skip_node_t *node; /* the next entry in the range's direction, NULL at its end */
    size_t left;       /* of the limit */
    bool stopped;
} merge_t;

/* Clears `node` where it has left the range. */
static void check_end(merge_t *self)
{
    const store_range_t *range = self->range;
    size_t size;
    if (!self->node)
        return;
    const uint8_t *key = skip_node_key(self->node, &size);
    if (range->reverse
            ? range->from && store_key_compare(key, size, range->from, range->from_size) < 0
            : range->to && store_key_compare(key, size, range->to, range->to_size) >= 0)
        self->node = NULL;
}

static void start(merge_t *self)
{
    const store_range_t *range = self->range;
    const skip_list_t *entries = self->overlay->entries;
    self->node = range->reverse ? skip_list_below(entries, range->to, range->to_size)
                                : skip_list_at_least(entries, range->from, range->from_size);
    check_end(self);
}

static void advance(merge_t *self)
{
    self->node = self->range->reverse ? skip_list_previous(self->overlay->entries, self->node)
                                      : skip_list_next(self->node);
    check_end(self);
}

static void emit(merge_t *self, const store_record_t *record)
{
    if (!self->visit(self->context, record) || --self->left == 0)
        self->stopped = true;
}

/* Emits the entry at `node` if it puts a record, and moves on. */
static void emit_entry(merge_t *self)
{
    const entry_t *entry = skip_node_payload(self->node);
    if (entry->kind == ENTRY_PUT) {
        store_record_t record = {
            .value = entry->value, .value_size = entry->value_size, .version = entry->version};
        record.key = skip_node_key(self->node, &record.key_size);
        emit(self, &record);
    }
    advance(self);
}

/* Where `node` stands to a record of the store, in the range's direction. */
static int compare_node(const merge_t *self, const store_record_t *record)
{
    size_t size;
    const uint8_t *key = skip_node_key(self->node, &size);
    int order = store_key_compare(key, size, record->key, record->key_size);
    return self->range->reverse ? -order : order;
}

static bool visit_stored(void *context, const store_record_t *record)
{
    merge_t *self = context;
    while (!self->stopped && self->node && compare_node(self, record) < 0)
        emit_entry(self);
    if (self->stopped)
        return false;
    if (self->node && compare_node(self, record) == 0) {
        const entry_t *entry = skip_node_payload(self->node);
        if (entry->kind == ENTRY_KNOWN)
            emit(self, record);
        emit_entry(self);
    } else if (!overlay_is_in_deleted_range(self->overlay, record->key, record->key_size)) {
        emit(self, record);
    }
    return !self->stopped;
}

status_t overlay_range(overlay_t *self, const store_range_t *range, store_visit_t *visit,
                       void *context)
{
    merge_t merge = {.overlay = self,
                     .range = range,
                     .visit = visit,
                     .context = context,
                     .left = range->limit ? range->limit : SIZE_MAX};
    store_range_t stored = *range;
    stored.limit = 0; /* what is deleted here doesn't count */
    start(&merge);
    status_t status = store_range(self->store, &stored, visit_stored, &merge);
    if (status != STATUS_OK)
        return status;
    while (!merge.stopped && merge.node)
        emit_entry(&merge);
    return STATUS_OK;
}
