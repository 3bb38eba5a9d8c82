/* SPDX-License-Identifier: MPL-2.0 */
/* Which key sealed what. */
#include "tests/simulation/ledger.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

#define SHORT_BYTES 16 /* of a key or a digest: no two agree by chance */

static const char *const use_names[] = {"", "an AEAD key", "a message key", "a node key"};

typedef struct {
    ledger_use_t use; /* 0: free */
    uint8_t key[SHORT_BYTES];
    uint8_t content[SHORT_BYTES];
} sealing_t;

static struct {
    world_t *world;
    sealing_t *table; /* open addressing by key */
    size_t count, capacity;
    sealing_t *pending; /* of the step under way */
    size_t pending_count, pending_capacity;
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

void ledger_note(ledger_use_t use, const uint8_t *key, const bytes_t *parts, size_t count)
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

void ledger_step_stored(void)
{
    for (size_t i = 0; i < ledger.pending_count; i++)
        enter(&ledger.pending[i]);
    ledger.pending_count = 0;
}

void ledger_step_undone(void)
{
    ledger.pending_count = 0;
}
