/* SPDX-License-Identifier: MPL-2.0 */
/* The rows of options.def, and the fields of options_t that they set. */
#ifndef CONCLAVE_BROKER_SETTINGS_OPTION_TABLE_H
#define CONCLAVE_BROKER_SETTINGS_OPTION_TABLE_H

#include "broker/settings/options.h"

enum {
    OPTION_ROWS = 0
/* NOLINTBEGIN(bugprone-macro-parentheses): terms of one sum */
#define TEXT(...)      +1
#define ENDPOINTS(...) +1
#define ADDRESS(...)   +1
#define CHOICE(...)    +1
#define NUMBER(...)    +1
#define ACTION(...)    +1
/* NOLINTEND(bugprone-macro-parentheses) */
#include "broker/settings/options.def"
};

extern const option_row_t option_rows[OPTION_ROWS];

/* Not for an action, which has no field. */
void *option_field(options_t *options, const option_row_t *row);
const void *option_field_of(const options_t *options, const option_row_t *row);

#endif
