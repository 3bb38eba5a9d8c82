/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where secrets are born, and the only places where what comes of them becomes public: the linker
 * puts these functions between Conclave's objects and the ones that they name (--wrap).
 *
 * Born secret: what secret_random gives, the secret half of a key pair, the key from a password;
 * and, where a test says so, texts and passwords. What opens is as secret as it was when sealed.
 *
 * Public from then on, and why:
 *   ciphertexts and tags    sent to everybody; indistinguishable from random bytes
 *   public keys             published
 *   signatures              published with what they sign
 *   a commit's trailer      published: confirmation tag and membership code of one transcript
 *   the AEAD's verdict      whoever sent the bytes sees whether they were taken
 *   sodium_memcmp's         the same; where the first difference was, it doesn't tell
 *
 * Not looked into, since libsodium's own code branches there, on what is public:
 *   opening an AEAD         wipes the output if the tag (compared in constant time) is wrong
 *   sealed boxes            refuse a point of small order, compared in constant time
 *   Argon2id                its second half reads memory at addresses that depend on the password,
 *                           by design: it runs once on the user's own machine
 *   verifying a signature   variable time in signature, key and hash, all of which the signer has
 *                           published; a message's are known to the group that reads it
 * Everything else of libsodium (BLAKE2b, ChaCha20-Poly1305 sealing, Ed25519 signing, X25519's base
 * point) runs on the marked bytes, and is watched with ours.
 */
#include <sodium.h>

#include "client/keys/secret.h"
#include "proto/commit.h"
#include "tests/constant_time/taint.h"

#define WRAPPED(type, name, parameters)                                                            \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters

typedef unsigned long long length_t; /* libsodium's */

/* --- Born --------------------------------------------------------------------------------------
 */

WRAPPED(void, secret_random, (secret_t * out))
{
    __real_secret_random(out);
    taint_secret(out, sizeof *out);
}

WRAPPED(int, crypto_box_keypair, (uint8_t * public_key, uint8_t *secret_key))
{
    int status = __real_crypto_box_keypair(public_key, secret_key);
    taint_secret(secret_key, crypto_box_SECRETKEYBYTES);
    return status;
}

/* As cheap as libsodium lets it be: what is watched comes before and after it. */
WRAPPED(int, crypto_pwhash,
        (uint8_t * out, length_t size, const char *password, length_t password_size,
         const uint8_t *salt, length_t passes, size_t memory, int algorithm))
{
    (void)passes;
    (void)memory;
    lifted_t lifted = taint_lift(password, password_size);
    int status =
        __real_crypto_pwhash(out, size, password, password_size, salt, crypto_pwhash_OPSLIMIT_MIN,
                             crypto_pwhash_MEMLIMIT_MIN, algorithm);
    taint_restore(&lifted);
    taint_secret(out, size);
    return status;
}

/* --- Published ---------------------------------------------------------------------------------
 */

WRAPPED(int, crypto_sign_seed_keypair,
        (uint8_t * public_key, uint8_t *secret_key, const uint8_t *seed))
{
    int status = __real_crypto_sign_seed_keypair(public_key, secret_key, seed);
    taint_public(public_key, crypto_sign_PUBLICKEYBYTES);
    taint_public(secret_key + crypto_sign_SEEDBYTES, crypto_sign_PUBLICKEYBYTES);
    return status;
}

WRAPPED(int, crypto_scalarmult_base, (uint8_t * public_key, const uint8_t *secret_key))
{
    int status = __real_crypto_scalarmult_base(public_key, secret_key);
    taint_public(public_key, crypto_scalarmult_BYTES);
    return status;
}

WRAPPED(int, crypto_sign_detached,
        (uint8_t * signature, length_t *signature_size, const uint8_t *message, length_t size,
         const uint8_t *secret_key))
{
    int status = __real_crypto_sign_detached(signature, signature_size, message, size, secret_key);
    taint_public(signature, crypto_sign_BYTES);
    return status;
}

WRAPPED(void, commit_write_trailer, (const commit_t *self, buffer_t *out))
{
    size_t start = out->size;
    __real_commit_write_trailer(self, out);
    taint_public(out->data + start, out->size - start);
}

/* --- Verdicts ----------------------------------------------------------------------------------
 */

WRAPPED(int, sodium_memcmp, (const void *a, const void *b, size_t size))
{
    int verdict = __real_sodium_memcmp(a, b, size);
    taint_public(&verdict, sizeof verdict);
    return verdict;
}

WRAPPED(int, crypto_sign_verify_detached,
        (const uint8_t *signature, const uint8_t *message, length_t size, const uint8_t *key))
{
    lifted_t lifted[] = {taint_lift(signature, crypto_sign_BYTES), taint_lift(message, size)};
    int status = __real_crypto_sign_verify_detached(signature, message, size, key);
    taint_restore(&lifted[0]);
    taint_restore(&lifted[1]);
    return status;
}

/* --- Seals -------------------------------------------------------------------------------------
 */

static void sealed(const uint8_t *out, size_t out_size, const void *plain, size_t size)
{
    taint_public(out, out_size);
    lifted_t marks = taint_lift(plain, size);
    taint_sealed(out, out_size, &marks);
    taint_restore(&marks);
}

#define AEAD(name)                                                                                 \
    WRAPPED(int, crypto_aead_##name##_encrypt,                                                     \
            (uint8_t * out, length_t * out_size, const uint8_t *plain, length_t size,              \
             const uint8_t *data, length_t data_size, const uint8_t *unused, const uint8_t *nonce, \
             const uint8_t *key))                                                                  \
    {                                                                                              \
        int status = __real_crypto_aead_##name##_encrypt(out, out_size, plain, size, data,         \
                                                         data_size, unused, nonce, key);           \
        sealed(out, size + crypto_aead_##name##_ABYTES, plain, size);                              \
        return status;                                                                             \
    }                                                                                              \
    WRAPPED(int, crypto_aead_##name##_decrypt,                                                     \
            (uint8_t * plain, length_t * size, uint8_t * unused, const uint8_t *from,              \
             length_t from_size, const uint8_t *data, length_t data_size, const uint8_t *nonce,    \
             const uint8_t *key))                                                                  \
    {                                                                                              \
        lifted_t lifted = taint_lift(key, crypto_aead_##name##_KEYBYTES);                          \
        int status = __real_crypto_aead_##name##_decrypt(plain, size, unused, from, from_size,     \
                                                         data, data_size, nonce, key);             \
        taint_restore(&lifted);                                                                    \
        if (from_size >= crypto_aead_##name##_ABYTES)                                              \
            taint_opened(from, from_size, plain, from_size - crypto_aead_##name##_ABYTES);         \
        return status;                                                                             \
    }

AEAD(chacha20poly1305_ietf)
AEAD(xchacha20poly1305_ietf)

WRAPPED(int, crypto_box_seal,
        (uint8_t * out, const uint8_t *plain, length_t size, const uint8_t *public_key))
{
    int status = __real_crypto_box_seal(out, plain, size, public_key);
    sealed(out, size + crypto_box_SEALBYTES, plain, size);
    return status;
}

WRAPPED(int, crypto_box_seal_open,
        (uint8_t * plain, const uint8_t *from, length_t size, const uint8_t *public_key,
         const uint8_t *secret_key))
{
    lifted_t lifted = taint_lift(secret_key, crypto_box_SECRETKEYBYTES);
    int status = __real_crypto_box_seal_open(plain, from, size, public_key, secret_key);
    taint_restore(&lifted);
    if (size >= crypto_box_SEALBYTES)
        taint_opened(from, size, plain, size - crypto_box_SEALBYTES);
    return status;
}
