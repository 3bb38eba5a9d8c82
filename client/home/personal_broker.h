/* SPDX-License-Identifier: MPL-2.0 */
/* A broker of one's own on this machine: finding a running one, and starting one that outlives this
 * process. */
#ifndef CONCLAVE_CLIENT_HOME_PERSONAL_BROKER_H
#define CONCLAVE_CLIENT_HOME_PERSONAL_BROKER_H

#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

/* The address (key included, NUL-terminated) of the broker in the default place,
   $XDG_DATA_HOME/conclave-broker, if something listens there. STATUS_NOT_FOUND, STATUS_TOO_LARGE.
   out is empty on failure. */
MUST_CHECK status_t personal_broker_find(char *out, size_t size);

/*
 * Starts conclaved, detached, its log in conclave-broker/broker.log, and waits up to timeout_ms
 * until it can be reached. The program is looked for beside this one, beside argv0 and in PATH. The
 * port is that of an earlier run, else 5670, else a free one. A running one is STATUS_OK too.
 * STATUS_NOT_FOUND: no conclaved on this machine. STATUS_TIMED_OUT. STATUS_IO_ERROR: it ended at
 * once; its log says why (personal_broker_log_path).
 */
MUST_CHECK status_t personal_broker_start(const char *argv0, uint64_t timeout_ms, char *out,
                                          size_t size);

/* The caller frees it. NULL if no data folder is known. */
char *personal_broker_log_path(void);

#endif
