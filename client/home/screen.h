/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A screen's end of its connection to the holder of a home: the same whether that is this process
 * (engine_screen_new) or another (home_attach). Frames are messages of client/local/local.h.
 */
#ifndef CONCLAVE_CLIENT_HOME_SCREEN_H
#define CONCLAVE_CLIENT_HOME_SCREEN_H

#include "proto/bytes.h"

/* Owned by one thread. Not thread-safe. */
typedef struct screen screen_t;

/* Takes over a connected stream socket. Never fails. */
screen_t *screen_new(int socket, bool is_remote);
/* Closes: the holder forgets the screen's subscriptions; requests that it has already read go on.
 */
void screen_destroy(screen_t **self);

/* Whether the holder is another process. */
bool screen_is_remote(const screen_t *self);
/* For poll(): readable when frames or the end may have come. Before polling, call screen_receive
 * with timeout 0 until it gives STATUS_TIMED_OUT. */
int screen_fd(const screen_t *self);

/*
 * Sends one frame, whole. Waits while the holder doesn't read, at most 30 s. STATUS_TOO_LARGE (over
 * LOCAL_FRAME_MAX_BYTES), STATUS_HOLDER_ENDED, STATUS_TIMED_OUT (the screen can't be used any
 * more), STATUS_IO_ERROR.
 */
MUST_CHECK status_t screen_send(screen_t *self, bytes_t frame);

/*
 * Replaces frame's content by the next frame, waiting up to timeout_ms (UINT64_MAX: for ever).
 * STATUS_TIMED_OUT: none came. STATUS_INTERRUPTED: a signal handler ran. STATUS_HOLDER_ENDED: the
 * stream has ended, all frames that came before were handed out (a push "ending" says why where the
 * holder could still say it): a long-running command may try to take over with home_lock_or_attach.
 * STATUS_NEWER_FORMAT, STATUS_TOO_LARGE: the other side isn't of this version.
 */
MUST_CHECK status_t screen_receive(screen_t *self, uint64_t timeout_ms, buffer_t *frame);

#endif
