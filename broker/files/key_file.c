/* SPDX-License-Identifier: MPL-2.0 */
/* Made once and never replaced: a broker with a new key is another broker to its clients. */
#include "broker/files/key_file.h"

#include "broker/files/private_file.h"
#include "proto/bytes.h"

#include <sodium.h>
#include <string.h>

#define MAGIC       "CONCLAVE-BROKER\n"
#define MAGIC_BYTES 16
#define FORMAT      1
#define BODY_BYTES  (MAGIC_BYTES + 4 + KEY_BYTES + KEY_BYTES)
#define FILE_BYTES  (BODY_BYTES + HASH_BYTES)

/* That the two halves belong together, which the checksum can't tell. */
static bool halves_match(const key_pair_t *pair)
{
    uint8_t public_key[KEY_BYTES];
    return key_pair_public_of(public_key, pair->secret_key) &&
           memcmp(public_key, pair->public_key, KEY_BYTES) == 0;
}

static void file_checksum(uint8_t out[static HASH_BYTES], const uint8_t *file)
{
    crypto_generichash(out, HASH_BYTES, file, BODY_BYTES, NULL, 0);
}

static void file_write(uint8_t file[static FILE_BYTES], const key_pair_t *pair)
{
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the file has no strings */
    memcpy(file, MAGIC, MAGIC_BYTES);
    put_u32(file + MAGIC_BYTES, FORMAT);
    memcpy(file + MAGIC_BYTES + 4, pair->secret_key, KEY_BYTES);
    memcpy(file + MAGIC_BYTES + 4 + KEY_BYTES, pair->public_key, KEY_BYTES);
    file_checksum(file + BODY_BYTES, file);
}

static status_t file_parse(key_pair_t *out, const uint8_t *file, size_t size)
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
    return halves_match(out) ? STATUS_OK : STATUS_DAMAGED_FILE;
}

status_t key_file_open(key_pair_t *out, int dir_fd, bool *is_new)
{
    uint8_t file[FILE_BYTES];
    size_t size;
    memset(out, 0, sizeof *out);
    *is_new = false;
    status_t status = private_file_read(dir_fd, KEY_FILE_NAME, file, sizeof file, &size);
    if (status == STATUS_OK) {
        status = file_parse(out, file, size);
    } else if (status == STATUS_NOT_FOUND) {
        status = key_pair_make(out) ? STATUS_OK : STATUS_IO_ERROR;
        if (status == STATUS_OK) {
            file_write(file, out);
            status = private_file_write(dir_fd, KEY_FILE_NAME, file, sizeof file);
            *is_new = status == STATUS_OK;
        }
    }
    sodium_memzero(file, sizeof file);
    if (status != STATUS_OK) {
        key_pair_wipe(out);
    }
    return status;
}
