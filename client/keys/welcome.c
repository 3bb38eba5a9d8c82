/* SPDX-License-Identifier: MPL-2.0 */
/* The welcome's bytes, its signature and its seal. */
#include "client/keys/welcome.h"

#include <sodium.h>
#include <string.h>

#include "proto/memory.h"
#include "proto/statement.h"

#define WELCOME_FORMAT 1

void welcome_wipe(welcome_t *self)
{
    sodium_memzero(self, sizeof *self);
}

static void write_plain(const welcome_t *self, buffer_t *out)
{
    buffer_u8(out, WELCOME_FORMAT);
    buffer_append(out, self->group, GROUP_ID_BYTES);
    name8_write(out, &self->group_name);
    buffer_u64(out, self->epoch);
    buffer_append(out, self->transcript, HASH_BYTES);
    buffer_u32(out, self->path.leaf.value);
    buffer_u8(out, (uint8_t)self->path.depth);
    buffer_append(out, self->epoch_secret.bytes, KEY_BYTES);
    for (unsigned level = 0; level <= self->path.depth; level++)
        buffer_append(out, self->path.keys[level].bytes, KEY_BYTES);
    buffer_u16(out, (uint16_t)self->admin_count);
    for (size_t i = 0; i < self->admin_count; i++) {
        buffer_u32(out, self->admins[i].leaf);
        name8_write(out, &self->admins[i].name);
        buffer_append(out, self->admins[i].identity_key, KEY_BYTES);
    }
}

/* What the admin signs. */
static void write_statement(const welcome_t *self, const uint8_t *recipient_key,
                            const uint8_t *prekey, const uint8_t *hash, buffer_t *out)
{
    uint8_t leaf[4];
    put_u32(leaf, self->path.leaf.value);
    const bytes_t fields[] = {
        {self->group, GROUP_ID_BYTES}, {self->transcript, HASH_BYTES},
        {recipient_key, KEY_BYTES},    {prekey, KEY_BYTES},
        {leaf, sizeof leaf},           {hash, HASH_BYTES},
    };
    statement_write(out, "welcome", fields, sizeof fields / sizeof fields[0]);
}

status_t welcome_seal(const welcome_t *self, const identity_t *admin,
                      const uint8_t recipient_key[static KEY_BYTES],
                      const uint8_t prekey[static KEY_BYTES], buffer_t *out)
{
    buffer_t plain = {0}, statement = {0};
    write_plain(self, &plain);
    bytes_t signed_part = buffer_view(&plain);
    uint8_t hash[HASH_BYTES], signature[SIGNATURE_BYTES];
    statement_hash(hash, "welcome", &signed_part, 1);
    write_statement(self, recipient_key, prekey, hash, &statement);
    identity_sign(admin, buffer_view(&statement), signature);
    buffer_free(&statement);
    buffer_append(&plain, signature, sizeof signature);

    size_t start = out->size;
    uint8_t *sealed = buffer_extend(out, plain.size + crypto_box_SEALBYTES);
    status_t status = STATUS_OK;
    if (crypto_box_seal(sealed, plain.data, plain.size, prekey)) {
        out->size = start;
        status = STATUS_BAD_KEY;
    }
    buffer_wipe(&plain);
    return status;
}

static status_t read_admins(welcome_t *out, reader_t *in)
{
    out->admin_count = reader_u16(in);
    if (!out->admin_count || out->admin_count > ADMINS_MAX)
        return STATUS_BAD_WELCOME;
    for (size_t i = 0; i < out->admin_count; i++) {
        welcome_admin_t *admin = &out->admins[i];
        admin->leaf = reader_u32(in);
        admin->name = name8_read(in);
        reader_copy(in, admin->identity_key, KEY_BYTES);
        if (!reader_ok(in) || admin->leaf >= tree_leaf_count(out->path.depth) ||
            (i && admin->leaf <= admin[-1].leaf))
            return STATUS_BAD_WELCOME;
    }
    return STATUS_OK;
}

static status_t read_plain(welcome_t *out, uint8_t *signature, uint8_t *hash, bytes_t plain)
{
    reader_t in = reader_of(plain.data, plain.size);
    if (reader_u8(&in) != WELCOME_FORMAT)
        return STATUS_BAD_WELCOME;
    reader_copy(&in, out->group, GROUP_ID_BYTES);
    out->group_name = name8_read(&in);
    out->epoch = reader_u64(&in);
    reader_copy(&in, out->transcript, HASH_BYTES);
    out->path.leaf = leaf_index(reader_u32(&in));
    out->path.depth = reader_u8(&in);
    reader_copy(&in, out->epoch_secret.bytes, KEY_BYTES);
    if (!reader_ok(&in) || out->path.depth > TREE_DEPTH_MAX ||
        out->path.leaf.value >= tree_leaf_count(out->path.depth))
        return STATUS_BAD_WELCOME;
    for (unsigned level = 0; level <= out->path.depth; level++)
        reader_copy(&in, out->path.keys[level].bytes, KEY_BYTES);
    status_t status = read_admins(out, &in);
    if (status)
        return status;
    bytes_t signed_part = {plain.data, plain.size - in.left};
    reader_copy(&in, signature, SIGNATURE_BYTES);
    if (!reader_done(&in))
        return STATUS_BAD_WELCOME;
    statement_hash(hash, "welcome", &signed_part, 1);
    return STATUS_OK;
}

status_t welcome_open(welcome_t *out, uint8_t signature[static SIGNATURE_BYTES],
                      uint8_t hash[static HASH_BYTES], bytes_t sealed,
                      const secret_t *prekey_secret)
{
    memset(out, 0, sizeof *out);
    if (sealed.size <= crypto_box_SEALBYTES || sealed.size > WELCOME_MAX_BYTES)
        return STATUS_BAD_SEAL;
    uint8_t prekey[KEY_BYTES];
    if (crypto_scalarmult_base(prekey, prekey_secret->bytes))
        return STATUS_BAD_SEAL;
    size_t size = sealed.size - crypto_box_SEALBYTES;
    uint8_t *plain = mem_alloc(size);
    status_t status = STATUS_BAD_SEAL;
    if (!crypto_box_seal_open(plain, sealed.data, sealed.size, prekey, prekey_secret->bytes))
        status = read_plain(out, signature, hash, (bytes_t){plain, size});
    buffer_t wiped = {plain, size, size};
    buffer_wipe(&wiped);
    if (status)
        welcome_wipe(out);
    return status;
}

status_t welcome_verify(const welcome_t *self, const uint8_t signature[static SIGNATURE_BYTES],
                        const uint8_t hash[static HASH_BYTES],
                        const uint8_t admin_key[static KEY_BYTES],
                        const uint8_t recipient_key[static KEY_BYTES],
                        const uint8_t prekey[static KEY_BYTES])
{
    buffer_t statement = {0};
    write_statement(self, recipient_key, prekey, hash, &statement);
    status_t status = signature_verify(signature, admin_key, buffer_view(&statement));
    buffer_free(&statement);
    return status;
}
