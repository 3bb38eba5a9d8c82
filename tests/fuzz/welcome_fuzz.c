/* SPDX-License-Identifier: MPL-2.0 */
/* Welcomes: sealed bytes as they come, and bytes of an attacker's choice under a seal that opens.
 * A refused one leaves nothing behind; one that opens has its indices inside its tree. */
#include <string.h>

#include "client/keys/welcome.h"
#include "tests/fuzz/fixed_random.h"

static void check(bytes_t sealed, const secret_t *prekey)
{
    static welcome_t welcome;
    uint8_t signature[SIGNATURE_BYTES], hash[HASH_BYTES];
    static const uint8_t key[KEY_BYTES] = {1};
    if (welcome_open(&welcome, signature, hash, sealed, prekey) != STATUS_OK) {
        FUZZ_MUST(sodium_is_zero((const uint8_t *)&welcome, sizeof welcome));
        return;
    }
    FUZZ_MUST(welcome.path.depth <= TREE_DEPTH_MAX);
    FUZZ_MUST(welcome.path.leaf.value < tree_leaf_count(welcome.path.depth));
    FUZZ_MUST(welcome.admin_count >= 1 && welcome.admin_count <= ADMINS_MAX);
    for (size_t i = 0; i < welcome.admin_count; i++) {
        FUZZ_MUST(welcome.admins[i].leaf < tree_leaf_count(welcome.path.depth));
        FUZZ_MUST(welcome.admins[i].name.text[0]);
        FUZZ_MUST(!i || welcome.admins[i].leaf > welcome.admins[i - 1].leaf);
    }
    FUZZ_MUST(welcome_verify(&welcome, signature, hash, key, key, key) == STATUS_BAD_SIGNATURE);
    welcome_wipe(&welcome);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fixed_random_start(1);
    secret_t prekey;
    uint8_t public_key[KEY_BYTES];
    FUZZ_MUST(crypto_box_keypair(public_key, prekey.bytes) == 0);
    check((bytes_t){data, size}, &prekey);
    buffer_t sealed = {0};
    uint8_t *out = buffer_extend(&sealed, size + crypto_box_SEALBYTES);
    FUZZ_MUST(crypto_box_seal(out, data, size, public_key) == 0);
    check(buffer_view(&sealed), &prekey);
    buffer_free(&sealed);
    return 0;
}
