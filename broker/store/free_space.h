/* SPDX-License-Identifier: MPL-2.0 */
/* How much room is left on the store's file system, asked often and cheaply. */
#ifndef CONCLAVE_BROKER_STORE_FREE_SPACE_H
#define CONCLAVE_BROKER_STORE_FREE_SPACE_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed = never asked. Owned by one thread. */
typedef struct {
    uint64_t asked_ms; /* monotonic_clock_ms */
    uint64_t bytes;    /* free then, less what was spent since */
} free_space_t;

/* Bytes free for this process at `path`: statvfs at most every 100 ms, less what was spent since.
   0 when the file system can't be asked. */
uint64_t free_space_bytes(free_space_t *self, const char *path);

/* Counts bytes about to be written. */
void free_space_spend(free_space_t *self, uint64_t bytes);

#endif
