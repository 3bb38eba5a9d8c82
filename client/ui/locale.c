/* SPDX-License-Identifier: MPL-2.0 */
/* The process's character set. */
#include "client/ui/locale.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

/* The locale that the environment names for characters, NULL if none. */
static const char *named(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *value = getenv(variables[i]);
        if (value && *value)
            return value;
    }
    return NULL;
}

static bool is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

bool locale_init(void)
{
    const char *name = named();
    bool known = setlocale(LC_CTYPE, "") != NULL;
    bool utf8 = known ? is_utf8() : name && strcasestr(name, "utf");
    if (!known || !utf8)
        (void)setlocale(LC_CTYPE, "C.UTF-8");
    return name && !utf8;
}
