/* SPDX-License-Identifier: MPL-2.0 */
/* Names and texts of statuses, from the one table. */
#include "proto/status.h"

#include <stddef.h>

static const struct {
    status_t status;
    const char *name;
    const char *text;
} table[] = {
#define STATUS(name, code, text) {STATUS_##name, #name, text},
#include "proto/status.def"
#undef STATUS
};

static const size_t table_count = sizeof table / sizeof table[0];

const char *status_name(status_t status)
{
    for (size_t i = 0; i < table_count; i++)
        if (table[i].status == status)
            return table[i].name;
    return "UNKNOWN_STATUS";
}

const char *status_text(status_t status)
{
    for (size_t i = 0; i < table_count; i++)
        if (table[i].status == status)
            return table[i].text;
    return "unknown status";
}

status_t status_from_code(unsigned long long code)
{
    for (size_t i = 0; i < table_count; i++)
        if ((unsigned long long)table[i].status == code)
            return table[i].status;
    return STATUS_MALFORMED;
}

status_t status_from_wire(unsigned long long code)
{
    return code < STATUS_FIRST_LOCAL ? status_from_code(code) : STATUS_MALFORMED;
}
