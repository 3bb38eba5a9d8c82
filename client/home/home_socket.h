/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The Unix socket inside a home (0600 in a folder of 0700, peers of the same user only), for paths
 * of any length: one process listens, others attach.
 */
#ifndef CONCLAVE_CLIENT_HOME_HOME_SOCKET_H
#define CONCLAVE_CLIENT_HOME_HOME_SOCKET_H

#include "client/home/home.h"
#include "client/home/screen.h"

/* Listens; *out is the listening socket. The home must be locked: a socket left behind by a killed
 * holder is replaced. STATUS_IO_ERROR. */
MUST_CHECK status_t home_socket_listen(const home_t *self, int *out);
/* The next waiting peer's socket, non-blocking. STATUS_NOT_FOUND: none. STATUS_UNSAFE_PERMISSIONS:
 * another user's, closed again. STATUS_IO_ERROR (errno). */
MUST_CHECK status_t home_socket_accept(int listener, int *out);
/* Removes the socket's name. Existing connections stay. */
void home_socket_unlink(const home_t *self);

/* Connects to the holder. Waits at most 2 s for the holder to accept. STATUS_NOT_FOUND: nobody
 * does. STATUS_NEWER_FORMAT: it is of another version. STATUS_UNSAFE_PERMISSIONS: the listener is
 * another user's. STATUS_IO_ERROR. */
MUST_CHECK status_t home_attach(const home_t *self, screen_t **out);

/*
 * Waits up to timeout_ms until this process either holds the lock (*attached is NULL) or is
 * attached to the process that does (*attached is its screen). may_attach false (register, passwd)
 * waits for the lock only. STATUS_HOME_IN_USE: neither came about in time; *holder (may be NULL)
 * tells by whom. STATUS_IO_ERROR, STATUS_UNSAFE_PERMISSIONS.
 */
MUST_CHECK status_t home_lock_or_attach(home_t *self, const char *role, bool may_attach,
                                        uint64_t timeout_ms, screen_t **attached,
                                        home_holder_t *holder);

#endif
