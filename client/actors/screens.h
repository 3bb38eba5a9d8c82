/* SPDX-License-Identifier: MPL-2.0 */
/* The screens' actor: carries frames between the member actor and the screens attached to a home,
 * so that no slow terminal holds anything up. */
#ifndef CONCLAVE_CLIENT_ACTORS_SCREENS_H
#define CONCLAVE_CLIENT_ACTORS_SCREENS_H

#include "client/actors/mailbox.h"

#define SCREENS_MAX 64

typedef struct screens screens_t;

/*
 * Starts the thread, which inherits the caller's signal mask. member: frames of screens go there as
 * PARCEL_SCREEN, with numbers from 1 that are never used again, then PARCEL_SCREEN_GONE. engine:
 * takes PARCEL_SOCKET (a new local screen) and PARCEL_ENDING, and is told a PARCEL_FAILED of the
 * member actor. Both are borrowed until screens_destroy has returned. listener: the home's socket,
 * taken over, or -1.
 *
 * A screen that leaves more unread than client/home/frame_stream.h allows is closed.
 * STATUS_IO_ERROR.
 */
MUST_CHECK status_t screens_new(screens_t **out, mailbox_t *member, mailbox_t *engine,
                                int listener);
/* Closes all screens, without waiting for those that don't read for more than a second. */
void screens_destroy(screens_t **self);

#endif
