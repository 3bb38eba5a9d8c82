/* SPDX-License-Identifier: MPL-2.0 */
/* Steps through bytes that claim to be UTF-8, and tells which characters are safe to print. */
#include "client/ui/utf8.h"

#include <utf8proc.h>

/* Bytes a lead byte announces (0: none) and the range of the byte after it; Unicode table 3-7. */
static size_t lead_length(uint8_t lead, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xBF;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (lead == 0xE0)
            *low = 0xA0;
        if (lead == 0xED)
            *high = 0x9F;
        return 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (lead == 0xF0)
            *low = 0x90;
        if (lead == 0xF4)
            *high = 0x8F;
        return 4;
    }
    return 0;
}

/* How many bytes at the start fit together; `length` is what the lead byte announces. */
static size_t fitting(const char *bytes, size_t size, size_t *length)
{
    uint8_t low, high;
    *length = lead_length((uint8_t)bytes[0], &low, &high);
    size_t fit = 1;
    while (fit < *length && fit < size && (uint8_t)bytes[fit] >= low &&
           (uint8_t)bytes[fit] <= high) {
        low = 0x80;
        high = 0xBF;
        fit++;
    }
    return fit;
}

size_t utf8_next(const char *bytes, size_t size, uint32_t *character)
{
    size_t length;
    size_t fit = fitting(bytes, size, &length);
    if (fit != length) {
        *character = UTF8_REPLACEMENT;
        return fit;
    }
    static const uint8_t lead_bits[UTF8_MAX_BYTES + 1] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    *character = (uint8_t)bytes[0] & lead_bits[length];
    for (size_t i = 1; i < length; i++)
        *character = *character << 6 | ((uint8_t)bytes[i] & 0x3F);
    return length;
}

bool utf8_is_partial(const char *bytes, size_t size)
{
    if (!size)
        return false;
    size_t length;
    return fitting(bytes, size, &length) == size && size < length;
}

size_t utf8_put(char bytes[UTF8_MAX_BYTES], uint32_t character)
{
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)character, (utf8proc_uint8_t *)bytes);
}

bool utf8_is_printable(uint32_t character)
{
    const utf8proc_property_t *property = utf8proc_get_property((utf8proc_int32_t)character);
    if (property->ignorable)
        return false;
    switch (property->category) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    default:
        return true;
    }
}

bool utf8_is_mark(uint32_t character)
{
    switch (utf8proc_category((utf8proc_int32_t)character)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return true;
    default:
        return utf8proc_charwidth((utf8proc_int32_t)character) == 0;
    }
}

size_t utf8_columns(uint32_t character)
{
    int columns = utf8proc_charwidth((utf8proc_int32_t)character);
    return columns > 0 ? (size_t)columns : 0;
}
