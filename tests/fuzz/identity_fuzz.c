/* SPDX-License-Identifier: MPL-2.0 */
/* Identity files: the clear part, under a checksum that is right, and opening where the file asks
 * for the least work that is allowed. */
#include <sodium.h>
#include <string.h>

#include "client/keys/identity.h"
#include "proto/bytes.h"
#include "tests/fuzz/fuzz.h"

#define PASSES_AT 10
#define MEMORY_AT 18

static void check(bytes_t image)
{
    name_t name;
    uint8_t key[KEY_BYTES];
    status_t peeked = identity_peek(image, &name, key);
    if (peeked) {
        FUZZ_MUST(sodium_is_zero(key, sizeof key) && !name.text[0]);
        identity_t *identity;
        FUZZ_MUST(identity_open(&identity, image, (bytes_t){0}) == peeked && !identity);
        return;
    }
    FUZZ_MUST(image.size <= IDENTITY_IMAGE_MAX && name.text[0]);
    if (get_u64(image.data + PASSES_AT) > 1 || get_u64(image.data + MEMORY_AT) > 65536)
        return;
    identity_t *identity;
    status_t status = identity_open(&identity, image, (bytes_t){(const uint8_t *)"pass", 4});
    FUZZ_MUST((status == STATUS_OK) == (identity != NULL));
    FUZZ_MUST(!identity || !memcmp(identity_key(identity), key, KEY_BYTES));
    identity_destroy(&identity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FUZZ_MUST(sodium_init() >= 0);
    check((bytes_t){data, size});
    buffer_t whole = {0};
    buffer_append(&whole, data, size);
    uint8_t checksum[HASH_BYTES];
    crypto_generichash(checksum, sizeof checksum, data, size, NULL, 0);
    buffer_append(&whole, checksum, sizeof checksum);
    check(buffer_view(&whole));
    buffer_free(&whole);
    return 0;
}
