/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/operator/operator_keys.h"

#include "broker/files/private_file.h"
#include "proto/endpoint.h"
#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

static bool line_holds(const char *line, size_t size, const uint8_t key[static KEY_BYTES])
{
    uint8_t listed[KEY_BYTES];
    size_t key_size = 0;
    while (key_size < size && line[key_size] != ' ' && line[key_size] != '\t' &&
           line[key_size] != '\r')
        key_size++;
    return key_from_text(listed, line, key_size) == STATUS_OK &&
           memcmp(listed, key, KEY_BYTES) == 0;
}

static bool text_holds(const char *text, size_t size, const uint8_t key[static KEY_BYTES])
{
    const char *end = text + size;
    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (!line_end)
            line_end = end;
        if (line_holds(text, (size_t)(line_end - text), key))
            return true;
        text = line_end + 1;
    }
    return false;
}

status_t operator_keys_find(int dir_fd, const uint8_t key[static KEY_BYTES])
{
    char *text = mem_alloc(OPERATOR_KEYS_MAX_BYTES);
    size_t size;
    status_t status =
        private_file_read(dir_fd, OPERATOR_KEYS_NAME, text, OPERATOR_KEYS_MAX_BYTES, &size);
    if (status == STATUS_OK && !text_holds(text, size, key))
        status = STATUS_NOT_FOUND;
    free(text);
    return status;
}
