/* SPDX-License-Identifier: MPL-2.0 */
/* The password and what it opens: from a file or from the person at the terminal. */
#ifndef CONCLAVE_CLIENT_UI_UNLOCK_H
#define CONCLAVE_CLIENT_UI_UNLOCK_H

#include "client/home/home.h"
#include "client/ui/command.h"
#include "client/ui/password.h"

struct identity;

/* Reads --password-file or asks. Complains on failure. */
status_t unlock_password(invocation_t *self, const char *question, password_t *password) MUST_CHECK;
/* The same for a new one, from file (may be NULL) or asked for twice. */
status_t unlock_new_password(invocation_t *self, const char *file, const char *question,
                             password_t *password) MUST_CHECK;

/* Opens the locked home's identity; a person may try again. The caller destroys it. password may be
 * NULL, else it is filled. Complains on failure. */
status_t unlock_identity(invocation_t *self, const home_t *home, struct identity **out,
                         password_t *password) MUST_CHECK;

/*
 * The broker's address: as given (a URL, or a file whose first line it is), else as remembered.
 * STATUS_NOT_FOUND if there is none: no complaint then, unlike with others.
 */
status_t unlock_broker(invocation_t *self, const home_t *home,
                       char url[static HOME_BROKER_URL_BYTES], bool *is_remembered) MUST_CHECK;

#endif
