/* SPDX-License-Identifier: MPL-2.0 */
/* The only key derivation (PROTOCOL.md section 3), and every label that it is ever used with. */
#ifndef CONCLAVE_CLIENT_KEYS_KDF_H
#define CONCLAVE_CLIENT_KEYS_KDF_H

#include "client/keys/secret.h"
#include "proto/bytes.h"

#define KDF_LABELS(LABEL)                                                                          \
    LABEL(GROW, "grow")       /* old root -> new root, on growth; x = R */                         \
    LABEL(NEXT, "next")       /* a node's key after it was used; x = R */                          \
    LABEL(JOIN, "join")       /* inner nodes above an added leaf; x = R */                         \
    LABEL(PATH, "path")       /* path secret of a child -> of its parent; x = R */                 \
    LABEL(NODE, "node")       /* path secret -> node key; x = R */                                 \
    LABEL(WRAP, "wrap")       /* node key -> key of the wrap that it opens; x = R */               \
    LABEL(EPOCH, "epoch")     /* root key -> epoch secret; x = T */                                \
    LABEL(CONFIRM, "confirm") /* epoch secret -> this and the next two */                                \
    LABEL(MEMBERSHIP, "membership")                                                                \
    LABEL(TREE, "tree")                                                                            \
    LABEL(TAG, "tag")   /* confirmation tag; x = T */                                              \
    LABEL(MAC, "mac")   /* membership code; x = T, tag */                                          \
    LABEL(LEFT, "left") /* secret tree, downwards */                                               \
    LABEL(RIGHT, "right")                                                                          \
    LABEL(CHAIN, "chain")     /* a leaf's secret -> its sender's first chain key */                \
    LABEL(MESSAGE, "message") /* chain key -> message key */                                       \
    LABEL(RATCHET, "ratchet") /* chain key -> the next */                                          \
    LABEL(SEAL, "seal")       /* message key -> AEAD key; x = header */                            \
    LABEL(VAULT, "vault")     /* identity's vault key -> a vault file's; x = its name */

typedef enum {
#define LABEL(name, text) KDF_##name,
    KDF_LABELS(LABEL)
#undef LABEL
} kdf_label_t;

#define KDF_INPUT_MAX 128

/* out may be key itself. At most KDF_INPUT_MAX bytes of x (more is a caller's bug). */
void kdf(secret_t *out, const secret_t *key, kdf_label_t label, const void *x, size_t x_size);

/* The same with an empty x. */
void kdf_plain(secret_t *out, const secret_t *key, kdf_label_t label);

const char *kdf_label_text(kdf_label_t label);

#endif
