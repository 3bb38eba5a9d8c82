/* SPDX-License-Identifier: MPL-2.0 */
/* Levenshtein's distance, one row of the matrix at a time. */
#include "broker/settings/option_name.h"

#include <string.h>

#define NEAR           2
#define NAME_BYTES_MAX 63

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

bool option_name_is_near(const char *written, const char *name)
{
    size_t row[NAME_BYTES_MAX + 1];
    size_t size = strlen(name);
    size_t written_size = strnlen(written, NAME_BYTES_MAX + 1);
    if (size > NAME_BYTES_MAX || written_size > NAME_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i <= size; i++) {
        row[i] = i;
    }
    for (size_t w = 1; w <= written_size; w++) {
        size_t diagonal = row[0];
        row[0] = w;
        for (size_t i = 1; i <= size; i++) {
            size_t changed = diagonal + (written[w - 1] != name[i - 1]);
            diagonal = row[i];
            row[i] = least(changed, least(row[i], row[i - 1]) + 1);
        }
    }
    return row[size] <= NEAR;
}
