/* SPDX-License-Identifier: MPL-2.0 */
/* A prepared commit as an object and as bytes. */
#include "client/keys/prepared_commit.h"

#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

#define PREPARED_FORMAT 1

void prepared_commit_destroy(prepared_commit_t **self)
{
    if (!*self)
        return;
    buffer_free(&(*self)->commit);
    for (size_t i = 0; i < (*self)->welcome_count; i++)
        buffer_free(&(*self)->welcomes[i].sealed);
    free((*self)->welcomes);
    key_journal_wipe(&(*self)->keys);
    roster_journal_wipe(&(*self)->roster);
    secret_wipe(&(*self)->membership);
    free(*self);
    *self = NULL;
}

void prepared_commit_write(const prepared_commit_t *self, buffer_t *out)
{
    buffer_u8(out, PREPARED_FORMAT);
    buffer_lp(out, self->commit.data, self->commit.size);
    buffer_append(out, self->transcript, HASH_BYTES);
    buffer_append(out, self->membership.bytes, KEY_BYTES);
    buffer_u16(out, (uint16_t)self->welcome_count);
    for (size_t i = 0; i < self->welcome_count; i++) {
        name8_write(out, &self->welcomes[i].recipient);
        buffer_lp(out, self->welcomes[i].sealed.data, self->welcomes[i].sealed.size);
    }
    key_journal_write(&self->keys, out);
    roster_journal_write(&self->roster, out);
}

static status_t read_lp(reader_t *in, size_t max, buffer_t *out)
{
    uint32_t size = reader_u32(in);
    const uint8_t *bytes = size <= max ? reader_take(in, size) : NULL;
    if (!bytes)
        return STATUS_DAMAGED_FILE;
    buffer_append(out, bytes, size);
    return STATUS_OK;
}

static status_t read_fields(prepared_commit_t *self, reader_t *in)
{
    status_t status = read_lp(in, COMMIT_MAX_BYTES, &self->commit);
    if (status)
        return status;
    reader_copy(in, self->transcript, HASH_BYTES);
    reader_copy(in, self->membership.bytes, KEY_BYTES);
    size_t count = reader_u16(in);
    if (count > COMMIT_ADDS_MAX + COMMIT_REFRESHES_MAX)
        return STATUS_DAMAGED_FILE;
    self->welcomes = mem_zalloc(count, sizeof *self->welcomes);
    for (self->welcome_count = 0; self->welcome_count < count;) {
        prepared_welcome_t *welcome = &self->welcomes[self->welcome_count++];
        welcome->recipient = name8_read(in);
        status = read_lp(in, WELCOME_MAX_BYTES, &welcome->sealed);
        if (status)
            return status;
    }
    status = key_journal_read(&self->keys, in);
    if (status)
        return status;
    status = roster_journal_read(&self->roster, in);
    return !status && !reader_done(in) ? STATUS_DAMAGED_FILE : status;
}

status_t prepared_commit_read(prepared_commit_t **out, bytes_t bytes)
{
    *out = NULL;
    reader_t in = reader_of(bytes.data, bytes.size);
    uint8_t format = reader_u8(&in);
    if (format != PREPARED_FORMAT)
        return format > PREPARED_FORMAT ? STATUS_NEWER_FORMAT : STATUS_DAMAGED_FILE;
    prepared_commit_t *self = mem_zalloc(1, sizeof *self);
    status_t status = read_fields(self, &in);
    if (status)
        prepared_commit_destroy(&self);
    *out = self;
    return status;
}
