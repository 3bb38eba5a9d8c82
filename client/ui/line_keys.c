/* SPDX-License-Identifier: MPL-2.0 */
/* Cuts what a terminal sends into keys. */
#include "client/ui/line_keys.h"

#include "client/ui/utf8.h"

#include <stdint.h>

static line_key_t found(line_key_t key, size_t bytes, size_t *length)
{
    *length = bytes;
    return key;
}

static line_key_t character(const char *bytes, size_t size, bool waited, size_t *length)
{
    uint32_t read;
    if (!waited && utf8_is_partial(bytes, size))
        return found(LINE_KEY_PARTIAL, 0, length);
    size_t taken = utf8_next(bytes, size, &read);
    bool typed = read == UTF8_REPLACEMENT && taken == 3 && bytes[0] == '\xEF';
    return found(read == UTF8_REPLACEMENT && !typed ? LINE_KEY_GARBAGE : LINE_KEY_CHARACTER, taken,
                 length);
}

/* From Escape [ on: parameters and intermediates up to a final byte. */
static line_key_t control_sequence(const char *bytes, size_t size, bool waited, size_t *length)
{
    for (size_t i = 2; i < size; i++) {
        uint8_t byte = (uint8_t)bytes[i];
        if (byte >= 0x40 && byte <= 0x7E)
            return found(LINE_KEY_SEQUENCE, i + 1, length);
        if (byte < 0x20 || byte > 0x7E)
            return found(LINE_KEY_GARBAGE, i, length);
        if (i + 1 == LINE_KEYS_SEQUENCE_MAX)
            return found(LINE_KEY_GARBAGE, i + 1, length);
    }
    return waited ? found(LINE_KEY_GARBAGE, size, length) : found(LINE_KEY_PARTIAL, 0, length);
}

line_key_t line_keys_next(const char *bytes, size_t size, bool waited, size_t *length)
{
    if (bytes[0] != LINE_KEYS_ESCAPE)
        return character(bytes, size, false, length);
    if (size == 1)
        return waited ? found(LINE_KEY_GARBAGE, 1, length) : found(LINE_KEY_PARTIAL, 0, length);
    if (bytes[1] == '[')
        return control_sequence(bytes, size, waited, length);
    if (bytes[1] == 'O' && size == 2)
        return waited ? found(LINE_KEY_META, 2, length) : found(LINE_KEY_PARTIAL, 0, length);
    if (bytes[1] == 'O' && bytes[2] >= 0x40 && bytes[2] <= 0x7E)
        return found(LINE_KEY_SEQUENCE, 3, length);
    if (bytes[1] == LINE_KEYS_ESCAPE)
        return found(LINE_KEY_GARBAGE, 1, length);
    size_t taken;
    line_key_t key = character(bytes + 1, size - 1, waited, &taken);
    if (key == LINE_KEY_PARTIAL)
        return found(key, 0, length);
    return found(key == LINE_KEY_CHARACTER ? LINE_KEY_META : LINE_KEY_GARBAGE, taken + 1, length);
}
