/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A home: the private folder of one user's client. Its lock, and the broker's address that it
 * remembers.
 *
 *   HOME/identity, identity.previous   the identity, sealed by the password
 * (client/home/home_identity.h) HOME/member.vault, admin.vault     SQLite, each written by one
 * actor HOME/config                        the broker's address HOME/lock locked by the one process
 * that uses the home; holds its pid and role HOME/socket                        where serve, chat
 * and listen take commands of the same user
 */
#ifndef CONCLAVE_CLIENT_HOME_HOME_H
#define CONCLAVE_CLIENT_HOME_HOME_H

#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

#define HOME_ROLE_BYTES       32  /* with the NUL */
#define HOME_BROKER_URL_BYTES 512 /* with the NUL */

typedef struct home home_t;

/* Which process holds a home. pid is 0 and role empty where it can't be told. */
typedef struct {
    uint64_t pid;
    char role[HOME_ROLE_BYTES]; /* "serve", "chat", "listen", "send"... */
} home_holder_t;

/*
 * Opens the folder, making it and its parents (0700) where they are missing. A folder of other
 * users, or one that others can enter and that holds something already, is
 * STATUS_UNSAFE_PERMISSIONS; an empty one is made private. STATUS_IO_ERROR (errno), STATUS_INVALID
 * for an empty path. Not thread-safe.
 */
MUST_CHECK status_t home_new(home_t **out, const char *path);
/* Releases the lock, if held. */
void home_destroy(home_t **self);
/* Absolute. Lives as long as the home. */
const char *home_path(const home_t *self);
/* The folder, open for *at() calls. */
int home_folder(const home_t *self);
/* HOME/name, for libraries that take paths. The caller frees it. */
char *home_file(const home_t *self, const char *name);

/*
 * Takes the home's lock, waiting up to timeout_ms (0: one try). Held until home_unlock,
 * home_destroy or the process's death, however it dies. STATUS_HOME_IN_USE: home_holder tells by
 * whom. STATUS_IO_ERROR. Locking again what this home_t holds is STATUS_OK and updates the role.
 */
MUST_CHECK status_t home_lock(home_t *self, const char *role, uint64_t timeout_ms);
void home_unlock(home_t *self);
bool home_is_locked(const home_t *self);
/* Who holds it now, this process included. STATUS_NOT_FOUND: nobody. STATUS_IO_ERROR. */
MUST_CHECK status_t home_holder(const home_t *self, home_holder_t *out);

/* The remembered broker address. STATUS_NOT_FOUND, STATUS_DAMAGED_FILE, STATUS_NEWER_FORMAT,
 * STATUS_IO_ERROR; out is empty then. */
MUST_CHECK status_t home_broker_url(const home_t *self, char out[static HOME_BROKER_URL_BYTES]);
/* Replaces it, all or nothing. STATUS_INVALID for control characters or an overlong text;
 * STATUS_IO_ERROR. */
MUST_CHECK status_t home_remember_broker(const home_t *self, const char *url);

#endif
