/* SPDX-License-Identifier: MPL-2.0 */
/* A sorted set of writes not yet stored, over a store: the rules read what they wrote, and what a
   refused request wrote can be taken back. */
#ifndef CONCLAVE_BROKER_STORE_OVERLAY_H
#define CONCLAVE_BROKER_STORE_OVERLAY_H

#include "broker/store/store.h"
#include "broker/store/unit.h"
#include "proto/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Life of one: rules of many requests run over it, each inside mark .. (rollback on refusal); then
   take_unit -> store_write -> clear; the next batch begins.

     overlay_mark_t mark = overlay_mark(overlay);
     status_t status = rules_append(overlay, ...);
     if (status != STATUS_OK)
         overlay_rollback(overlay, mark);

   Versions in the overlay count on from the store's: a record of version 7 that was put twice here
   reads as 9 and is stored as 9. A copy cached by version is therefore good within a batch too, but
   drop those made since a mark when rolling back to it, and all made in a batch whose write failed
   or conflicted: these numbers will be given again.

   Owned by one thread. The store must not be written between the first read of a batch and its own
   store_write (an expectation catches who does). */
typedef struct overlay overlay_t;

/* A point to roll back to. Good until overlay_clear, or a rollback to an earlier mark. */
typedef struct {
    size_t undo_count;
} overlay_mark_t;

/* `store` is borrowed and must outlive the overlay. */
overlay_t *overlay_new(store_t *store);
void overlay_destroy(overlay_t **self);

/* Like store_get, with what was written here on top. */
MUST_CHECK status_t overlay_get(overlay_t *self, const void *key, size_t key_size, uint8_t **value,
                                size_t *value_size, uint64_t *version);

/* Like store_range, with what was written here on top; both directions, limit. The visitor may read
   the overlay, not write it. */
MUST_CHECK status_t overlay_range(overlay_t *self, const store_range_t *range, store_visit_t *visit,
                                  void *context);

/* Says which version the decision was made on (0 = absent), as overlay_get or a cache gave it. The
   write then succeeds only if the store still has it. A put of this key afterwards needs no read.
   For a key that was written here before it checks the version here and adds nothing to the write:
   expect first, put then. STATUS_CONFLICT: the overlay already knows better. */
MUST_CHECK status_t overlay_expect(overlay_t *self, const void *key, size_t key_size,
                                   uint64_t version);

/* Puts a record. The bytes are copied. Reads the store for the version unless this key was expected
   or written here before. STATUS_STORE_FAILED from that read; nothing is changed then. */
MUST_CHECK status_t overlay_put(overlay_t *self, const void *key, size_t key_size,
                                const void *value, size_t value_size);

/* Puts a record whose key is known to be absent (an event under the next sequence number): no read.
 */
void overlay_put_new(overlay_t *self, const void *key, size_t key_size, const void *value,
                     size_t value_size);

/* Puts a record whose version the caller knows (from a range or get, or its own count of puts), without a read or an expectation: something else must guard it.
 */
void overlay_put_known(overlay_t *self, const void *key, size_t key_size, const void *value,
                       size_t value_size, uint64_t version);

/* Deletes a record, present or not. */
void overlay_delete(overlay_t *self, const void *key, size_t key_size);

/* Deletes from <= key < to. Both ends are needed. */
void overlay_delete_range(overlay_t *self, const void *from, size_t from_size, const void *to,
                          size_t to_size);

/* The state now, and back to it: what was written and expected since is gone. */
overlay_mark_t overlay_mark(const overlay_t *self);
void overlay_rollback(overlay_t *self, overlay_mark_t mark);

/* True when there is nothing to write (expectations alone don't count). */
bool overlay_is_empty(const overlay_t *self);

/* Bytes of keys and values waiting here, to bound a batch. */
size_t overlay_size_bytes(const overlay_t *self);

/* Appends everything to `unit` (usually empty): first expectations, then range deletes, then puts
   and deletes in key order, one per key however often it was put. The overlay stays as it was, so
   that reads go on; call overlay_clear once the write is settled, whatever its outcome. */
void overlay_take_unit(const overlay_t *self, store_unit_t *unit);

/* Forgets everything; marks are void. */
void overlay_clear(overlay_t *self);

#endif
