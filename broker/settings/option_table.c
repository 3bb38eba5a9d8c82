/* SPDX-License-Identifier: MPL-2.0 */
/* Generated from options.def by the preprocessor. */
#include "broker/settings/option_table.h"

#include "broker/rules/rules.h"

#define FIELD(field_) .offset = offsetof(options_t, field_), .size = sizeof((options_t *)0)->field_

static const char *const yes_names[] = {"no", "yes", NULL};

const option_row_t option_rows[OPTION_ROWS] = {
#define TEXT(field, name_, argument_, change_, initial_, help_)                                    \
    {.name = (name_),                                                                              \
     .argument = (argument_),                                                                      \
     .initial = (initial_),                                                                        \
     .help = (help_),                                                                              \
     .kind = OPTION_TEXT,                                                                          \
     .change = (change_),                                                                          \
     FIELD(field)},
#define ENDPOINTS(field, name_, argument_, change_, initial_, help_)                               \
    {.name = (name_),                                                                              \
     .argument = (argument_),                                                                      \
     .initial = (initial_),                                                                        \
     .help = (help_),                                                                              \
     .kind = OPTION_ENDPOINTS,                                                                     \
     .change = (change_),                                                                          \
     FIELD(field)},
#define ADDRESS(field, name_, argument_, change_, initial_, help_)                                 \
    {.name = (name_),                                                                              \
     .argument = (argument_),                                                                      \
     .initial = (initial_),                                                                        \
     .help = (help_),                                                                              \
     .kind = OPTION_ADDRESS,                                                                       \
     .change = (change_),                                                                          \
     FIELD(field)},
#define CHOICE(field, name_, argument_, change_, names_, initial_, help_)                          \
    {.name = (name_),                                                                              \
     .argument = (argument_),                                                                      \
     .initial = (initial_),                                                                        \
     .help = (help_),                                                                              \
     .kind = OPTION_CHOICE,                                                                        \
     .change = (change_),                                                                          \
     .choices = (names_),                                                                          \
     FIELD(field)},
#define NUMBER(field, name_, change_, least_, most_, initial_, help_)                              \
    {.name = (name_),                                                                              \
     .argument = "N",                                                                              \
     .initial = (initial_),                                                                        \
     .help = (help_),                                                                              \
     .kind = OPTION_NUMBER,                                                                        \
     .change = (change_),                                                                          \
     .least = (least_),                                                                            \
     .most = (most_),                                                                              \
     FIELD(field)},
#define ACTION(action_, name_, help_)                                                              \
    {.name = (name_),                                                                              \
     .initial = "",                                                                                \
     .help = (help_),                                                                              \
     .kind = OPTION_ACTION,                                                                        \
     .change = FLAG_ONLY,                                                                          \
     .action = (action_)},
#include "broker/settings/options.def"
};

void *option_field(options_t *options, const option_row_t *row)
{
    return (char *)options + row->offset;
}

const void *option_field_of(const options_t *options, const option_row_t *row)
{
    return (const char *)options + row->offset;
}
