/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's store: an ordered key-value contract that an embedded engine keeps now and a
   distributed one could keep later. The rules know nothing else about where records live. */
#ifndef CONCLAVE_BROKER_STORE_STORE_H
#define CONCLAVE_BROKER_STORE_STORE_H

#include "broker/store/unit.h"
#include "proto/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keys are 1 or more arbitrary bytes in memcmp order, a prefix before what it starts (the empty key
   is the engine's own). Values are arbitrary bytes, empty allowed.

   Versions: each record carries the number of writes its key has seen. Absent = 0, the first put
   makes 1, the next 2. A delete resets it: after a delete the next put makes 1 again.

   Threads: get, range, size and checkpoint may run in any thread at any time, together with at most
   one store_write; they see a write wholly or not at all (one range call sees one snapshot).
   store_write runs in one thread at a time. store_reopen waits for the calls in progress.
   store_destroy must be the last and only call. The memory engine is for one thread only. */
typedef struct store store_t;

/* One record, lent for the time of a callback. */
typedef struct {
    const uint8_t *key;
    size_t key_size;
    const uint8_t *value;
    size_t value_size;
    uint64_t version;
} store_record_t;

/* Which records, in which order: from <= key < to. A NULL `from` is the first key, a NULL `to` is
   past the last. At most `limit` records, 0 = all. `reverse` starts at the last: with limit 1 it
   finds the last record in the range. The bytes must live until the call returns. */
typedef struct {
    const void *from;
    size_t from_size;
    const void *to;
    size_t to_size;
    size_t limit;
    bool reverse;
} store_range_t;

/* Called for each record of a range. Returns false to stop. It may read the store, not write it. */
typedef bool store_visit_t(void *context, const store_record_t *record);

/* Reads one record. *value is a copy that the caller owns (free()); `value` and `value_size` may
   both be NULL when only the version matters, `version` may be NULL too.
   STATUS_NOT_FOUND: absent, *value = NULL, *value_size = 0, *version = 0. STATUS_STORE_FAILED. */
MUST_CHECK status_t store_get(store_t *self, const void *key, size_t key_size, uint8_t **value,
                              size_t *value_size, uint64_t *version);

/* Visits the records of a range in order. Being stopped by the visitor is STATUS_OK.
   STATUS_STORE_FAILED, also after some records were visited. */
MUST_CHECK status_t store_range(store_t *self, const store_range_t *range, store_visit_t *visit,
                                void *context);

/* Writes the units in order with one sync. A unit is written wholly or not at all, and sees what
   the units before it in the list did. On STATUS_OK the list is on disk and outcomes[i] is
   STATUS_OK, or STATUS_CONFLICT where an expected version did not hold. Otherwise every outcome is
   the status: STATUS_STORE_FULL: free space is below the reserve; nothing was stored, the store
   goes on. STATUS_STORE_FAILED: it is unknown whether the list was stored (all of it or nothing).
   From then on every call is refused with STATUS_STORE_FAILED until store_reopen succeeds. */
MUST_CHECK status_t store_write(store_t *self, const store_unit_t *units, size_t count,
                                status_t *outcomes);

/* Closes the engine and opens it again, in place: what was acknowledged is there, and whether the
   failed write is there is settled. The caller does the back-off between attempts.
   STATUS_STORE_FAILED and every status that opening gives: still failed, try again later. */
MUST_CHECK status_t store_reopen(store_t *self);

/* Writes a consistent copy of the store into `dir`, which must not exist; its parent must. It opens
   like any store. STATUS_INVALID: the engine has no checkpoints. STATUS_IO_ERROR,
   STATUS_STORE_FAILED. */
MUST_CHECK status_t store_checkpoint(store_t *self, const char *dir);

/* Whether a write that needs room would be accepted now: STATUS_OK, STATUS_STORE_FULL, or
   STATUS_STORE_FAILED. In the thread that writes, or while nothing is being written. */
MUST_CHECK status_t store_room(store_t *self);

/* Bytes the store takes, on disk or in memory. STATUS_IO_ERROR. */
MUST_CHECK status_t store_size_bytes(store_t *self, uint64_t *size_bytes);

/* Closes the store; *self becomes NULL. NULL is allowed. */
void store_destroy(store_t **self);

/* The end of the range of keys that start with `prefix`: fills end[0..size) and returns the end's
   size, at most `size`. Returns 0 when there is none (all bytes are 0xff): use a NULL `to`. */
size_t store_prefix_end(const void *prefix, size_t size, uint8_t *end);

/* memcmp order, the shorter first when one is a prefix of the other: < 0, 0 or > 0. */
int store_key_compare(const void *left, size_t left_size, const void *right, size_t right_size);

#endif
