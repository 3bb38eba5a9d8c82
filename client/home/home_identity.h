/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The identity's file in a home: written so that a crash at any instant leaves a whole one, with
 * the previous generation kept until the new one was opened once.
 */
#ifndef CONCLAVE_CLIENT_HOME_HOME_IDENTITY_H
#define CONCLAVE_CLIENT_HOME_HOME_IDENTITY_H

#include "client/home/home.h"
#include "proto/bytes.h"

struct identity; /* client/keys/identity.h */

bool home_has_identity(const home_t *self);

/*
 * Reads and unlocks the identity; the caller destroys it. If the file is damaged, the previous
 * generation is tried. An identity that opened makes the previous generation go.
 * STATUS_NO_IDENTITY, STATUS_WRONG_PASSWORD, STATUS_DAMAGED_FILE, STATUS_NEWER_FORMAT,
 * STATUS_UNSAFE_PERMISSIONS (group or others can read it), STATUS_IO_ERROR.
 */
MUST_CHECK status_t home_identity_open(const home_t *self, const char *password,
                                       size_t password_size, struct identity **out);

/* Stores the first image of a new identity (as sealed by client/keys/identity.h).
 * STATUS_IDENTITY_EXISTS, STATUS_IO_ERROR. */
MUST_CHECK status_t home_identity_create(const home_t *self, bytes_t image);
/* Replaces the image (another password); the old one stays as the previous generation until
 * home_identity_open. STATUS_NO_IDENTITY, STATUS_IO_ERROR. */
MUST_CHECK status_t home_identity_replace(const home_t *self, bytes_t image);
/* Whether both vaults were opened once: from then on an empty or missing one is a lost one. */
bool home_had_vaults(const home_t *self);
MUST_CHECK status_t home_keep_vaults(const home_t *self);
/* After a registration that the broker refused, and after unregister: removes all generations and
 * both vaults. STATUS_IO_ERROR. */
MUST_CHECK status_t home_identity_remove(const home_t *self);

#endif
