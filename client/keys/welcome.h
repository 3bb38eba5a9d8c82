/* SPDX-License-Identifier: MPL-2.0 */
/* What an admin sends to a newcomer, sealed to the prekey of its join request (PROTOCOL.md section
 * 9). */
#ifndef CONCLAVE_CLIENT_KEYS_WELCOME_H
#define CONCLAVE_CLIENT_KEYS_WELCOME_H

#include "client/keys/identity.h"
#include "client/keys/member_path.h"

typedef struct {
    uint32_t leaf;
    name_t name;
    uint8_t identity_key[KEY_BYTES];
} welcome_admin_t;

/* Secret. */
typedef struct {
    uint8_t group[GROUP_ID_BYTES];
    name_t group_name;
    uint64_t epoch; /* e+1 */
    uint8_t transcript[HASH_BYTES];
    member_path_t path;
    secret_t epoch_secret;
    welcome_admin_t admins[ADMINS_MAX]; /* by ascending leaf */
    size_t admin_count;
} welcome_t;

void welcome_wipe(welcome_t *self);

/* Appends the sealed welcome. STATUS_BAD_KEY if nothing can be sealed to the prekey. */
MUST_CHECK status_t welcome_seal(const welcome_t *self, const identity_t *admin,
                                 const uint8_t recipient_key[static KEY_BYTES],
                                 const uint8_t prekey[static KEY_BYTES], buffer_t *out);

/*
 * Opens one and checks its own form; *signature_of says what the admin must have signed for
 * welcome_verify. STATUS_BAD_SEAL (not for this prekey, or forged), STATUS_BAD_WELCOME. *out is
 * wiped then.
 */
MUST_CHECK status_t welcome_open(welcome_t *out, uint8_t signature[static SIGNATURE_BYTES],
                                 uint8_t hash[static HASH_BYTES], bytes_t sealed,
                                 const secret_t *prekey_secret);
/* STATUS_BAD_SIGNATURE. */
MUST_CHECK status_t welcome_verify(const welcome_t *self,
                                   const uint8_t signature[static SIGNATURE_BYTES],
                                   const uint8_t hash[static HASH_BYTES],
                                   const uint8_t admin_key[static KEY_BYTES],
                                   const uint8_t recipient_key[static KEY_BYTES],
                                   const uint8_t prekey[static KEY_BYTES]);

#endif
