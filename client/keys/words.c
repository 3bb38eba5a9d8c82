/* SPDX-License-Identifier: MPL-2.0 */
/* Words of hashes. */
#include "client/keys/words.h"

#include <assert.h>
#include <string.h>

#include "proto/statement.h"

#define WORD_BITS 11

static unsigned word_at(const uint8_t *hash, unsigned index)
{
    unsigned value = 0;
    for (unsigned bit = index * WORD_BITS; bit < (index + 1) * WORD_BITS; bit++)
        value = value << 1 | ((unsigned)hash[bit / 8] >> (7 - bit % 8) & 1);
    return value;
}

void words_of_hash(char out[static WORDS_TEXT_BYTES], const uint8_t hash[static HASH_BYTES],
                   unsigned count)
{
    assert(count <= WORDS_MAX);
    char *at = out;
    for (unsigned i = 0; i < count; i++) {
        const char *word = words_table[word_at(hash, i)];
        if (i)
            *at++ = ' ';
        size_t size = strlen(word);
        memcpy(at, word, size);
        at += size;
    }
    *at = '\0';
}

void words_of_pair(char out[static WORDS_TEXT_BYTES], const uint8_t a[static KEY_BYTES],
                   const uint8_t b[static KEY_BYTES])
{
    bool in_order = memcmp(a, b, KEY_BYTES) <= 0;
    bytes_t fields[2] = {{in_order ? a : b, KEY_BYTES}, {in_order ? b : a, KEY_BYTES}};
    uint8_t hash[HASH_BYTES];
    statement_hash(hash, "words-pair", fields, 2);
    words_of_hash(out, hash, WORDS_VERIFY);
}

void words_of_key(char out[static WORDS_TEXT_BYTES], const uint8_t key[static KEY_BYTES],
                  unsigned count)
{
    bytes_t field = {key, KEY_BYTES};
    uint8_t hash[HASH_BYTES];
    statement_hash(hash, "words-key", &field, 1);
    words_of_hash(out, hash, count);
}

void words_of_group(char out[static WORDS_TEXT_BYTES], const uint8_t group[static GROUP_ID_BYTES],
                    const uint8_t transcript[static HASH_BYTES], unsigned count)
{
    bytes_t fields[2] = {{group, GROUP_ID_BYTES}, {transcript, HASH_BYTES}};
    uint8_t hash[HASH_BYTES];
    statement_hash(hash, "words-group", fields, 2);
    words_of_hash(out, hash, count);
}
