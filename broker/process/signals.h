/* SPDX-License-Identifier: MPL-2.0 */
/* Signals as something to read: blocked in every thread, so that none interrupts a poll. */
#ifndef CONCLAVE_BROKER_PROCESS_SIGNALS_H
#define CONCLAVE_BROKER_PROCESS_SIGNALS_H

#include "proto/status.h"

/* SIGTERM or SIGINT; SIGHUP; SIGUSR1. */
typedef enum { SIGNAL_NONE, SIGNAL_STOP, SIGNAL_RELOAD, SIGNAL_LOG_LEVEL } signal_kind_t;

/* Blocks SIGTERM, SIGINT, SIGHUP and SIGUSR1 (and SIGPIPE and SIGXFSZ for good) in the calling
   thread and in all that it starts later, keeps CZMQ from handling them, and returns what becomes
   readable when one comes. Call it before the first use of CZMQ. STATUS_IO_ERROR. */
MUST_CHECK status_t signals_open(int *fd);

/* What came, or SIGNAL_NONE. Does not wait. */
signal_kind_t signals_read(int fd);

#endif
