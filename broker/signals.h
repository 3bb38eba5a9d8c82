/* SPDX-License-Identifier: MPL-2.0 */
/* Signals as something to read: blocked in every thread, so that none interrupts a poll. */
#ifndef CONCLAVE_BROKER_SIGNALS_H
#define CONCLAVE_BROKER_SIGNALS_H

#include "proto/status.h"

typedef enum { SIGNAL_NONE, SIGNAL_STOP, SIGNAL_RELOAD } signal_kind_t;

/* Blocks SIGTERM, SIGINT and SIGHUP (and SIGPIPE for good) in the calling thread and in all that it
   starts later, keeps CZMQ from handling them, and returns what becomes readable when one comes.
   Call it before the first use of CZMQ. STATUS_IO_ERROR. */
MUST_CHECK status_t signals_open(int *fd);

/* What came, or SIGNAL_NONE. Does not wait. */
signal_kind_t signals_read(int fd);

#endif
