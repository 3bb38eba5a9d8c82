/* SPDX-License-Identifier: MPL-2.0 */
/* Views of bytes, and a bounded reader and a growing writer for the fixed layouts of PROTOCOL.md. */
#ifndef CONCLAVE_PROTO_BYTES_H
#define CONCLAVE_PROTO_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

/* Borrowed bytes: whoever hands them out says how long they live. */
typedef struct {
    const uint8_t *data;
    size_t size;
} bytes_t;

/* Borrowed UTF-8, not NUL-terminated. */
typedef struct {
    const char *data;
    size_t size;
} text_t;

/* Owned bytes that grow. All zero is a valid empty buffer. */
typedef struct {
    uint8_t *data;
    size_t size;
    size_t capacity;
} buffer_t;

void buffer_append(buffer_t *self, const void *bytes, size_t size);
/* Makes room for size more bytes, counts them in, and returns where they start (valid until the next append). */
uint8_t *buffer_extend(buffer_t *self, size_t size);
void buffer_u8(buffer_t *self, uint8_t value);
void buffer_u16(buffer_t *self, uint16_t value); /* big-endian, like all below */
void buffer_u32(buffer_t *self, uint32_t value);
void buffer_u64(buffer_t *self, uint64_t value);
void buffer_varint(buffer_t *self, uint64_t value);           /* unsigned LEB128, shortest form */
void buffer_lp(buffer_t *self, const void *bytes, size_t size); /* u32 length, then the bytes */
bytes_t buffer_view(const buffer_t *self);
void buffer_clear(buffer_t *self); /* size becomes 0, the memory stays */
void buffer_free(buffer_t *self);
void buffer_wipe(buffer_t *self);  /* zeroes all of it, then frees; growth always wipes what it leaves */

/* Reads from borrowed bytes. The first failure sticks: later reads give zeros and reader_ok is false. */
typedef struct {
    const uint8_t *at;
    size_t left;
    bool failed;
} reader_t;

reader_t reader_of(const void *bytes, size_t size);
uint8_t reader_u8(reader_t *self);
uint16_t reader_u16(reader_t *self);
uint32_t reader_u32(reader_t *self);
uint64_t reader_u64(reader_t *self);
uint64_t reader_varint(reader_t *self);              /* refuses longer forms than needed */
void reader_copy(reader_t *self, void *out, size_t size); /* zeroes out on failure */
const uint8_t *reader_take(reader_t *self, size_t size);  /* NULL on failure */
/* True if nothing failed. reader_done: and nothing is left. */
bool reader_ok(const reader_t *self);
bool reader_done(const reader_t *self);

/* Big-endian integers at a place in memory. */
void put_u32(uint8_t out[static 4], uint32_t value);
void put_u64(uint8_t out[static 8], uint64_t value);
uint32_t get_u32(const uint8_t in[static 4]);
uint64_t get_u64(const uint8_t in[static 8]);

#endif
