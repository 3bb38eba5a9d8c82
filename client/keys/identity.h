/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Who the user is: an Ed25519 key pair, a name, and the key that the vaults are sealed under; and
 * their image in a file, locked by a password with Argon2id. Bytes in, bytes out: the file itself
 * is somebody else's.
 */
#ifndef CONCLAVE_CLIENT_KEYS_IDENTITY_H
#define CONCLAVE_CLIENT_KEYS_IDENTITY_H

#include "client/keys/secret.h"
#include "proto/name.h"
#include "proto/requests.h"

/* The secrets live in sodium_malloc'd memory. Immutable once made, so that threads may share it. */
typedef struct identity identity_t;

typedef enum {
    IDENTITY_INTERACTIVE, /* 64 MB, 0.1 s */
    IDENTITY_MODERATE,    /* 256 MB, 0.7 s; the default */
} identity_strength_t;

#define IDENTITY_IMAGE_MAX 512

/* A fresh one, or (for tests and simulations) the one of a seed and a vault key. */
identity_t *identity_new(const name_t *name);
identity_t *identity_from_seed(const name_t *name, const secret_t *seed, const secret_t *vault_key);
void identity_destroy(identity_t **self);

const name_t *identity_name(const identity_t *self);
const uint8_t *identity_key(const identity_t *self);  /* KEY_BYTES, the public key */
const uint8_t *identity_seed(const identity_t *self); /* KEY_BYTES, secret; for the image only */
const secret_t *identity_vault_key(const identity_t *self); /* lives as long as self */

/*
 * Appends the file's image, sealed under the password (any bytes). Sealing again with another
 * password keeps identity and vault key. STATUS_INVALID if
 * Argon2id could not get its memory.
 */
MUST_CHECK status_t identity_seal(const identity_t *self, bytes_t password,
                                  identity_strength_t strength, buffer_t *out);
/* STATUS_WRONG_PASSWORD, STATUS_DAMAGED_FILE (parameters that ask for too much included),
 * STATUS_NEWER_FORMAT, STATUS_INVALID as above. *out is NULL then. */
MUST_CHECK status_t identity_open(identity_t **out, bytes_t image, bytes_t password);
/* What an image says in clear, without its password: name and public key (of which only
 * identity_open knows whether they are true). */
MUST_CHECK status_t identity_peek(bytes_t image, name_t *name, uint8_t key[static KEY_BYTES]);

/* Signatures over the statements of PROTOCOL.md. */
void identity_sign(const identity_t *self, bytes_t statement,
                   uint8_t signature[static SIGNATURE_BYTES]);
void identity_sign_register(const identity_t *self, const uint8_t broker_key[static KEY_BYTES],
                            uint8_t signature[static SIGNATURE_BYTES]);
void identity_sign_login(const identity_t *self, const uint8_t broker_key[static KEY_BYTES],
                         const uint8_t challenge[static CHALLENGE_BYTES],
                         const uint8_t client_key[static KEY_BYTES], uint8_t purpose,
                         uint8_t signature[static SIGNATURE_BYTES]);
void identity_sign_unregister(const identity_t *self, const uint8_t broker_key[static KEY_BYTES],
                              uint8_t signature[static SIGNATURE_BYTES]);
void identity_sign_commit(const identity_t *self, const uint8_t group[static GROUP_ID_BYTES],
                          const uint8_t transcript[static HASH_BYTES],
                          const uint8_t tag[static HASH_BYTES],
                          uint8_t signature[static SIGNATURE_BYTES]);

/*
 * Appends the bytes of a signed join request with a fresh prekey, whose secret half goes to
 * prekey_secret: keep it durably before the request leaves, wipe it when the welcome was used.
 * transcript is T as the broker's lookup told.
 */
void identity_make_join_request(const identity_t *self, const uint8_t group[static GROUP_ID_BYTES],
                                const uint8_t transcript[static HASH_BYTES], buffer_t *out,
                                secret_t *prekey_secret);
/* Appends the bytes of a signed leave statement. */
void identity_make_leave(const identity_t *self, const uint8_t group[static GROUP_ID_BYTES],
                         uint32_t leaf, uint64_t epoch_added, buffer_t *out);

#endif
