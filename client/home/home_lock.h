/* SPDX-License-Identifier: MPL-2.0 */
/* The lock file of a home: an open-file-description lock, which the kernel releases however its
 * holder dies; the file's content only says who that is. */
#ifndef CONCLAVE_CLIENT_HOME_HOME_LOCK_H
#define CONCLAVE_CLIENT_HOME_HOME_LOCK_H

#include "client/home/home.h"

/* *out: the locked file; closing it releases the lock. Statuses of home_lock. */
MUST_CHECK status_t home_lock_take(int folder, const char *role, uint64_t timeout_ms, int *out);
/* Writes pid and role into a locked file. STATUS_IO_ERROR. */
MUST_CHECK status_t home_lock_describe(int lock, const char *role);
/* STATUS_NOT_FOUND, STATUS_IO_ERROR. */
MUST_CHECK status_t home_lock_holder(int folder, home_holder_t *out);

#endif
