/* SPDX-License-Identifier: MPL-2.0 */
/* Join requests and leave statements. */
#include "proto/requests.h"

#include <sodium.h>
#include <string.h>

#include "proto/statement.h"

enum { REQUEST_FORMAT = 1, ACCESS_NONE = 0, LEAVE_FORMAT = 1 };

/*
 * The points of X25519 whose order divides 8, and the larger encodings of the same field elements:
 * libsodium's scalar multiplication refuses these. Bit 255 is ignored by X25519. From RFC 7748
 * section 6.1 and https://cr.yp.to/ecdh.html#validate.
 */
static const uint8_t small_order[][KEY_BYTES] = {
    {0},
    {1},
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
     0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
     0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
     0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
     0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
    /* p - 1, p, p + 1 with p = 2^255 - 19 */
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

static bool has_small_order(const uint8_t point[static KEY_BYTES])
{
    uint8_t masked[KEY_BYTES];
    memcpy(masked, point, KEY_BYTES);
    masked[KEY_BYTES - 1] &= 0x7f;
    for (size_t i = 0; i < sizeof small_order / sizeof small_order[0]; i++)
        if (memcmp(masked, small_order[i], KEY_BYTES) == 0)
            return true;
    return false;
}

static status_t join_request_check(const join_t *self)
{
    if (has_small_order(self->prekey))
        return STATUS_BAD_KEY;
    buffer_t statement = {0};
    join_request_statement(self, &statement);
    status_t status =
        signature_verify(self->signature, self->identity_key, buffer_view(&statement));
    buffer_free(&statement);
    return status;
}

status_t join_request_parse(join_t *out, bytes_t bytes)
{
    *out = (join_t){0};
    reader_t in = reader_of(bytes.data, bytes.size);
    if (reader_u8(&in) != REQUEST_FORMAT)
        in.failed = true;
    reader_copy(&in, out->group, GROUP_ID_BYTES);
    out->name = name8_read(&in);
    reader_copy(&in, out->identity_key, KEY_BYTES);
    reader_copy(&in, out->prekey, KEY_BYTES);
    reader_copy(&in, out->transcript, HASH_BYTES);
    if (reader_u8(&in) != ACCESS_NONE)
        in.failed = true;
    reader_copy(&in, out->signature, SIGNATURE_BYTES);
    status_t status = reader_done(&in) ? join_request_check(out) : STATUS_BAD_JOIN;
    if (status != STATUS_OK)
        *out = (join_t){0};
    return status;
}

void join_request_write_signed_part(const join_t *self, buffer_t *out)
{
    buffer_u8(out, REQUEST_FORMAT);
    buffer_append(out, self->group, GROUP_ID_BYTES);
    name8_write(out, &self->name);
    buffer_append(out, self->identity_key, KEY_BYTES);
    buffer_append(out, self->prekey, KEY_BYTES);
    buffer_append(out, self->transcript, HASH_BYTES);
    buffer_u8(out, ACCESS_NONE);
}

void join_request_statement(const join_t *self, buffer_t *out)
{
    buffer_t part = {0};
    join_request_write_signed_part(self, &part);
    const bytes_t fields[] = {{self->group, GROUP_ID_BYTES}, buffer_view(&part)};
    statement_write(out, "join", fields, 2);
    buffer_free(&part);
}

void join_request_hash(uint8_t out[static HASH_BYTES], bytes_t bytes)
{
    statement_hash(out, "join-request", &bytes, 1);
}

status_t leave_parse(leave_t *out, bytes_t bytes)
{
    *out = (leave_t){0};
    reader_t in = reader_of(bytes.data, bytes.size);
    if (reader_u8(&in) != LEAVE_FORMAT)
        in.failed = true;
    reader_copy(&in, out->group, GROUP_ID_BYTES);
    out->leaf = reader_u32(&in);
    out->epoch_added = reader_u64(&in);
    reader_copy(&in, out->signature, SIGNATURE_BYTES);
    if (reader_done(&in) && out->leaf < TREE_LEAVES_MAX)
        return STATUS_OK;
    *out = (leave_t){0};
    return STATUS_BAD_LEAVE;
}

status_t leave_verify(const leave_t *self, const uint8_t identity_key[static KEY_BYTES])
{
    buffer_t statement = {0};
    leave_statement(self, &statement);
    status_t status = signature_verify(self->signature, identity_key, buffer_view(&statement));
    buffer_free(&statement);
    return status;
}

void leave_statement(const leave_t *self, buffer_t *out)
{
    uint8_t leaf[4], epoch_added[8];
    put_u32(leaf, self->leaf);
    put_u64(epoch_added, self->epoch_added);
    const bytes_t fields[] = {{self->group, GROUP_ID_BYTES}, {leaf, 4}, {epoch_added, 8}};
    statement_write(out, "leave", fields, 3);
}

void leave_write(const leave_t *self, buffer_t *out)
{
    buffer_u8(out, LEAVE_FORMAT);
    buffer_append(out, self->group, GROUP_ID_BYTES);
    buffer_u32(out, self->leaf);
    buffer_u64(out, self->epoch_added);
    buffer_append(out, self->signature, SIGNATURE_BYTES);
}
