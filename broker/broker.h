/* SPDX-License-Identifier: MPL-2.0 */
/* A whole broker: opens what it needs in the right order, runs, and closes it again. */
#ifndef CONCLAVE_BROKER_BROKER_H
#define CONCLAVE_BROKER_BROKER_H

#include "broker/log.h"
#include "broker/settings/options.h"

#define BROKER_URL_NAME "broker.url"

/* Runs until a signal (signal_fd of signals_open) says stop. What goes wrong at the start is logged
   as an error with its cause and what to do about it; the status says no more than the log.
   *options follows the signals: what SIGHUP and SIGUSR1 change. `leave` ends the process at once
   with the exit code of a stop, in any thread: for a drain that is not done in time. */
MUST_CHECK status_t broker_run(options_t *options, log_t *log, int signal_fd, void (*leave)(void));

#endif
