/* SPDX-License-Identifier: MPL-2.0 */
/* Whether a store is sound: every record decodes, what refers to another finds it, and what is
 * counted or numbered adds up. */
#ifndef CONCLAVE_BROKER_RULES_CHECK_H
#define CONCLAVE_BROKER_RULES_CHECK_H

#include "broker/store/store.h"
#include "proto/limits.h"

#include <stddef.h>
#include <stdint.h>

/* How many kinds of records there are, and what people call each. */
#define CHECK_KINDS 20
const char *check_kind_name(size_t kind);

typedef struct {
    uint64_t records[CHECK_KINDS]; /* by kind, those that don't decode included */
    uint64_t unknown;              /* of a kind that this version doesn't know */
    uint64_t bytes;                /* of keys and values */
    uint64_t problems;
} check_counts_t;

/* One thing that is wrong. `key` is the record's as printable ASCII: its letter, then a group as
 * hexadecimal, a name, a number. Both are lent for the call. */
typedef void check_tell_t(void *context, const char *key, const char *reason);

/*
 * Reads the whole store, a closed one or one that nobody writes to. `broker_key` is the public one
 * that registrations are signed for; NULL: their signatures are not verified. Each problem is told
 * and counted; reading goes on. STATUS_OK: read to its end, whatever was found.
 * STATUS_STORE_FAILED: a record can't be read at all, which is told too; what comes after it was
 * not looked at.
 */
MUST_CHECK status_t check_run(store_t *store, const uint8_t *broker_key, check_tell_t *tell,
                              void *context, check_counts_t *counts);

#endif
