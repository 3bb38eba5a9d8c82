/* SPDX-License-Identifier: MPL-2.0 */
/* The user's key pair and everything that it signs. */
#include "client/keys/identity.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"
#include "proto/statement.h"

typedef struct {
    uint8_t signing[crypto_sign_SECRETKEYBYTES]; /* seed, then public key */
    secret_t vault_key;
} identity_secrets_t;

struct identity {
    name_t name;
    uint8_t key[KEY_BYTES];
    identity_secrets_t *secrets; /* sodium_malloc'd */
};

identity_t *identity_from_seed(const name_t *name, const secret_t *seed, const secret_t *vault_key)
{
    identity_t *self = mem_zalloc(1, sizeof *self);
    self->name = *name;
    self->secrets = sodium_malloc(sizeof *self->secrets);
    if (!self->secrets)
        abort();
    crypto_sign_seed_keypair(self->key, self->secrets->signing, seed->bytes);
    self->secrets->vault_key = *vault_key;
    sodium_mprotect_readonly(self->secrets);
    return self;
}

identity_t *identity_new(const name_t *name)
{
    secret_t seed, vault_key;
    secret_random(&seed);
    secret_random(&vault_key);
    identity_t *self = identity_from_seed(name, &seed, &vault_key);
    secret_wipe(&seed);
    secret_wipe(&vault_key);
    return self;
}

void identity_destroy(identity_t **self)
{
    if (!*self)
        return;
    sodium_free((*self)->secrets); /* wipes */
    free(*self);
    *self = NULL;
}

const name_t *identity_name(const identity_t *self)
{
    return &self->name;
}

const uint8_t *identity_key(const identity_t *self)
{
    return self->key;
}

const uint8_t *identity_seed(const identity_t *self)
{
    return self->secrets->signing;
}

const secret_t *identity_vault_key(const identity_t *self)
{
    return &self->secrets->vault_key;
}

void identity_sign(const identity_t *self, bytes_t statement,
                   uint8_t signature[static SIGNATURE_BYTES])
{
    crypto_sign_detached(signature, NULL, statement.data, statement.size, self->secrets->signing);
}

/* Signs a statement that was written into a buffer, and frees it. */
static void sign_buffer(const identity_t *self, buffer_t *statement,
                        uint8_t signature[static SIGNATURE_BYTES])
{
    identity_sign(self, buffer_view(statement), signature);
    buffer_free(statement);
}

void identity_sign_register(const identity_t *self, const uint8_t broker_key[static KEY_BYTES],
                            uint8_t signature[static SIGNATURE_BYTES])
{
    buffer_t statement = {0};
    statement_register(&statement, broker_key, self->name.text, self->key);
    sign_buffer(self, &statement, signature);
}

void identity_sign_login(const identity_t *self, const uint8_t broker_key[static KEY_BYTES],
                         const uint8_t challenge[static CHALLENGE_BYTES],
                         const uint8_t client_key[static KEY_BYTES], uint8_t purpose,
                         uint8_t signature[static SIGNATURE_BYTES])
{
    buffer_t statement = {0};
    statement_login(&statement, broker_key, self->name.text, challenge, client_key, purpose);
    sign_buffer(self, &statement, signature);
}

void identity_sign_unregister(const identity_t *self, const uint8_t broker_key[static KEY_BYTES],
                              uint8_t signature[static SIGNATURE_BYTES])
{
    buffer_t statement = {0};
    statement_unregister(&statement, broker_key, self->name.text);
    sign_buffer(self, &statement, signature);
}

void identity_sign_commit(const identity_t *self, const uint8_t group[static GROUP_ID_BYTES],
                          const uint8_t transcript[static HASH_BYTES],
                          const uint8_t tag[static HASH_BYTES],
                          uint8_t signature[static SIGNATURE_BYTES])
{
    buffer_t statement = {0};
    statement_commit(&statement, group, transcript, tag);
    sign_buffer(self, &statement, signature);
}

void identity_make_join_request(const identity_t *self, const uint8_t group[static GROUP_ID_BYTES],
                                const uint8_t transcript[static HASH_BYTES], buffer_t *out,
                                secret_t *prekey_secret)
{
    join_t request = {.name = self->name};
    memcpy(request.group, group, sizeof request.group);
    memcpy(request.identity_key, self->key, sizeof request.identity_key);
    memcpy(request.transcript, transcript, sizeof request.transcript);
    crypto_box_keypair(request.prekey, prekey_secret->bytes);
    buffer_t statement = {0};
    join_request_statement(&request, &statement);
    sign_buffer(self, &statement, request.signature);
    join_request_write_signed_part(&request, out);
    buffer_append(out, request.signature, sizeof request.signature);
}

void identity_make_leave(const identity_t *self, const uint8_t group[static GROUP_ID_BYTES],
                         uint32_t leaf, uint64_t epoch_added, buffer_t *out)
{
    leave_t leave = {.leaf = leaf, .epoch_added = epoch_added};
    memcpy(leave.group, group, sizeof leave.group);
    buffer_t statement = {0};
    leave_statement(&leave, &statement);
    sign_buffer(self, &statement, leave.signature);
    leave_write(&leave, out);
}
