/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A running client: the member actor and the admin actor of one home, with their vaults, and the
 * screens attached to them.
 *
 *   UI thread -- screen_t (socket pair) --\                        /-- mail -- admin actor --
 * DEALER -- broker screens actor -- mail -- member actor --- DEALER -- broker other processes --
 * home's socket -----/
 */
#ifndef CONCLAVE_CLIENT_ACTORS_ENGINE_H
#define CONCLAVE_CLIENT_ACTORS_ENGINE_H

#include "client/home/home.h"
#include "client/home/screen.h"

struct identity; /* client/keys/identity.h */

typedef struct {
    const struct identity *identity; /* unlocked; outlives the engine */
    const char *broker_url;          /* tcp://HOST:PORT#KEY */
    const char *role;                /* what this process is: "serve", "chat", "send"... */
    uint64_t poll_period_ms;         /* 0: the default, 5000 */
    bool accept_screens;             /* serve, chat, listen: take commands over the home's socket */
} engine_options_t;

/* Owned by the thread that made it. */
typedef struct engine engine_t;

/*
 * Opens both vaults, starts both actors. The home must be locked by this process and outlive the
 * engine. Strings are copied. No signal is delivered to the threads it starts. STATUS_BAD_ENDPOINT,
 * STATUS_DAMAGED_FILE, STATUS_NEWER_FORMAT, STATUS_HOME_IN_USE (not locked, or a vault is in use),
 * STATUS_IO_ERROR; *out is NULL then.
 */
MUST_CHECK status_t engine_new(engine_t **out, home_t *home, const engine_options_t *options);

/* Stops everything: screens are pushed "ending" with this reason (NULL: "NAME ended", by role),
 * then both actors make their final checkpoint. The lock stays. */
void engine_destroy(engine_t **self, const char *reason);

/* A screen of this process. The caller destroys it, before or after the engine (after it:
 * STATUS_HOLDER_ENDED). STATUS_IO_ERROR, STATUS_TOO_MANY. */
MUST_CHECK status_t engine_screen_new(engine_t *self, screen_t **out);

#define ENGINE_REASON_BYTES 256
/* STATUS_OK while both actors work; else why the first one stopped for good, with words in reason.
 * All screens have then ended. */
status_t engine_failure(engine_t *self, char reason[static ENGINE_REASON_BYTES]);

#endif
