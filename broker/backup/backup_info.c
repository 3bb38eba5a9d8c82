/* SPDX-License-Identifier: MPL-2.0 */
/* Text, so that somebody who finds a backup can see what it is. */
#include "broker/backup/backup_info.h"

#include "broker/files/private_file.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FORMAT        1
#define FILE_BYTES    512
#define INCARNATION64 (sodium_base64_ENCODED_LEN(INCARNATION_BYTES, BASE64) - 1)
#define BASE64        sodium_base64_VARIANT_URLSAFE_NO_PADDING

status_t backup_info_write(const backup_info_t *self, int dir_fd)
{
    char text[FILE_BYTES], incarnation[INCARNATION64 + 1], when[32];
    time_t seconds = (time_t)(self->time_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    sodium_bin2base64(incarnation, sizeof incarnation, self->incarnation, INCARNATION_BYTES,
                      BASE64);
    int size = snprintf(text, sizeof text,
                        "conclave-backup %d\n"
                        "time-ms %" PRIu64 "\n"
                        "time %s\n"
                        "incarnation %s\n"
                        "software %s\n"
                        "store-bytes %" PRIu64 "\n"
                        "store-files %" PRIu64 "\n",
                        FORMAT, self->time_ms, when, incarnation, self->software, self->store_bytes,
                        self->store_files);
    return private_file_write(dir_fd, BACKUP_INFO_NAME, text, (size_t)size);
}

/* The value of the next line, which must be `key value`; NULL if it isn't. Cuts the text up. */
static const char *take_line(char **rest, const char *key)
{
    size_t size = strlen(key);
    char *line = *rest;
    char *end = strchr(line, '\n');
    if (!end || strncmp(line, key, size) != 0 || line[size] != ' ') {
        return NULL;
    }
    *end = '\0';
    *rest = end + 1;
    return line + size + 1;
}

static bool take_number(char **rest, const char *key, uint64_t *out)
{
    const char *text = take_line(rest, key);
    if (!text || !*text || strlen(text) > 19) {
        return false;
    }
    *out = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        *out = *out * 10 + (uint64_t)(*text - '0');
    }
    return *text == '\0';
}

static bool take_incarnation(char **rest, uint8_t out[static INCARNATION_BYTES])
{
    const char *text = take_line(rest, "incarnation");
    size_t size = 0;
    return text &&
           sodium_base642bin(out, INCARNATION_BYTES, text, strlen(text), NULL, &size, NULL,
                             BASE64) == 0 &&
           size == INCARNATION_BYTES;
}

static status_t parse(backup_info_t *out, char *text)
{
    uint64_t format = 0;
    if (!take_number(&text, "conclave-backup", &format)) {
        return STATUS_DAMAGED_FILE;
    }
    if (format > FORMAT) {
        return STATUS_NEWER_FORMAT;
    }
    bool is_whole = format == FORMAT && take_number(&text, "time-ms", &out->time_ms) &&
                    take_line(&text, "time") && take_incarnation(&text, out->incarnation);
    const char *software = is_whole ? take_line(&text, "software") : NULL;
    is_whole = software && strlen(software) < sizeof out->software;
    if (is_whole) {
        snprintf(out->software, sizeof out->software, "%s", software);
        is_whole = take_number(&text, "store-bytes", &out->store_bytes) &&
                   take_number(&text, "store-files", &out->store_files) && *text == '\0';
    }
    return is_whole ? STATUS_OK : STATUS_DAMAGED_FILE;
}

status_t backup_info_read(backup_info_t *out, int dir_fd)
{
    char text[FILE_BYTES];
    size_t size = 0;
    *out = (backup_info_t){0};
    status_t status = private_file_read(dir_fd, BACKUP_INFO_NAME, text, sizeof text - 1, &size);
    if (status != STATUS_OK) {
        return status;
    }
    text[size] = '\0';
    return strlen(text) == size ? parse(out, text) : STATUS_DAMAGED_FILE;
}
