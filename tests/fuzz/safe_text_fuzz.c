/* SPDX-License-Identifier: MPL-2.0 */
/* Remote text on a terminal: whatever comes in, what goes out is UTF-8 that holds no control, no
 * escape and nothing that reorders, and cutting it keeps it so. */
#include <string.h>
#include <utf8proc.h>

#include "client/ui/safe_text.h"
#include "proto/utf8.h"
#include "tests/fuzz/fuzz.h"

static int is_bidi(utf8proc_int32_t rune)
{
    return rune == 0x61c || rune == 0x200e || rune == 0x200f ||
           (rune >= 0x202a && rune <= 0x202e) || (rune >= 0x2066 && rune <= 0x2069);
}

static void check_safe(const char *text, safe_text_options_t options)
{
    utf8proc_ssize_t left = (utf8proc_ssize_t)strlen(text), size;
    for (; left > 0; text += size, left -= size) {
        utf8proc_int32_t rune;
        size = utf8proc_iterate((const utf8proc_uint8_t *)text, left, &rune);
        FUZZ_MUST(size > 0);
        FUZZ_MUST(rune >= 0x20 || (options.lines && rune == '\n'));
        FUZZ_MUST(rune < 0x7f || rune > 0x9f);
        FUZZ_MUST(!is_bidi(rune) && rune != 0x2028 && rune != 0x2029 && rune != 0xfeff);
        FUZZ_MUST(!options.ascii || rune < 0x80);
    }
}

static void check(const char *data, size_t size, safe_text_options_t options, size_t columns)
{
    char *safe = safe_text_new(data, size, options);
    FUZZ_MUST(strlen(safe) <= SAFE_TEXT_MAX_BYTES);
    check_safe(safe, options);
    if (!options.lines) {
        char *cut = safe_text_truncate(safe, columns, options.ascii);
        check_safe(cut, options);
        FUZZ_MUST(safe_text_width(cut) <= columns);
        FUZZ_MUST(safe_text_width(safe) > columns || strcmp(cut, safe) == 0);
        free(cut);
    }
    free(safe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    safe_text_options_t options = {
        .lines = data[0] & 1, .ascii = data[0] & 2, .indent = data[0] >> 4};
    check((const char *)data + 2, size - 2, options, data[1]);
    return 0;
}
