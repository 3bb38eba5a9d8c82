/* SPDX-License-Identifier: MPL-2.0 */
/* A commit that was made but not accepted yet: what to send, and what to change once it is
 * accepted. */
#ifndef CONCLAVE_CLIENT_KEYS_PREPARED_COMMIT_H
#define CONCLAVE_CLIENT_KEYS_PREPARED_COMMIT_H

#include "client/keys/holder.h"

typedef struct {
    name_t recipient;
    buffer_t sealed;
} prepared_welcome_t;

/* Owned. Sent only in these very bytes: an admin signs one commit for each epoch. */
typedef struct {
    buffer_t commit;              /* whole */
    prepared_welcome_t *welcomes; /* for each add, then for each refresh, in the commit's order */
    size_t welcome_count;
    /* The journal */
    key_journal_t keys;
    roster_journal_t roster;
    uint8_t transcript[HASH_BYTES]; /* T_{e+1} */
    secret_t membership;            /* of e+1 */
} prepared_commit_t;

void prepared_commit_destroy(
    prepared_commit_t **self); /* also how one is discarded: nothing has changed */

/* To be stored before the commit is sent (secret), and read after a restart. STATUS_DAMAGED_FILE,
 * STATUS_NEWER_FORMAT. */
void prepared_commit_write(const prepared_commit_t *self, buffer_t *out);
MUST_CHECK status_t prepared_commit_read(prepared_commit_t **out, bytes_t bytes);

/* The holder moves to epoch e+1; *prepared is consumed. STATUS_OUT_OF_STEP if it was not made on
 * the holder's present state: nothing changes then. */
MUST_CHECK status_t holder_adopt(holder_t *self, prepared_commit_t **prepared);

#endif
