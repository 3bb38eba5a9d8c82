/* SPDX-License-Identifier: MPL-2.0 */
/* Signals as something to poll: no handler, so that no call returns early. */
#ifndef CONCLAVE_CLIENT_UI_SIGNALS_H
#define CONCLAVE_CLIENT_UI_SIGNALS_H

#include "proto/status.h"

#include <signal.h>
#include <stddef.h>

/*
 * Blocks SIGINT, SIGTERM, SIGHUP and SIGWINCH (those that weren't ignored before, as under nohup)
 * in this thread and those it starts, ignores SIGPIPE, and returns a descriptor that is readable
 * when one came. Once, before any thread. STATUS_IO_ERROR.
 */
status_t signals_open(int *fd) MUST_CHECK;

/* Those of `count` numbers that this process doesn't ignore. */
void signals_heeded(sigset_t *out, const int *numbers, size_t count);

/* The next signal that came, or 0. Never waits. */
int signals_take(int fd);

#endif
