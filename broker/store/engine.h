/* SPDX-License-Identifier: MPL-2.0 */
/* What an engine of the store implements. Only engines and store.c include this. */
#ifndef CONCLAVE_BROKER_STORE_ENGINE_H
#define CONCLAVE_BROKER_STORE_ENGINE_H

#include "broker/store/store.h"

/* The contract of each is that of the store_ function of the same name. `get` sees no NULL outputs
   except a NULL `value`, which means that only the version is wanted. */
typedef struct {
    status_t (*get)(store_t *self, const void *key, size_t key_size, uint8_t **value,
                    size_t *value_size, uint64_t *version);
    status_t (*range)(store_t *self, const store_range_t *range, store_visit_t *visit,
                      void *context);
    status_t (*write)(store_t *self, const store_unit_t *units, size_t count, status_t *outcomes);
    status_t (*reopen)(store_t *self);
    status_t (*checkpoint)(store_t *self, const char *dir);
    status_t (*room)(store_t *self);
    status_t (*size_bytes)(store_t *self, uint64_t *size_bytes);
    void (*destroy)(store_t *self);
} store_engine_t;

/* First member of each engine's own struct. */
struct store {
    const store_engine_t *engine;
};

#endif
