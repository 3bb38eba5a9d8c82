/* SPDX-License-Identifier: MPL-2.0 */
/* A member's state of one group: where it stands in the history, its keys, and its senders'
 * ratchets. Changed by verified bytes only. */
#ifndef CONCLAVE_CLIENT_KEYS_GROUP_STATE_H
#define CONCLAVE_CLIENT_KEYS_GROUP_STATE_H

#include "client/keys/admin_list.h"
#include "client/keys/identity.h"
#include "client/keys/message_seal.h"
#include "client/keys/rows.h"
#include "client/keys/tree_math.h"
#include "proto/commit.h"
#include "proto/roster.h"

/* Owned by one actor. Not thread-safe. */
typedef struct group_state group_state_t;

/*
 * A newcomer's start: welcome (sealed), the commit that added or refreshed it, its own join
 * request's bytes and that prekey's secret, which stays the caller's to erase. Checks all that
 * PROTOCOL.md section 9 says. STATUS_BAD_SEAL, STATUS_BAD_WELCOME (malformed, or contradicts commit
 * or request), STATUS_BAD_COMMIT, STATUS_BAD_TRANSCRIPT, STATUS_BAD_SIGNATURE,
 * STATUS_BAD_CONFIRMATION. *out is NULL then. After a refresh epoch_added is the epoch of the
 * refresh until set.
 */
MUST_CHECK status_t group_state_from_welcome(group_state_t **out, const identity_t *identity,
                                             bytes_t sealed_welcome, bytes_t commit,
                                             bytes_t join_request, const secret_t *prekey_secret);
void group_state_destroy(group_state_t **self);

const uint8_t *group_state_group(const group_state_t *self); /* GROUP_ID_BYTES */
const name_t *group_state_group_name(const group_state_t *self);
uint64_t group_state_epoch(const group_state_t *self);
uint64_t group_state_epoch_added(const group_state_t *self);
leaf_index_t group_state_leaf(const group_state_t *self); /* own */
unsigned group_state_depth(const group_state_t *self);
const uint8_t *group_state_transcript(const group_state_t *self);  /* HASH_BYTES */
const uint8_t *group_state_roster_root(const group_state_t *self); /* HASH_BYTES */
/* T of an epoch among the last TRANSCRIPTS_KEPT. NULL if unknown. */
const uint8_t *group_state_transcript_of(const group_state_t *self, uint64_t epoch);
size_t group_state_admin_count(const group_state_t *self);
const group_admin_t *group_state_admin(const group_state_t *self, size_t at); /* by leaf */
/* NULL if the leaf is no admin's. */
const group_admin_t *group_state_find_admin(const group_state_t *self, leaf_index_t leaf);

/* Checks a roster entry against the present root, and learns an unknown admin's key by it.
 * STATUS_BAD_PROOF. proof as for roster_proof_verify. */
MUST_CHECK status_t group_state_prove(group_state_t *self, const roster_member_t *member,
                                      bytes_t proof);

typedef enum {
    COMMIT_FOLLOWED,     /* the state is in the new epoch */
    COMMIT_REMOVED_ME,   /* verified; the state stays as it was and is of no more use */
    COMMIT_REFRESHED_ME, /* verified; the state stays as it was: go on with the welcome, or stop if
                            this device didn't ask */
} commit_outcome_t;

/*
 * STATUS_BAD_COMMIT, STATUS_NOT_ADMIN, STATUS_UNPROVEN (the committer's key is unknown: prove its
 * entry, try again), STATUS_BAD_TRANSCRIPT (another group or history), STATUS_STALE_EPOCH,
 * STATUS_EPOCH_AHEAD, STATUS_BAD_MAC, STATUS_BAD_SIGNATURE, STATUS_BAD_SEAL,
 * STATUS_BAD_CONFIRMATION: nothing changes then.
 */
MUST_CHECK status_t group_state_apply_commit(group_state_t *self, bytes_t commit,
                                             commit_outcome_t *outcome);

/*
 * Appends a sealed message in the present epoch, and moves the own ratchet: save the rows and the
 * bytes in one transaction before they leave. header may be NULL. STATUS_TOO_LARGE,
 * STATUS_KEY_ERASED (no generation left).
 */
MUST_CHECK status_t group_state_seal(group_state_t *self, const identity_t *identity,
                                     const message_body_t *body, buffer_t *out,
                                     message_header_t *header);

/*
 * Opens a sealed message. sender_key: the proven identity key of the header's leaf, or NULL if
 * there is none yet. STATUS_OK: proven. STATUS_UNPROVEN: opened, keep it and verify later (only
 * with NULL). In both the ratchet has moved and *out is filled. STATUS_BAD_HEADER,
 * STATUS_STALE_EPOCH, STATUS_EPOCH_AHEAD, STATUS_UNKNOWN_LEAF, STATUS_KEY_ERASED,
 * STATUS_TOO_FAR_AHEAD, STATUS_BAD_SEAL, STATUS_BAD_SIGNATURE: nothing has changed, *out is empty.
 */
MUST_CHECK status_t group_state_open(group_state_t *self, bytes_t sealed, const uint8_t *sender_key,
                                     opened_message_t *out);

/*
 * Rows: "h" head; "e" + epoch (8) transcripts; "n" + node (4), "c" + leaf (4) secret tree. save
 * gives what changed since the last save (all of it after from_welcome). Load:
 * group_state_load_new, the rows with "h" first, then group_state_load_end. STATUS_DAMAGED_FILE,
 * STATUS_NEWER_FORMAT.
 */
void group_state_save(group_state_t *self, row_fn *row, void *context);
void group_state_save_all(const group_state_t *self, row_fn *row, void *context);
group_state_t *group_state_load_new(void);
MUST_CHECK status_t group_state_load_row(group_state_t *self, bytes_t key, bytes_t value);
MUST_CHECK status_t group_state_load_end(group_state_t *self);

#endif
