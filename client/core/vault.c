/* SPDX-License-Identifier: MPL-2.0 */
/* Calls into a vault's engine. */
#include "client/core/vault.h"

status_t vault_get(vault_t *self, bytes_t key, buffer_t *out)
{
    return self->ops->get(self, key, out);
}

status_t vault_range(vault_t *self, bytes_t prefix, bytes_t start, bool reverse,
                     vault_visit_fn *visit, void *context)
{
    return self->ops->range(self, prefix, start, reverse, visit, context);
}

status_t vault_apply(vault_t *self, const writes_t *writes)
{
    return self->ops->apply(self, writes);
}

status_t vault_checkpoint(vault_t *self)
{
    return self->ops->checkpoint(self);
}

void vault_destroy(vault_t **self)
{
    if (!*self)
        return;
    (*self)->ops->destroy(*self);
    *self = NULL;
}
