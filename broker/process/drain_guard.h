/* SPDX-License-Identifier: MPL-2.0 */
/* Ends a drain that takes too long: at its limit, or when somebody asks again. */
#ifndef CONCLAVE_BROKER_PROCESS_DRAIN_GUARD_H
#define CONCLAVE_BROKER_PROCESS_DRAIN_GUARD_H

#include <stdint.h>

typedef struct drain_guard drain_guard_t;

typedef enum { DRAIN_LIMIT, DRAIN_SIGNAL } drain_end_t;

/* Called in the guard's thread, at most once. The other threads may hang in a write or in libzmq:
   it may rely on none of them. */
typedef void drain_over_t(void *context, drain_end_t end);

/* Starts the time. From now on nobody else may read signal_fd (of signals_open). NULL if no thread
   can be had. */
drain_guard_t *drain_guard_new(int signal_fd, uint64_t limit_ms, drain_over_t *over, void *context);

/* The drain is done. A call of `over` that has begun is waited for. *self may be NULL. */
void drain_guard_destroy(drain_guard_t **self);

#endif
