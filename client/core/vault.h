/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a core keeps on the device: an ordered key-value vault, read at will and written in
 * transactions. The cores never write themselves: a step's writes are an effect that its actor
 * applies before anything else of that step leaves. Engines: client/vault (SQLite, values sealed),
 * and memory for simulations.
 */
#ifndef CONCLAVE_CLIENT_CORE_VAULT_H
#define CONCLAVE_CLIENT_CORE_VAULT_H

#include "proto/bytes.h"

/* An ordered list of puts and deletes of one transaction; later ones win. All zero is a valid empty
 * list. Values may be secret: wiped when freed. */
typedef struct {
    buffer_t bytes;
    size_t count;
    bool
        erases_keys; /* a value that held key material is overwritten or deleted: checkpoint soon */
} writes_t;

void writes_put(writes_t *self, bytes_t key, bytes_t value);
void writes_delete(writes_t *self, bytes_t key);
void writes_delete_prefix(writes_t *self, bytes_t prefix);
/* Calls op for each in order: value.data is NULL for a delete; is_prefix for a delete of all keys
 * that start so. */
typedef void writes_visit_fn(void *context, bytes_t key, bytes_t value, bool is_prefix);
void writes_each(const writes_t *self, writes_visit_fn *op, void *context);
void writes_wipe(writes_t *self);

typedef struct vault vault_t;

/* Return false to stop. Views live during the call. */
typedef bool vault_visit_fn(void *context, bytes_t key, bytes_t value);

typedef struct {
    /* STATUS_NOT_FOUND, STATUS_DAMAGED_FILE, STATUS_IO_ERROR. Appends the value to out (wipe it:
     * buffer_wipe). */
    status_t (*get)(vault_t *self, bytes_t key, buffer_t *out);
    /* All keys that start with prefix, ascending (or descending if reverse), from start (inclusive;
     * empty: from the end of the range). */
    status_t (*range)(vault_t *self, bytes_t prefix, bytes_t start, bool reverse,
                      vault_visit_fn *visit, void *context);
    /* One transaction, on disk when it returns STATUS_OK. */
    status_t (*apply)(vault_t *self, const writes_t *writes);
    /* Overwritten and deleted values leave the files. */
    status_t (*checkpoint)(vault_t *self);
    void (*destroy)(vault_t *self);
} vault_ops_t;

/* Engines embed this as their first member. Owned by one actor. Not thread-safe. */
struct vault {
    const vault_ops_t *ops;
};

MUST_CHECK status_t vault_get(vault_t *self, bytes_t key, buffer_t *out);
MUST_CHECK status_t vault_range(vault_t *self, bytes_t prefix, bytes_t start, bool reverse,
                                vault_visit_fn *visit, void *context);
MUST_CHECK status_t vault_apply(vault_t *self, const writes_t *writes);
MUST_CHECK status_t vault_checkpoint(vault_t *self);
void vault_destroy(vault_t **self);

#endif
