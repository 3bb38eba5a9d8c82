/* SPDX-License-Identifier: MPL-2.0 */
/* The vault's engine on disk: one SQLite file whose values are sealed, written by one actor. */
#ifndef CONCLAVE_CLIENT_VAULT_VAULT_SQLITE_H
#define CONCLAVE_CLIENT_VAULT_VAULT_SQLITE_H

#include "client/core/vault.h"
#include "proto/limits.h"

/*
 * Opens the file at path, making it (0600) if it is missing or empty. seal_key seals the values; it
 * is this file's alone, and copied. The vault may move to another thread between two calls. *out is
 * NULL on failure. STATUS_DAMAGED_FILE: not a vault, corrupt, or sealed under another key.
 * STATUS_NEWER_FORMAT. STATUS_UNSAFE_PERMISSIONS: others can read it, or own it.
 * STATUS_HOME_IN_USE: another process has it open. STATUS_DISK_FULL, STATUS_IO_ERROR.
 *
 * After a failed apply nothing of it is visible, here or in a vault opened later, except that a
 * failed sync may have stored all of it. Row keys are stored in clear: they must not be secret.
 */
MUST_CHECK status_t vault_sqlite_open(vault_t **out, const char *path,
                                      const uint8_t seal_key[static KEY_BYTES]);
/* The same for a file that held a vault before: if it is missing or empty, STATUS_DAMAGED_FILE. */
MUST_CHECK status_t vault_sqlite_reopen(vault_t **out, const char *path,
                                        const uint8_t seal_key[static KEY_BYTES]);

#endif
