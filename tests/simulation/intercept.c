/* SPDX-License-Identifier: MPL-2.0 */
/* What the linker puts in the place of the real ones (tests.mk): they tell what the clients derive,
 * seal and store, and go on. */
#include "tests/simulation/intercept.h"

#include <sodium.h>

#include "client/keys/kdf.h"
#include "client/keys/member_path.h"
#include "client/keys/message_seal.h"
#include "client/keys/secret_tree.h"
#include "tests/simulation/derivations.h"
#include "tests/simulation/ledger.h"

static attacker_t *attacker;

void intercept_for(attacker_t *of)
{
    attacker = of;
}

int __real_crypto_aead_chacha20poly1305_ietf_encrypt(
    unsigned char *c, unsigned long long *c_size, const unsigned char *m, unsigned long long m_size,
    const unsigned char *ad, unsigned long long ad_size, const unsigned char *unused,
    const unsigned char *nonce, const unsigned char *key);
int __wrap_crypto_aead_chacha20poly1305_ietf_encrypt(
    unsigned char *c, unsigned long long *c_size, const unsigned char *m, unsigned long long m_size,
    const unsigned char *ad, unsigned long long ad_size, const unsigned char *unused,
    const unsigned char *nonce, const unsigned char *key);

int __wrap_crypto_aead_chacha20poly1305_ietf_encrypt(
    unsigned char *c, unsigned long long *c_size, const unsigned char *m, unsigned long long m_size,
    const unsigned char *ad, unsigned long long ad_size, const unsigned char *unused,
    const unsigned char *nonce, const unsigned char *key)
{
    const bytes_t parts[] = {{nonce, crypto_aead_chacha20poly1305_ietf_NPUBBYTES},
                             {ad, (size_t)ad_size},
                             {m, (size_t)m_size}};
    ledger_note(USE_AEAD, key, parts, sizeof parts / sizeof parts[0]);
    return __real_crypto_aead_chacha20poly1305_ietf_encrypt(c, c_size, m, m_size, ad, ad_size,
                                                            unused, nonce, key);
}

/* Told apart by their turn. */
static uint64_t sealed_messages;

/* The salt makes an AEAD key of its own for each sealing: two under one message key show only
 * here. */
status_t __real_message_seal(const message_place_t *place, message_header_t *header,
                             const secret_t *message_key, const identity_t *sender,
                             const message_body_t *body, buffer_t *out);
status_t __wrap_message_seal(const message_place_t *place, message_header_t *header,
                             const secret_t *message_key, const identity_t *sender,
                             const message_body_t *body, buffer_t *out);

status_t __wrap_message_seal(const message_place_t *place, message_header_t *header,
                             const secret_t *message_key, const identity_t *sender,
                             const message_body_t *body, buffer_t *out)
{
    uint8_t turn[8];
    put_u64(turn, ++sealed_messages);
    const bytes_t parts[] = {{turn, sizeof turn}};
    ledger_note(USE_MESSAGE, message_key->bytes, parts, 1);
    return __real_message_seal(place, header, message_key, sender, body, out);
}

/* As there, with R in the salt's part. */
void __real_wrap_seal(uint8_t out[static WRAP_BYTES], const secret_t *path_secret,
                      const secret_t *child_key, const uint8_t random[static COMMIT_RANDOM_BYTES],
                      const uint8_t group[static GROUP_ID_BYTES], uint64_t next_epoch,
                      node_index_t child);
void __wrap_wrap_seal(uint8_t out[static WRAP_BYTES], const secret_t *path_secret,
                      const secret_t *child_key, const uint8_t random[static COMMIT_RANDOM_BYTES],
                      const uint8_t group[static GROUP_ID_BYTES], uint64_t next_epoch,
                      node_index_t child);

void __wrap_wrap_seal(uint8_t out[static WRAP_BYTES], const secret_t *path_secret,
                      const secret_t *child_key, const uint8_t random[static COMMIT_RANDOM_BYTES],
                      const uint8_t group[static GROUP_ID_BYTES], uint64_t next_epoch,
                      node_index_t child)
{
    const bytes_t parts[] = {{path_secret->bytes, KEY_BYTES}, {random, COMMIT_RANDOM_BYTES}};
    ledger_note(USE_WRAP, child_key->bytes, parts, 2);
    secret_t wrap_key;
    kdf(&wrap_key, child_key, KDF_WRAP, random, COMMIT_RANDOM_BYTES);
    derivations_wrapped(&wrap_key, path_secret);
    __real_wrap_seal(out, path_secret, child_key, random, group, next_epoch, child);
}

void __real_kdf(secret_t *out, const secret_t *key, kdf_label_t label, const void *x,
                size_t x_size);
void __wrap_kdf(secret_t *out, const secret_t *key, kdf_label_t label, const void *x,
                size_t x_size);
void __wrap_kdf_plain(secret_t *out, const secret_t *key, kdf_label_t label);

void __wrap_kdf(secret_t *out, const secret_t *key, kdf_label_t label, const void *x, size_t x_size)
{
    secret_t from = *key; /* out may be key */
    __real_kdf(out, key, label, x, x_size);
    derivations_derived(&from, out);
}

void __wrap_kdf_plain(secret_t *out, const secret_t *key, kdf_label_t label)
{
    __wrap_kdf(out, key, label, NULL, 0);
}

void __real_secret_tree_keep(secret_tree_t *self, ratchet_step_t *step);
void __wrap_secret_tree_keep(secret_tree_t *self, ratchet_step_t *step);

void __wrap_secret_tree_keep(secret_tree_t *self, ratchet_step_t *step)
{
    if (attacker)
        attacker_used(attacker, &step->message);
    __real_secret_tree_keep(self, step);
}

static void undo(void)
{
    ledger_step_undone();
    if (attacker)
        attacker_step_undone(attacker);
}

void intercept_forget(void)
{
    undo();
}

/* A step is durable. */
status_t __real_vault_apply(vault_t *self, const writes_t *writes);
status_t __wrap_vault_apply(vault_t *self, const writes_t *writes);

status_t __wrap_vault_apply(vault_t *self, const writes_t *writes)
{
    status_t status = __real_vault_apply(self, writes);
    if (status) {
        undo();
        return status;
    }
    ledger_step_stored();
    if (attacker)
        attacker_step_stored(attacker, self);
    return STATUS_OK;
}

/* A client goes down: what it had not stored is undone. */
void __real_core_destroy(core_t **self);
void __wrap_core_destroy(core_t **self);

void __wrap_core_destroy(core_t **self)
{
    undo();
    __real_core_destroy(self);
}
