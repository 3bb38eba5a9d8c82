/* SPDX-License-Identifier: MPL-2.0 */
/* The loop around a core: a zactor that waits for its link, its mail and its deadlines, feeds its
 * core, and carries the effects out. */
#ifndef CONCLAVE_CLIENT_ACTORS_ACTOR_H
#define CONCLAVE_CLIENT_ACTORS_ACTOR_H

#include "client/actors/mailbox.h"
#include "client/core/core.h"
#include "proto/endpoint.h"

typedef struct {
    core_t *core;      /* taken over */
    vault_t *vault;    /* taken over */
    endpoint_t broker; /* with its key */
    uint64_t checkpoint_period_ms;
    mailbox_t *peer;    /* to the other actor; borrowed until actor_destroy has returned */
    mailbox_t *screens; /* to the screens' actor, or NULL; borrowed likewise */
} actor_config_t;

typedef struct actor actor_t;

/*
 * Starts the thread, which inherits the caller's signal mask, and returns when it runs.
 * STATUS_BAD_ENDPOINT, STATUS_IO_ERROR: core and vault are destroyed.
 *
 * When a write fails or the core says so the actor stops for good: it tells screens (without one:
 * peer) PARCEL_FAILED and only waits for its end. PARCEL_FAILED from its peer does the same to it.
 */
MUST_CHECK status_t actor_new(actor_t **out, const actor_config_t *config);
/* Stops it: no further step, a last checkpoint, core and vault destroyed. */
void actor_destroy(actor_t **self);

#endif
