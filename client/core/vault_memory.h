/* SPDX-License-Identifier: MPL-2.0 */
/* A vault in memory, for simulations and tests: what was applied survives the core's restart, and
 * writes can be made to fail. */
#ifndef CONCLAVE_CLIENT_CORE_VAULT_MEMORY_H
#define CONCLAVE_CLIENT_CORE_VAULT_MEMORY_H

#include "client/core/vault.h"

vault_t *vault_memory_new(void);

/* The next apply after `after` more good ones fails with STATUS_IO_ERROR and changes nothing; once.
 * 0 is the very next. */
void vault_memory_fail_apply(vault_t *self, unsigned after);

/* A copy of all that is stored: a backup, to be restored in a test. */
vault_t *vault_memory_copy(const vault_t *self);

size_t vault_memory_count(const vault_t *self);

#endif
