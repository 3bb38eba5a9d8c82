/* SPDX-License-Identifier: MPL-2.0 */
/* The thread that writes to the store, so that the router's thread receives while a batch syncs. */
#ifndef CONCLAVE_BROKER_ROUTER_WRITER_H
#define CONCLAVE_BROKER_ROUTER_WRITER_H

#include "broker/store/store.h"
#include "broker/store/unit.h"

/* One job at a time: give it, wait until writer_fd is readable, take the result. All functions are
   called by one thread, the router's. */
typedef struct writer writer_t;

/* Starts the thread. The store stays the caller's and must outlive the writer. NULL if no thread
   can be had. */
writer_t *writer_new(store_t *store);

/* Waits for the job in progress, if any, and ends the thread. NULL is allowed. */
void writer_destroy(writer_t **self);

/* Readable (poll for input) from the moment a job is done until writer_take. */
int writer_fd(const writer_t *self);

bool writer_is_busy(const writer_t *self);

/* Both need an idle writer. store_write: units and outcomes are borrowed until writer_take. */
void writer_write(writer_t *self, const store_unit_t *units, size_t count, status_t *outcomes);
void writer_reopen(writer_t *self);

/* The finished job's status, which makes the writer idle again. Blocks while the job runs.
 *duration_us may be NULL. */
MUST_CHECK status_t writer_take(writer_t *self, uint64_t *duration_us);

#endif
