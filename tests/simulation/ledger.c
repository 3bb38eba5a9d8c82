/* SPDX-License-Identifier: MPL-2.0 */
/* Which key sealed what. */
#include "tests/simulation/ledger.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/keys/member_path.h"
#include "client/keys/message_seal.h"
#include "proto/memory.h"

#define SHORT_BYTES 16 /* of a key or a digest: no two agree by chance */

typedef enum {
    USE_AEAD = 1, /* sealed with this very key: the same bytes again are the same message */
    USE_MESSAGE,  /* a generation's key: sealed anew is another message, even of the same text */
    USE_WRAP,     /* a node's key, in one commit at most */
} use_t;

static const char *const use_names[] = {"", "an AEAD key", "a message key", "a node key"};

typedef struct {
    use_t use; /* 0: free */
    uint8_t key[SHORT_BYTES];
    uint8_t content[SHORT_BYTES];
} sealing_t;

static struct {
    world_t *world;
    sealing_t *table; /* open addressing by key */
    size_t count, capacity;
    sealing_t *pending; /* of the step under way */
    size_t pending_count, pending_capacity;
    uint64_t messages;
} ledger;

static sealing_t *place_of(const uint8_t *key)
{
    uint64_t at;
    memcpy(&at, key, sizeof at);
    while (ledger.table[at &= ledger.capacity - 1].use &&
           memcmp(ledger.table[at].key, key, SHORT_BYTES))
        at++;
    return &ledger.table[at];
}

static void grow(void)
{
    sealing_t *old = ledger.table;
    size_t old_capacity = ledger.capacity;
    ledger.capacity = old_capacity ? 2 * old_capacity : 1024;
    ledger.table = mem_zalloc(ledger.capacity, sizeof *ledger.table);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].use)
            *place_of(old[i].key) = old[i];
    free(old);
}

static void enter(const sealing_t *sealing)
{
    if (2 * ledger.count >= ledger.capacity)
        grow();
    sealing_t *place = place_of(sealing->key);
    if (!place->use) {
        *place = *sealing;
        ledger.count++;
    } else if (place->use != sealing->use ||
               memcmp(place->content, sealing->content, SHORT_BYTES)) {
        world_fail(ledger.world, "%s sealed two different things", use_names[sealing->use]);
    }
}

static void note(use_t use, const uint8_t *key, const bytes_t *parts, size_t count)
{
    if (!ledger.world)
        return;
    if (ledger.pending_count == ledger.pending_capacity) {
        ledger.pending_capacity = ledger.pending_capacity ? 2 * ledger.pending_capacity : 64;
        ledger.pending =
            mem_realloc(ledger.pending, ledger.pending_capacity, sizeof *ledger.pending);
    }
    sealing_t *sealing = &ledger.pending[ledger.pending_count++];
    *sealing = (sealing_t){.use = use};
    memcpy(sealing->key, key, SHORT_BYTES);
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, SHORT_BYTES);
    for (size_t i = 0; i < count; i++) {
        uint8_t size[8];
        put_u64(size, parts[i].size);
        crypto_generichash_update(&state, size, sizeof size);
        crypto_generichash_update(&state, parts[i].data, parts[i].size);
    }
    crypto_generichash_final(&state, sealing->content, SHORT_BYTES);
}

void ledger_open(world_t *world)
{
    ledger_close();
    ledger.world = world;
}

void ledger_close(void)
{
    free(ledger.table);
    free(ledger.pending);
    memset(&ledger, 0, sizeof ledger);
}

/* --- What the linker puts in the place of the real ones --------------------------------------- */

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
    note(USE_AEAD, key, parts, sizeof parts / sizeof parts[0]);
    return __real_crypto_aead_chacha20poly1305_ietf_encrypt(c, c_size, m, m_size, ad, ad_size,
                                                            unused, nonce, key);
}

/* The salt makes an AEAD key of its own for each sealing: two under one message key show only
 * here. */
status_t __real_message_seal(const message_place_t *place, message_header_t *header,
                             const secret_t *message_key, const identity_t *sender, uint8_t type,
                             uint64_t number, bytes_t content, buffer_t *out);
status_t __wrap_message_seal(const message_place_t *place, message_header_t *header,
                             const secret_t *message_key, const identity_t *sender, uint8_t type,
                             uint64_t number, bytes_t content, buffer_t *out);

status_t __wrap_message_seal(const message_place_t *place, message_header_t *header,
                             const secret_t *message_key, const identity_t *sender, uint8_t type,
                             uint64_t number, bytes_t content, buffer_t *out)
{
    uint8_t turn[8];
    put_u64(turn, ++ledger.messages);
    const bytes_t parts[] = {{turn, sizeof turn}};
    note(USE_MESSAGE, message_key->bytes, parts, 1);
    return __real_message_seal(place, header, message_key, sender, type, number, content, out);
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
    note(USE_WRAP, child_key->bytes, parts, 2);
    __real_wrap_seal(out, path_secret, child_key, random, group, next_epoch, child);
}

/* A step is durable. */
status_t __real_vault_apply(vault_t *self, const writes_t *writes);
status_t __wrap_vault_apply(vault_t *self, const writes_t *writes);

status_t __wrap_vault_apply(vault_t *self, const writes_t *writes)
{
    status_t status = __real_vault_apply(self, writes);
    for (size_t i = 0; !status && i < ledger.pending_count; i++)
        enter(&ledger.pending[i]);
    ledger.pending_count = 0;
    return status;
}

/* A client goes down: what it had not stored is undone. */
void __real_core_destroy(core_t **self);
void __wrap_core_destroy(core_t **self);

void __wrap_core_destroy(core_t **self)
{
    ledger.pending_count = 0;
    __real_core_destroy(self);
}
