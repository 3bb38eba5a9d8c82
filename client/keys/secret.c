/* SPDX-License-Identifier: MPL-2.0 */
/* Secrets: made, moved, wiped. */
#include "client/keys/secret.h"

#include <sodium.h>

void secret_random(secret_t *out)
{
    randombytes_buf(out->bytes, sizeof out->bytes);
}

void secret_wipe(secret_t *self)
{
    sodium_memzero(self->bytes, sizeof self->bytes);
}

void secret_move(secret_t *to, secret_t *from)
{
    *to = *from;
    secret_wipe(from);
}
