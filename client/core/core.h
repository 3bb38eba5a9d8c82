/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What member and admin cores have in common: bytes, commands and the time go in, effects come out.
 * No sockets, no clock, no threads.
 *
 * The caller (an actor, or a simulation) carries the effects of a step out in this order: apply
 * writes as one transaction; if that fails, stop (nothing else of the step may leave); then link
 * actions and frames; then mail to the other core; then frames to screens.
 */
#ifndef CONCLAVE_CLIENT_CORE_CORE_H
#define CONCLAVE_CLIENT_CORE_CORE_H

#include "client/core/vault.h"

typedef enum {
    LINK_KEEP = 0,
    LINK_OPEN,  /* destroy the socket if there is one (linger 0), open a new one with a fresh CURVE
                   key, then report LINK_UP with its public key */
    LINK_CLOSE, /* destroy the socket */
} link_action_t;

/* What a link reports. */
typedef enum {
    LINK_UP,        /* a socket exists and may be written to; key is its CURVE public key */
    LINK_CONNECTED, /* the handshake succeeded */
    LINK_DOWN, /* the connection was lost or could not be made; it is being retried by ZeroMQ */
    LINK_WRONG_BROKER, /* the broker's key is not the expected one */
} link_event_t;

/* Owned byte strings in order. All zero is empty. */
typedef struct {
    struct {
        uint64_t screen; /* of screen frames: which one; SCREEN_ALL for every subscribed one is
                            never used: cores address each */
        buffer_t bytes;
    } * items;
    size_t count, capacity;
} frames_t;

typedef struct {
    writes_t writes;
    link_action_t link;
    frames_t frames;  /* to the broker */
    frames_t mail;    /* to the other core of this process */
    frames_t screens; /* to screens: local protocol, client/local/local.h */
    status_t fatal;   /* not STATUS_OK: this core can't go on (damaged vault, account gone); reason
                         for people in fatal_reason */
    char fatal_reason[256];
} effects_t;

void effects_wipe(effects_t *self);

/* Adds bytes for a screen (0 for other frames). They are moved: *bytes is empty afterwards. */
void frames_add(frames_t *self, uint64_t screen, buffer_t *bytes);
void frames_wipe(frames_t *self);

/* Times of one step: the wall clock for people and statements, the boot clock for deadlines. */
typedef struct {
    uint64_t wall_ms;
    uint64_t boot_ms;
} moment_t;

typedef struct core core_t;

/* effects is empty at entry and belongs to the caller. Frames and mail are borrowed for the call.
 */
typedef struct {
    void (*start)(core_t *self, moment_t now, effects_t *effects); /* once, first */
    void (*link)(core_t *self, moment_t now, link_event_t event, const uint8_t *key,
                 effects_t *effects);
    void (*frame)(core_t *self, moment_t now, bytes_t frame, effects_t *effects);
    void (*mail)(core_t *self, moment_t now, bytes_t mail, effects_t *effects);
    void (*request)(core_t *self, moment_t now, uint64_t screen, bytes_t frame,
                    effects_t *effects); /* member only */
    void (*screen_gone)(core_t *self, moment_t now, uint64_t screen, effects_t *effects);
    void (*time)(core_t *self, moment_t now, effects_t *effects);
    uint64_t (*deadline)(
        const core_t *self); /* boot_ms when time() wants to be called; UINT64_MAX never */
    void (*destroy)(core_t *self);
} core_ops_t;

struct core {
    const core_ops_t *ops;
};

struct identity; /* client/keys/identity.h */

typedef struct {
    uint8_t broker_key[32];
    char broker_url[512];
    uint64_t poll_period_ms; /* 5000 by default, at least 100 */
    uint64_t call_deadline_ms;
    uint64_t pid; /* for status */
    char holder[64];
} core_config_t;

/* identity and vault outlive the core. STATUS_DAMAGED_FILE, STATUS_NEWER_FORMAT, STATUS_IO_ERROR.
 */
MUST_CHECK status_t member_core_new(core_t **out, const core_config_t *config,
                                    const struct identity *identity, vault_t *vault);
MUST_CHECK status_t admin_core_new(core_t **out, const core_config_t *config,
                                   const struct identity *identity, vault_t *vault);
void core_destroy(core_t **self);

#endif
