/* SPDX-License-Identifier: MPL-2.0 */
/* Making an identity in a home and publishing it at a broker; for `register` and for the guided
 * start. */
#ifndef CONCLAVE_CLIENT_UI_ACCOUNT_H
#define CONCLAVE_CLIENT_UI_ACCOUNT_H

#include "client/home/home.h"
#include "client/keys/identity.h"
#include "client/ui/command.h"
#include "client/ui/password.h"

/* "interactive" or anything else, as --kdf says. */
identity_strength_t account_strength(const invocation_t *self);

/*
 * The home is locked and empty. Makes an identity, stores it under the password, registers it,
 * remembers the broker. A definite refusal leaves the home empty again; if it is unknown whether
 * the broker has it, the identity stays, and account_finish settles it. The caller destroys *out
 * (may be NULL). Complains on failure.
 */
status_t account_create(invocation_t *self, home_t *home, const name_t *name,
                        const password_t *password, const char *broker_url,
                        identity_t **out) MUST_CHECK;

/* Registers the identity that is there already: the answer to an earlier registration got lost.
 * Complains on failure. */
status_t account_finish(invocation_t *self, home_t *home, const identity_t *identity,
                        const char *broker_url) MUST_CHECK;

/* Seals the identity under a password. Complains on failure. */
status_t account_seal(invocation_t *self, const identity_t *identity, const password_t *password,
                      buffer_t *image) MUST_CHECK;

#endif
