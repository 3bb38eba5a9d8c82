/* SPDX-License-Identifier: MPL-2.0 */
/* The overlay's own insides, shared by overlay.c and overlay_range.c only. */
#ifndef CONCLAVE_BROKER_STORE_OVERLAY_STATE_H
#define CONCLAVE_BROKER_STORE_OVERLAY_STATE_H

#include "broker/store/overlay.h"
#include "broker/store/skip_list.h"

#include <stdbool.h>

/*           expect            put              delete, delete_range
   (none) ----------> KNOWN ----------> PUT <--------------------> DELETED    (none) goes to any  */
typedef enum {
    ENTRY_KNOWN,  /* the store's record stands; only its version is noted */
    ENTRY_PUT,    /* `value` stands */
    ENTRY_DELETED /* absent */
} entry_kind_t;

typedef struct {
    entry_kind_t kind;
    bool expected;      /* expected_version must hold in the store */
    bool in_range;      /* DELETED by a range delete: needs no delete of its own */
    bool deleted_first; /* PUT after a delete of its own */
    uint64_t expected_version;
    uint64_t version;
    uint8_t *value;
    size_t value_size;
} entry_t;

typedef struct {
    uint8_t *from;
    size_t from_size;
    uint8_t *to;
    size_t to_size;
} deleted_range_t;

/* What one change replaced. The newest range is what it added when `node` is NULL. */
typedef struct {
    skip_node_t *node;
    entry_t before; /* owns its value when it differs from the node's */
    bool added;     /* the node was made by this change */
    size_t write_count;
    size_t size_bytes;
} undo_t;

struct overlay {
    store_t *store;
    skip_list_t *entries; /* payload: entry_t */
    deleted_range_t *ranges;
    size_t range_count;
    size_t range_capacity;
    undo_t *undo;
    size_t undo_count;
    size_t undo_capacity;
    size_t write_count; /* changes that need a write */
    size_t size_bytes;
};

/* Whether a range delete covers the key; what an entry says comes first. */
bool overlay_is_in_deleted_range(const overlay_t *self, const uint8_t *key, size_t key_size);

#endif
