/* SPDX-License-Identifier: MPL-2.0 */
/* Hashes as words that people can compare: 11 bits a word, from the first bit on, with the English
 * list of BIP-39. */
#ifndef CONCLAVE_CLIENT_KEYS_WORDS_H
#define CONCLAVE_CLIENT_KEYS_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define WORDS_VERIFY     12 /* for a comparison that counts */
#define WORDS_GLANCE     3  /* for the group line */
#define WORDS_MAX        23
#define WORDS_TEXT_BYTES (WORDS_MAX * 9) /* room for WORDS_MAX words, spaces and the NUL */

/* count (at most WORDS_MAX) words separated by spaces, NUL-terminated. */
void words_of_hash(char out[static WORDS_TEXT_BYTES], const uint8_t hash[static HASH_BYTES],
                   unsigned count);

/* The WORDS_VERIFY words of two people's identity keys; the same whichever comes first. */
void words_of_pair(char out[static WORDS_TEXT_BYTES], const uint8_t a[static KEY_BYTES],
                   const uint8_t b[static KEY_BYTES]);

/* The words of one person's identity key, for somebody who has no key yet. */
void words_of_key(char out[static WORDS_TEXT_BYTES], const uint8_t key[static KEY_BYTES],
                  unsigned count);

/* The words of a group's whole history up to an epoch, from its transcript. */
void words_of_group(char out[static WORDS_TEXT_BYTES], const uint8_t group[static GROUP_ID_BYTES],
                    const uint8_t transcript[static HASH_BYTES], unsigned count);

extern const char *const words_table[2048];

#endif
