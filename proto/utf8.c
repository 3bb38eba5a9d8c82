/* SPDX-License-Identifier: MPL-2.0 */
/* Well-formed byte sequences by Unicode's table 3-7. */
#include "proto/utf8.h"

#include <stdint.h>

typedef struct {
    unsigned more;     /* continuation bytes */
    uint8_t low, high; /* range of the first of them */
} lead_t;

/* more is 0 for what can't start a sequence. */
static lead_t lead_of(uint8_t byte)
{
    if (byte >= 0xc2 && byte <= 0xdf)
        return (lead_t){1, 0x80, 0xbf};
    if (byte >= 0xe0 && byte <= 0xef)
        return (lead_t){2, byte == 0xe0 ? 0xa0 : 0x80, byte == 0xed ? 0x9f : 0xbf};
    if (byte >= 0xf0 && byte <= 0xf4)
        return (lead_t){3, byte == 0xf0 ? 0x90 : 0x80, byte == 0xf4 ? 0x8f : 0xbf};
    return (lead_t){0, 0, 0};
}

bool utf8_valid(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte >= 0x01 && byte <= 0x7f)
            continue;
        lead_t lead = lead_of(byte);
        if (!lead.more || lead.more > size - i - 1)
            return false;
        for (; lead.more; lead.more--, lead.low = 0x80, lead.high = 0xbf) {
            byte = (uint8_t)text[++i];
            if (byte < lead.low || byte > lead.high)
                return false;
        }
    }
    return true;
}
