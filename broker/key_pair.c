/* SPDX-License-Identifier: MPL-2.0 */
/* libzmq's functions for keys take and give Z85 only; the texts of secret keys are wiped. */
#include "broker/key_pair.h"

#include <sodium.h>
#include <string.h>
#include <zmq.h>

enum { Z85_BYTES = 41 }; /* of a key, with the NUL */

bool key_pair_make(key_pair_t *out)
{
    char public_text[Z85_BYTES];
    char secret_text[Z85_BYTES];
    bool is_made = zmq_curve_keypair(public_text, secret_text) == 0 &&
                   zmq_z85_decode(out->public_key, public_text) &&
                   zmq_z85_decode(out->secret_key, secret_text);
    sodium_memzero(secret_text, sizeof secret_text);
    if (!is_made)
        key_pair_wipe(out);
    return is_made;
}

bool key_pair_public_of(uint8_t out[static KEY_BYTES], const uint8_t secret_key[static KEY_BYTES])
{
    char public_text[Z85_BYTES];
    char secret_text[Z85_BYTES];
    bool is_made = zmq_z85_encode(secret_text, secret_key, KEY_BYTES) &&
                   zmq_curve_public(public_text, secret_text) == 0 &&
                   zmq_z85_decode(out, public_text);
    sodium_memzero(secret_text, sizeof secret_text);
    if (!is_made)
        memset(out, 0, KEY_BYTES);
    return is_made;
}

void key_pair_wipe(key_pair_t *self)
{
    sodium_memzero(self, sizeof *self);
}
