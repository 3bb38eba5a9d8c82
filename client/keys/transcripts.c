/* SPDX-License-Identifier: MPL-2.0 */
/* A ring of the last epochs. */
#include "client/keys/transcripts.h"

#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

static transcript_entry_t *entry_of(transcripts_t *self, uint64_t epoch)
{
    return &self->entries[epoch % TRANSCRIPTS_KEPT];
}

static uint64_t oldest(const transcripts_t *self)
{
    return self->newest + 1 - self->count;
}

void transcripts_free(transcripts_t *self)
{
    for (size_t i = 0; i < TRANSCRIPTS_KEPT; i++)
        free(self->entries[i].served);
    memset(self, 0, sizeof *self);
}

static void set_entry(transcript_entry_t *entry, uint64_t epoch, const uint8_t *transcript,
                      const void *served, size_t served_count)
{
    free(entry->served);
    *entry = (transcript_entry_t){.epoch = epoch, .served_count = served_count, .is_set = true};
    memcpy(entry->transcript, transcript, HASH_BYTES);
    if (served_count)
        entry->served = mem_dup(served, served_count * HASH_BYTES);
}

void transcripts_push(transcripts_t *self, uint64_t epoch,
                      const uint8_t transcript[static HASH_BYTES],
                      const uint8_t (*served)[HASH_BYTES], size_t served_count)
{
    set_entry(entry_of(self, epoch), epoch, transcript, served, served_count);
    self->newest = epoch;
    if (self->count < TRANSCRIPTS_KEPT)
        self->count++;
}

const uint8_t *transcripts_of(const transcripts_t *self, uint64_t epoch)
{
    const transcript_entry_t *entry = &self->entries[epoch % TRANSCRIPTS_KEPT];
    return entry->is_set && entry->epoch == epoch ? entry->transcript : NULL;
}

bool transcripts_know(const transcripts_t *self, const uint8_t transcript[static HASH_BYTES])
{
    for (size_t i = 0; i < TRANSCRIPTS_KEPT; i++)
        if (self->entries[i].is_set && !memcmp(self->entries[i].transcript, transcript, HASH_BYTES))
            return true;
    return false;
}

bool transcripts_served(const transcripts_t *self, const uint8_t request[static HASH_BYTES])
{
    for (size_t i = 0; i < TRANSCRIPTS_KEPT; i++)
        for (size_t j = 0; j < self->entries[i].served_count; j++)
            if (!memcmp(self->entries[i].served[j], request, HASH_BYTES))
                return true;
    return false;
}

#define ROW_KEY_BYTES (1 + 8)

static void row_key(uint8_t out[static ROW_KEY_BYTES], uint64_t epoch)
{
    out[0] = 'e';
    put_u64(out + 1, epoch);
}

static void save_entry(const transcript_entry_t *entry, row_fn *row, void *context)
{
    uint8_t key[ROW_KEY_BYTES];
    row_key(key, entry->epoch);
    buffer_t value = {0};
    buffer_append(&value, entry->transcript, HASH_BYTES);
    buffer_append(&value, entry->served, entry->served_count * HASH_BYTES);
    row(context, ROW_PUT, (bytes_t){key, sizeof key}, buffer_view(&value));
    buffer_free(&value);
}

void transcripts_save(transcripts_t *self, row_fn *row, void *context)
{
    uint64_t from = oldest(self);
    for (uint64_t epoch = self->saved_from; epoch < self->saved_to && epoch < from; epoch++) {
        uint8_t key[ROW_KEY_BYTES];
        row_key(key, epoch);
        row(context, ROW_DELETE, (bytes_t){key, sizeof key}, (bytes_t){NULL, 0});
    }
    uint64_t epoch = self->saved_to > from ? self->saved_to : from;
    for (; epoch <= self->newest; epoch++)
        save_entry(entry_of(self, epoch), row, context);
    self->saved_from = from;
    self->saved_to = self->newest + 1;
}

void transcripts_save_all(const transcripts_t *self, row_fn *row, void *context)
{
    for (uint64_t epoch = oldest(self); epoch <= self->newest; epoch++)
        save_entry(&self->entries[epoch % TRANSCRIPTS_KEPT], row, context);
}

status_t transcripts_load_row(transcripts_t *self, bytes_t key, bytes_t value)
{
    if (key.size != ROW_KEY_BYTES || value.size < HASH_BYTES || value.size % HASH_BYTES)
        return STATUS_DAMAGED_FILE;
    uint64_t epoch = get_u64(key.data + 1);
    if (epoch == UINT64_MAX || entry_of(self, epoch)->is_set)
        return STATUS_DAMAGED_FILE;
    set_entry(entry_of(self, epoch), epoch, value.data, value.data + HASH_BYTES,
              value.size / HASH_BYTES - 1);
    self->count++;
    return STATUS_OK;
}

status_t transcripts_load_end(transcripts_t *self, uint64_t epoch)
{
    if (!self->count || self->count - 1 > epoch)
        return STATUS_DAMAGED_FILE;
    self->newest = epoch;
    for (uint64_t e = oldest(self); e <= epoch; e++)
        if (!transcripts_of(self, e))
            return STATUS_DAMAGED_FILE;
    self->saved_from = oldest(self);
    self->saved_to = epoch + 1;
    return STATUS_OK;
}
