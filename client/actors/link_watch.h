/* SPDX-License-Identifier: MPL-2.0 */
/* What a sequence of socket monitor events means for a link. No socket, no clock. */
#ifndef CONCLAVE_CLIENT_ACTORS_LINK_WATCH_H
#define CONCLAVE_CLIENT_ACTORS_LINK_WATCH_H

#include "client/core/core.h"

/* How long a handshake may take. One that fails at the end of this time was not answered; one that
 * fails sooner was refused. */
#define LINK_HANDSHAKE_MS 5000

typedef struct {
    bool is_connected; /* the handshake succeeded */
    bool is_down;      /* LINK_DOWN was told */
    unsigned refusals; /* handshakes refused in a row, also across link_watch_reopen */
    unsigned retries;  /* reconnect timers in a row without a connection attempt (the name can't be
                          resolved) */
    uint64_t attempt_ms; /* when the last TCP connection was made */
} link_watch_t;

/* A new socket: only the refusals are remembered. */
void link_watch_reopen(link_watch_t *self);
/* Feeds a ZMQ_EVENT_*. True: *out is to be reported. */
bool link_watch_event(link_watch_t *self, unsigned event, uint64_t now_ms, link_event_t *out);

#endif
