/* SPDX-License-Identifier: MPL-2.0 */
/* The transcripts of a group's last epochs, and which join requests were served in each. */
#ifndef CONCLAVE_CLIENT_KEYS_TRANSCRIPTS_H
#define CONCLAVE_CLIENT_KEYS_TRANSCRIPTS_H

#include "client/keys/rows.h"
#include "proto/limits.h"

typedef struct {
    uint64_t epoch;
    uint8_t transcript[HASH_BYTES];
    uint8_t (*served)[HASH_BYTES]; /* owned; NULL if none */
    size_t served_count;
    bool is_set;
} transcript_entry_t;

/* All zero is valid and empty. Epochs without gaps, the last TRANSCRIPTS_KEPT of them. */
typedef struct {
    transcript_entry_t entries[TRANSCRIPTS_KEPT]; /* by epoch modulo */
    uint64_t newest;
    size_t count;
    uint64_t saved_from, saved_to; /* rows on the device: [from, to) */
} transcripts_t;

void transcripts_free(transcripts_t *self);
/* served is copied. The epoch follows the newest, or is the first. */
void transcripts_push(transcripts_t *self, uint64_t epoch,
                      const uint8_t transcript[static HASH_BYTES],
                      const uint8_t (*served)[HASH_BYTES], size_t served_count);
/* NULL if not kept. Lives until the next push. */
const uint8_t *transcripts_of(const transcripts_t *self, uint64_t epoch);
bool transcripts_know(const transcripts_t *self, const uint8_t transcript[static HASH_BYTES]);
bool transcripts_served(const transcripts_t *self, const uint8_t request[static HASH_BYTES]);

/* Rows "e" + epoch (8): transcript, then the hashes of served requests. */
void transcripts_save(transcripts_t *self, row_fn *row, void *context);
void transcripts_save_all(const transcripts_t *self, row_fn *row, void *context);
MUST_CHECK status_t transcripts_load_row(transcripts_t *self, bytes_t key, bytes_t value);
/* Checks that the rows are those of the last epochs up to this one. */
MUST_CHECK status_t transcripts_load_end(transcripts_t *self, uint64_t epoch);

#endif
