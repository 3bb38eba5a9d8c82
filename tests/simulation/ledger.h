/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The ledger of keys: no key seals two different things, by whomever, across crashes and restarts.
 * It hears what the clients seal from intercept.c, so there is one for the process.
 *
 * A sealing counts once the step it was made in is durable: of what a crash undid nothing left the
 * device, and the same key may then seal something else.
 */
#ifndef CONCLAVE_TESTS_SIMULATION_LEDGER_H
#define CONCLAVE_TESTS_SIMULATION_LEDGER_H

#include "tests/simulation/world.h"

/* Starts empty; a second use of a key fails this world, which is borrowed until the close. */
void ledger_open(world_t *world);
void ledger_close(void);

typedef enum {
    USE_AEAD = 1, /* sealed with this very key: the same bytes again are the same message */
    USE_MESSAGE,  /* a generation's key: sealed anew is another message, even of the same text */
    USE_WRAP,     /* a node's key, in one commit at most */
} ledger_use_t;

/* KEY_BYTES of key; the content in parts. */
void ledger_note(ledger_use_t use, const uint8_t *key, const bytes_t *parts, size_t count);
/* What was noted since the step before is durable; or never was. */
void ledger_step_stored(void);
void ledger_step_undone(void);

#endif
