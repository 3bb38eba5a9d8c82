/* SPDX-License-Identifier: MPL-2.0 */
/* Counts the durable writes of a program and ends it at one of them, as a power cut would. */
#ifndef CONCLAVE_TESTS_REHEARSAL_DURABLE_WRITE_H
#define CONCLAVE_TESTS_REHEARSAL_DURABLE_WRITE_H

#include <stdbool.h>

/*
 * CONCLAVE_REHEARSAL_COUNT=FILE: each write adds a byte, so that the count goes on over the
 * processes of one person, and a write that a process died at is not met again.
 * CONCLAVE_REHEARSAL_DIE=before:N or after:N: SIGKILL on that side of write N.
 * CONCLAVE_REHEARSAL_DIE=lost:N: write N is left out but reported as done, and the process dies
 * before the next one: what a program does that acknowledges before it writes. Any thread.
 */

/* Before a write. False: it is to be left out. */
bool durable_write_begin(void);

/* After the write that this thread began last. */
void durable_write_end(void);

#endif
