/* SPDX-License-Identifier: MPL-2.0 */
/* Carries the effects of a core's steps out, in the order that client/core/core.h fixes. */
#ifndef CONCLAVE_CLIENT_ACTORS_OUTLET_H
#define CONCLAVE_CLIENT_ACTORS_OUTLET_H

#include "client/actors/link.h"
#include "client/actors/mailbox.h"
#include "client/core/core.h"

/* Owned by one actor. Everything in it is borrowed. */
typedef struct {
    vault_t *vault;
    link_t *link;
    mailbox_t *peer;    /* to the other core; may be NULL */
    mailbox_t *screens; /* may be NULL */
    uint64_t checkpoint_period_ms;
    uint64_t checkpoint_at_ms; /* boot clock; UINT64_MAX: no erased keys wait for one */
    bool has_failed;           /* nothing leaves any more */
    bool has_event; /* what a link action came to, for the core: event, and key of LINK_UP */
    link_event_t event;
    uint8_t key[KEY_BYTES];
} outlet_t;

/* Writes first: if they fail nothing else of the step leaves, and the outlet has failed. Wipes
 * effects. */
void outlet_carry_out(outlet_t *self, uint64_t boot_ms, effects_t *effects);
/* For good: closes the link and tells who is to know (the screens' actor, else the peer). */
void outlet_fail(outlet_t *self, status_t status, const char *reason);
/* A checkpoint if one is due, or (is_last) in any case. One that fails is tried again a period
 * later. */
void outlet_checkpoint(outlet_t *self, uint64_t boot_ms, bool is_last);
/* Sends what waits in link and mailboxes. True if something still does: call again within
 * milliseconds. */
bool outlet_flush(outlet_t *self);

#endif
