/* SPDX-License-Identifier: MPL-2.0 */
/* The holder's node keys, in rows of six-level subtrees. */
#include "client/keys/key_tree.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

#define BAND_LEVELS 6
#define ROW_NODES   64 /* heap order: 1 is the top, 0 is unused */
#define ROWS_MAX    (4096 + 64 + 1)

typedef struct {
    uint64_t present; /* bit per node */
    bool is_dirty;
    secret_t keys[ROW_NODES];
} row_t;

struct key_tree {
    unsigned depth;
    row_t **rows; /* by number; NULL where no node has a key */
    size_t row_count;
    uint16_t *dirty;
    size_t dirty_count, dirty_capacity;
};

typedef struct {
    uint16_t row;
    uint8_t slot;
} place_t;

/* Upper bands first, so that a small tree has small numbers: 0 is the band of levels 12-17, 1-64
 * that of 6-11, then that of 0-5. */
static place_t place_of(node_index_t node)
{
    static const uint16_t first_row[] = {1 + 64, 1, 0};
    unsigned level = node_level(node), band = level / BAND_LEVELS;
    unsigned below_top = BAND_LEVELS - 1 - level % BAND_LEVELS;
    uint32_t position = node_position(node);
    return (place_t){
        .row = (uint16_t)(first_row[band] + (position >> below_top)),
        .slot = (uint8_t)((1u << below_top) + (position & ((1u << below_top) - 1))),
    };
}

key_tree_t *key_tree_new(void)
{
    return mem_zalloc(1, sizeof(key_tree_t));
}

void key_tree_destroy(key_tree_t **self)
{
    if (!*self)
        return;
    for (size_t i = 0; i < (*self)->row_count; i++) {
        if ((*self)->rows[i])
            sodium_memzero((*self)->rows[i], sizeof *(*self)->rows[i]);
        free((*self)->rows[i]);
    }
    free((*self)->rows);
    free((*self)->dirty);
    free(*self);
    *self = NULL;
}

unsigned key_tree_depth(const key_tree_t *self)
{
    return self->depth;
}

const secret_t *key_tree_get(const key_tree_t *self, node_index_t node)
{
    place_t place = place_of(node);
    if (place.row >= self->row_count)
        return NULL;
    row_t *row = self->rows[place.row];
    return row && row->present >> place.slot & 1 ? &row->keys[place.slot] : NULL;
}

static row_t *row_make(key_tree_t *self, uint16_t number)
{
    if (number >= self->row_count) {
        size_t count = self->row_count * 2 > number ? self->row_count * 2 : number + 8u;
        self->rows = mem_realloc(self->rows, count, sizeof(row_t *));
        memset(self->rows + self->row_count, 0, (count - self->row_count) * sizeof(row_t *));
        self->row_count = count;
    }
    if (!self->rows[number])
        self->rows[number] = mem_zalloc(1, sizeof(row_t));
    return self->rows[number];
}

static void mark_dirty(key_tree_t *self, row_t *row, uint16_t number)
{
    if (row->is_dirty)
        return;
    row->is_dirty = true;
    if (self->dirty_count == self->dirty_capacity) {
        self->dirty_capacity = self->dirty_capacity ? self->dirty_capacity * 2 : 16;
        self->dirty = mem_realloc(self->dirty, self->dirty_capacity, sizeof *self->dirty);
    }
    self->dirty[self->dirty_count++] = number;
}

void key_tree_adopt(key_tree_t *self, key_journal_t *journal)
{
    self->depth = journal->depth;
    const index_map_t *keys = &journal->keys;
    for (size_t i = 0; i < keys->capacity; i++) {
        if (!keys->used[i])
            continue;
        place_t place = place_of(node_index(keys->keys[i]));
        row_t *row = row_make(self, place.row);
        memcpy(&row->keys[place.slot], keys->values + i * keys->value_bytes, sizeof(secret_t));
        row->present |= UINT64_C(1) << place.slot;
        mark_dirty(self, row, place.row);
    }
    key_journal_wipe(journal);
}

static void save_row(const key_tree_t *self, uint16_t number, row_fn *row_change, void *context)
{
    const row_t *row = self->rows[number];
    uint8_t key[3] = {'k', (uint8_t)(number >> 8), (uint8_t)number};
    buffer_t value = {0};
    buffer_u64(&value, row->present);
    for (unsigned slot = 0; slot < ROW_NODES; slot++)
        if (row->present >> slot & 1)
            buffer_append(&value, row->keys[slot].bytes, KEY_BYTES);
    row_change(context, ROW_PUT, (bytes_t){key, sizeof key}, buffer_view(&value));
    buffer_wipe(&value);
}

void key_tree_save(key_tree_t *self, row_fn *row, void *context)
{
    for (size_t i = 0; i < self->dirty_count; i++) {
        save_row(self, self->dirty[i], row, context);
        self->rows[self->dirty[i]]->is_dirty = false;
    }
    self->dirty_count = 0;
}

void key_tree_save_all(const key_tree_t *self, row_fn *row, void *context)
{
    for (size_t i = 0; i < self->row_count; i++)
        if (self->rows[i])
            save_row(self, (uint16_t)i, row, context);
}

status_t key_tree_load_depth(key_tree_t *self, unsigned depth)
{
    if (depth > TREE_DEPTH_MAX)
        return STATUS_DAMAGED_FILE;
    self->depth = depth;
    return STATUS_OK;
}

status_t key_tree_load_row(key_tree_t *self, uint16_t number, bytes_t value)
{
    if (number >= ROWS_MAX)
        return STATUS_DAMAGED_FILE;
    reader_t in = reader_of(value.data, value.size);
    uint64_t present = reader_u64(&in);
    unsigned count = (unsigned)__builtin_popcountll(present);
    if (!reader_ok(&in) || present & 1 || in.left != (size_t)count * KEY_BYTES)
        return STATUS_DAMAGED_FILE;
    row_t *row = row_make(self, number);
    row->present = present;
    for (unsigned slot = 0; slot < ROW_NODES; slot++)
        if (present >> slot & 1)
            reader_copy(&in, row->keys[slot].bytes, KEY_BYTES);
    return STATUS_OK;
}
