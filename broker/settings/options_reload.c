/* SPDX-License-Identifier: MPL-2.0 */
/* Differences between two settings, as they show in the config file. */
#include "broker/settings/option_table.h"

#include <string.h>

#define VALUE_BYTES                                                                                \
    (OPTION_TEXT_BYTES + 2048) /* the longest path, or the first of many endpoints */

static void format_all(const option_row_t *row, const options_t *options, char *out)
{
    const void *field = option_field_of(options, row);
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < option_value_count(row, field) && used + 2 < VALUE_BYTES; i++) {
        used += (size_t)snprintf(out + used, VALUE_BYTES - used, "%s", i > 0 ? " " : "");
        option_value_format(row, field, i, out + used, VALUE_BYTES - used);
        used += strlen(out + used);
    }
}

void options_take_reloaded(options_t *self, const options_t *from, options_changed_t *changed,
                           options_changed_t *restart, void *context)
{
    char old[VALUE_BYTES];
    char new[VALUE_BYTES];
    for (const option_row_t *row = option_rows; row < option_rows + OPTION_ROWS; row++) {
        if (row->change == FLAG_ONLY) {
            continue;
        }
        format_all(row, self, old);
        format_all(row, from, new);
        if (strcmp(old, new) == 0) {
            continue;
        }
        if (row->change == RESTARTS) {
            restart(context, row->name, old, new);
        } else {
            memcpy(option_field(self, row), option_field_of(from, row), row->size);
            changed(context, row->name, old, new);
        }
    }
}
