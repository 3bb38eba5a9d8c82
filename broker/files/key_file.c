/* SPDX-License-Identifier: MPL-2.0 */
/* Made once and never replaced: a broker with a new key is another broker to its clients. */
#include "broker/files/key_file.h"

#include "broker/files/private_file.h"
#include "proto/bytes.h"

#include <sodium.h>
#include <string.h>
#include <zmq.h>

#define MAGIC       "CONCLAVE-BROKER\n"
#define MAGIC_BYTES 16
#define FORMAT      1
#define BODY_BYTES  (MAGIC_BYTES + 4 + KEY_BYTES + KEY_BYTES)
#define FILE_BYTES  (BODY_BYTES + HASH_BYTES)
#define Z85_BYTES   41 /* of a key, with the NUL */

static status_t pair_make(broker_key_t *out)
{
    char public_text[Z85_BYTES];
    char secret_text[Z85_BYTES];
    bool is_made = zmq_curve_keypair(public_text, secret_text) == 0 &&
                   zmq_z85_decode(out->public_key, public_text) &&
                   zmq_z85_decode(out->secret_key, secret_text);
    sodium_memzero(secret_text, sizeof secret_text);
    return is_made ? STATUS_OK : STATUS_IO_ERROR;
}

/* That the two halves belong together, which the checksum can't tell. */
static bool pair_matches(const broker_key_t *pair)
{
    char public_text[Z85_BYTES];
    char secret_text[Z85_BYTES];
    uint8_t public_key[KEY_BYTES];
    bool matches = zmq_z85_encode(secret_text, pair->secret_key, KEY_BYTES) &&
                   zmq_curve_public(public_text, secret_text) == 0 &&
                   zmq_z85_decode(public_key, public_text) &&
                   memcmp(public_key, pair->public_key, KEY_BYTES) == 0;
    sodium_memzero(secret_text, sizeof secret_text);
    return matches;
}

static void file_checksum(uint8_t out[static HASH_BYTES], const uint8_t *file)
{
    crypto_generichash(out, HASH_BYTES, file, BODY_BYTES, NULL, 0);
}

static void file_write(uint8_t file[static FILE_BYTES], const broker_key_t *pair)
{
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the file has no strings */
    memcpy(file, MAGIC, MAGIC_BYTES);
    put_u32(file + MAGIC_BYTES, FORMAT);
    memcpy(file + MAGIC_BYTES + 4, pair->secret_key, KEY_BYTES);
    memcpy(file + MAGIC_BYTES + 4 + KEY_BYTES, pair->public_key, KEY_BYTES);
    file_checksum(file + BODY_BYTES, file);
}

static status_t file_parse(broker_key_t *out, const uint8_t *file, size_t size)
{
    uint8_t checksum[HASH_BYTES];
    if (size < MAGIC_BYTES + 4 || memcmp(file, MAGIC, MAGIC_BYTES) != 0) {
        return STATUS_DAMAGED_FILE;
    }
    if (get_u32(file + MAGIC_BYTES) > FORMAT) {
        return STATUS_NEWER_FORMAT;
    }
    if (size != FILE_BYTES || get_u32(file + MAGIC_BYTES) != FORMAT) {
        return STATUS_DAMAGED_FILE;
    }
    file_checksum(checksum, file);
    if (sodium_memcmp(checksum, file + BODY_BYTES, HASH_BYTES) != 0) {
        return STATUS_DAMAGED_FILE;
    }
    memcpy(out->secret_key, file + MAGIC_BYTES + 4, KEY_BYTES);
    memcpy(out->public_key, file + MAGIC_BYTES + 4 + KEY_BYTES, KEY_BYTES);
    return pair_matches(out) ? STATUS_OK : STATUS_DAMAGED_FILE;
}

status_t key_file_open(broker_key_t *out, int dir_fd, bool *is_new)
{
    uint8_t file[FILE_BYTES];
    size_t size;
    memset(out, 0, sizeof *out);
    *is_new = false;
    status_t status = private_file_read(dir_fd, KEY_FILE_NAME, file, sizeof file, &size);
    if (status == STATUS_OK) {
        status = file_parse(out, file, size);
    } else if (status == STATUS_NOT_FOUND) {
        status = pair_make(out);
        if (status == STATUS_OK) {
            file_write(file, out);
            status = private_file_write(dir_fd, KEY_FILE_NAME, file, sizeof file);
            *is_new = status == STATUS_OK;
        }
    }
    sodium_memzero(file, sizeof file);
    if (status != STATUS_OK) {
        broker_key_wipe(out);
    }
    return status;
}

void broker_key_wipe(broker_key_t *self)
{
    sodium_memzero(self, sizeof *self);
}
