/* SPDX-License-Identifier: MPL-2.0 */
/* Statements: one unambiguous form for everything that is signed or hashed. */
#include "proto/statement.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char prefix[] = "conclave/1 ";

static bytes_t text_bytes(const char *text)
{
    return (bytes_t){(const uint8_t *)text, strlen(text)};
}

void statement_write(buffer_t *out, const char *kind, const bytes_t *fields, size_t count)
{
    buffer_append(out, prefix, sizeof prefix - 1);
    buffer_append(out, kind, strlen(kind) + 1);
    for (size_t i = 0; i < count; i++)
        buffer_lp(out, fields[i].data, fields[i].size);
}

void statement_hash(uint8_t out[static HASH_BYTES], const char *kind, const bytes_t *fields,
                    size_t count)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, HASH_BYTES);
    crypto_generichash_update(&state, (const uint8_t *)prefix, sizeof prefix - 1);
    crypto_generichash_update(&state, (const uint8_t *)kind, strlen(kind) + 1);
    for (size_t i = 0; i < count; i++) {
        uint8_t size[4];
        if (fields[i].size > UINT32_MAX)
            abort();
        put_u32(size, (uint32_t)fields[i].size);
        crypto_generichash_update(&state, size, sizeof size);
        crypto_generichash_update(&state, fields[i].data, fields[i].size);
    }
    crypto_generichash_final(&state, out, HASH_BYTES);
}

status_t signature_verify(const uint8_t signature[static SIGNATURE_BYTES],
                          const uint8_t key[static KEY_BYTES], bytes_t statement)
{
    if (crypto_sign_verify_detached(signature, statement.data, statement.size, key) != 0)
        return STATUS_BAD_SIGNATURE;
    return STATUS_OK;
}

status_t statement_verify(const uint8_t signature[static SIGNATURE_BYTES],
                          const uint8_t key[static KEY_BYTES], const char *kind,
                          const bytes_t *fields, size_t count)
{
    buffer_t statement = {0};
    statement_write(&statement, kind, fields, count);
    status_t status = signature_verify(signature, key, buffer_view(&statement));
    buffer_free(&statement);
    return status;
}

void statement_register(buffer_t *out, const uint8_t broker_key[static KEY_BYTES], const char *name,
                        const uint8_t identity_key[static KEY_BYTES])
{
    const bytes_t fields[] = {{broker_key, KEY_BYTES}, text_bytes(name), {identity_key, KEY_BYTES}};
    statement_write(out, "register", fields, 3);
}

void statement_login(buffer_t *out, const uint8_t broker_key[static KEY_BYTES], const char *name,
                     const uint8_t challenge[static CHALLENGE_BYTES],
                     const uint8_t client_key[static KEY_BYTES], uint8_t purpose)
{
    const bytes_t fields[] = {{broker_key, KEY_BYTES},
                              text_bytes(name),
                              {challenge, CHALLENGE_BYTES},
                              {client_key, KEY_BYTES},
                              {&purpose, 1}};
    statement_write(out, "login", fields, 5);
}

void statement_unregister(buffer_t *out, const uint8_t broker_key[static KEY_BYTES],
                          const char *name)
{
    const bytes_t fields[] = {{broker_key, KEY_BYTES}, text_bytes(name)};
    statement_write(out, "unregister", fields, 2);
}

void statement_commit(buffer_t *out, const uint8_t group[static GROUP_ID_BYTES],
                      const uint8_t transcript[static HASH_BYTES],
                      const uint8_t tag[static HASH_BYTES])
{
    const bytes_t fields[] = {{group, GROUP_ID_BYTES}, {transcript, HASH_BYTES}, {tag, HASH_BYTES}};
    statement_write(out, "commit", fields, 3);
}

void transcript_start(uint8_t out[static HASH_BYTES], const uint8_t group[static GROUP_ID_BYTES],
                      const uint8_t creator_key[static KEY_BYTES], const char *group_name)
{
    const bytes_t fields[] = {
        {group, GROUP_ID_BYTES}, {creator_key, KEY_BYTES}, text_bytes(group_name)};
    statement_hash(out, "group", fields, 3);
}

void transcript_extend(uint8_t out[static HASH_BYTES], const uint8_t previous[static HASH_BYTES],
                       bytes_t body)
{
    const bytes_t fields[] = {{previous, HASH_BYTES}, body};
    statement_hash(out, "transcript", fields, 2);
}
