/* SPDX-License-Identifier: MPL-2.0 */
/* Bounded reading and growing writing of the fixed layouts. */
#include "proto/bytes.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

enum { BUFFER_FIRST_BYTES = 256, VARINT_MAX_BYTES = 10 };

/* Moves to a larger block and wipes the old one, so that buffer_wipe leaves no copy behind. */
static void buffer_grow(buffer_t *self, size_t needed)
{
    size_t capacity = self->capacity ? self->capacity : BUFFER_FIRST_BYTES;
    while (capacity < needed) {
        if (capacity > SIZE_MAX / 2)
            abort();
        capacity *= 2;
    }
    uint8_t *data = mem_alloc(capacity);
    if (self->data)
        memcpy(data, self->data, self->size);
    buffer_t old = {self->data, 0, self->capacity};
    buffer_wipe(&old);
    self->data = data;
    self->capacity = capacity;
}

uint8_t *buffer_extend(buffer_t *self, size_t size)
{
    if (size > SIZE_MAX - self->size)
        abort();
    if (!self->data || self->capacity - self->size < size)
        buffer_grow(self, self->size + size);
    uint8_t *at = self->data + self->size;
    self->size += size;
    return at;
}

void buffer_append(buffer_t *self, const void *bytes, size_t size)
{
    if (size)
        memcpy(buffer_extend(self, size), bytes, size);
}

void buffer_u8(buffer_t *self, uint8_t value)
{
    *buffer_extend(self, 1) = value;
}

void buffer_u16(buffer_t *self, uint16_t value)
{
    uint8_t *at = buffer_extend(self, 2);
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void buffer_u32(buffer_t *self, uint32_t value)
{
    put_u32(buffer_extend(self, 4), value);
}

void buffer_u64(buffer_t *self, uint64_t value)
{
    put_u64(buffer_extend(self, 8), value);
}

void buffer_varint(buffer_t *self, uint64_t value)
{
    while (value >= 0x80) {
        buffer_u8(self, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    buffer_u8(self, (uint8_t)value);
}

void buffer_lp(buffer_t *self, const void *bytes, size_t size)
{
    if (size > UINT32_MAX)
        abort();
    buffer_u32(self, (uint32_t)size);
    buffer_append(self, bytes, size);
}

bytes_t buffer_view(const buffer_t *self)
{
    return (bytes_t){self->data, self->size};
}

void buffer_clear(buffer_t *self)
{
    self->size = 0;
}

void buffer_free(buffer_t *self)
{
    free(self->data);
    *self = (buffer_t){0};
}

void buffer_wipe(buffer_t *self)
{
    /* The whole block: buffer_clear may have left secrets above size. */
    if (self->data)
        sodium_memzero(self->data, self->capacity);
    buffer_free(self);
}

reader_t reader_of(const void *bytes, size_t size)
{
    return (reader_t){bytes, size, false};
}

const uint8_t *reader_take(reader_t *self, size_t size)
{
    static const uint8_t nothing[1];
    if (self->failed || size > self->left) {
        self->failed = true;
        return NULL;
    }
    if (!size)
        return self->at ? self->at : nothing;
    const uint8_t *at = self->at;
    self->at += size;
    self->left -= size;
    return at;
}

uint8_t reader_u8(reader_t *self)
{
    const uint8_t *at = reader_take(self, 1);
    return at ? at[0] : 0;
}

uint16_t reader_u16(reader_t *self)
{
    const uint8_t *at = reader_take(self, 2);
    return at ? (uint16_t)((unsigned)at[0] << 8 | at[1]) : 0;
}

uint32_t reader_u32(reader_t *self)
{
    const uint8_t *at = reader_take(self, 4);
    return at ? get_u32(at) : 0;
}

uint64_t reader_u64(reader_t *self)
{
    const uint8_t *at = reader_take(self, 8);
    return at ? get_u64(at) : 0;
}

uint64_t reader_varint(reader_t *self)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_MAX_BYTES; i++) {
        uint8_t byte = reader_u8(self);
        if (self->failed)
            return 0;
        bool last = !(byte & 0x80);
        bool too_long = last && byte == 0 && i > 0;
        bool too_large = i == VARINT_MAX_BYTES - 1 && byte > 1;
        if (too_long || too_large)
            break;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (last)
            return value;
    }
    self->failed = true;
    return 0;
}

void reader_copy(reader_t *self, void *out, size_t size)
{
    const uint8_t *at = reader_take(self, size);
    if (at)
        memcpy(out, at, size);
    else
        memset(out, 0, size);
}

bool reader_ok(const reader_t *self)
{
    return !self->failed;
}

bool reader_done(const reader_t *self)
{
    return !self->failed && self->left == 0;
}

void put_u32(uint8_t out[static 4], uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

void put_u64(uint8_t out[static 8], uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

uint32_t get_u32(const uint8_t in[static 4])
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++)
        value = value << 8 | in[i];
    return value;
}

uint64_t get_u64(const uint8_t in[static 8])
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++)
        value = value << 8 | in[i];
    return value;
}
