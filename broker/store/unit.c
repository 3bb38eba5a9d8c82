/* SPDX-License-Identifier: MPL-2.0 */
/* Builds and reads the operations of a unit in its one buffer. */
#include "broker/store/unit.h"

#include "proto/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Before each operation's key and value; copied in and out, so the buffer needs no alignment. */
typedef struct {
    uint64_t version;
    size_t key_size;
    size_t value_size;
    store_op_kind_t kind;
} op_header_t;

void store_unit_init(store_unit_t *self)
{
    *self = (store_unit_t){0};
}

void store_unit_clear(store_unit_t *self)
{
    self->size = 0;
    self->count = 0;
    self->put_count = 0;
    self->is_upkeep = false;
}

bool store_unit_needs_room(const store_unit_t *self)
{
    return self->put_count > 0 && !self->is_upkeep;
}

void store_unit_wipe(store_unit_t *self)
{
    free(self->bytes);
    *self = (store_unit_t){0};
}

bool store_unit_is_empty(const store_unit_t *self)
{
    return self->count == 0;
}

static void reserve(store_unit_t *self, size_t more)
{
    if (self->capacity - self->size >= more)
        return;
    size_t capacity = self->capacity ? self->capacity * 2 : 1024;
    if (capacity < self->size + more)
        capacity = self->size + more;
    self->bytes = mem_realloc(self->bytes, capacity, 1);
    self->capacity = capacity;
}

static void append(store_unit_t *self, const void *bytes, size_t size)
{
    if (size)
        /* cppcheck-suppress nullPointer; NULL comes with size 0 only */
        memcpy(self->bytes + self->size, bytes, size);
    self->size += size;
}

static void add_op(store_unit_t *self, op_header_t header, const void *key, const void *value)
{
    assert(header.key_size > 0);
    reserve(self, sizeof header + header.key_size + header.value_size);
    append(self, &header, sizeof header);
    append(self, key, header.key_size);
    append(self, value, header.value_size);
    self->count++;
    self->put_count += header.kind == STORE_OP_PUT;
}

void store_unit_expect(store_unit_t *self, const void *key, size_t key_size, uint64_t version)
{
    op_header_t header = {.version = version, .key_size = key_size, .kind = STORE_OP_EXPECT};
    add_op(self, header, key, NULL);
}

void store_unit_put_version(store_unit_t *self, const void *key, size_t key_size, const void *value,
                            size_t value_size, uint64_t version)
{
    assert(version > 0);
    op_header_t header = {
        .version = version, .key_size = key_size, .value_size = value_size, .kind = STORE_OP_PUT};
    add_op(self, header, key, value);
}

void store_unit_put(store_unit_t *self, const void *key, size_t key_size, const void *value,
                    size_t value_size)
{
    store_unit_put_version(self, key, key_size, value, value_size, STORE_VERSION_NEXT);
}

void store_unit_put_new(store_unit_t *self, const void *key, size_t key_size, const void *value,
                        size_t value_size)
{
    store_unit_put_version(self, key, key_size, value, value_size, 1);
}

void store_unit_delete(store_unit_t *self, const void *key, size_t key_size)
{
    op_header_t header = {.key_size = key_size, .kind = STORE_OP_DELETE};
    add_op(self, header, key, NULL);
}

void store_unit_delete_range(store_unit_t *self, const void *from, size_t from_size, const void *to,
                             size_t to_size)
{
    assert(to_size > 0);
    op_header_t header = {
        .key_size = from_size, .value_size = to_size, .kind = STORE_OP_DELETE_RANGE};
    add_op(self, header, from, to);
}

bool store_unit_next(const store_unit_t *self, size_t *offset, store_op_t *op)
{
    if (*offset >= self->size)
        return false;
    op_header_t header;
    memcpy(&header, self->bytes + *offset, sizeof header);
    *offset += sizeof header;
    *op = (store_op_t){.kind = header.kind,
                       .key = self->bytes + *offset,
                       .key_size = header.key_size,
                       .value = self->bytes + *offset + header.key_size,
                       .value_size = header.value_size,
                       .version = header.version};
    *offset += header.key_size + header.value_size;
    return true;
}
