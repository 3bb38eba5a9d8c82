/* SPDX-License-Identifier: MPL-2.0 */
/* KDF(k, label, x): BLAKE2b-256 keyed with k over lp(label) and lp(x). */
#include "client/keys/kdf.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define LABEL_MAX 16

static const struct {
    const char *text;
    uint8_t size;
} labels[] = {
#define LABEL(name, text) {(text), sizeof(text) - 1},
    KDF_LABELS(LABEL)
#undef LABEL
};

const char *kdf_label_text(kdf_label_t label)
{
    return labels[label].text;
}

void kdf(secret_t *out, const secret_t *key, kdf_label_t label, const void *x, size_t x_size)
{
    assert(x_size <= KDF_INPUT_MAX);
    uint8_t input[4 + LABEL_MAX + 4 + KDF_INPUT_MAX];
    size_t size = labels[label].size;
    assert(size <= LABEL_MAX);
    put_u32(input, (uint32_t)size);
    memcpy(input + 4, labels[label].text, size);
    put_u32(input + 4 + size, (uint32_t)x_size);
    if (x_size)
        memcpy(input + 8 + size, x, x_size);
    crypto_generichash(out->bytes, sizeof out->bytes, input, 8 + size + x_size, key->bytes,
                       sizeof key->bytes);
}

void kdf_plain(secret_t *out, const secret_t *key, kdf_label_t label)
{
    kdf(out, key, label, NULL, 0);
}
