/* SPDX-License-Identifier: MPL-2.0 */
/* The clear header of a sealed message. */
#include "proto/sealed_message.h"

enum { MESSAGE_FORMAT = 1, SEAL_TAG_BYTES = 16 };

void message_header_write(const message_header_t *self, buffer_t *out)
{
    buffer_u8(out, MESSAGE_FORMAT);
    buffer_varint(out, self->epoch);
    buffer_varint(out, self->leaf);
    buffer_varint(out, self->generation);
    buffer_append(out, self->salt, MESSAGE_SALT_BYTES);
}

status_t message_header_parse(message_header_t *out, bytes_t bytes, bytes_t *header,
                              bytes_t *sealed)
{
    *out = (message_header_t){0};
    *header = *sealed = (bytes_t){0};
    reader_t in = reader_of(bytes.data, bytes.size);
    uint8_t format = reader_u8(&in);
    message_header_t read = {.epoch = reader_varint(&in)};
    uint64_t leaf = reader_varint(&in);
    uint64_t generation = reader_varint(&in);
    reader_copy(&in, read.salt, MESSAGE_SALT_BYTES);
    if (!reader_ok(&in) || format != MESSAGE_FORMAT || in.left < SEAL_TAG_BYTES ||
        leaf >= TREE_LEAVES_MAX || generation > UINT32_MAX)
        return STATUS_BAD_HEADER;
    read.leaf = (uint32_t)leaf;
    read.generation = (uint32_t)generation;
    *out = read;
    *header = (bytes_t){bytes.data, bytes.size - in.left};
    *sealed = (bytes_t){in.at, in.left};
    return STATUS_OK;
}
