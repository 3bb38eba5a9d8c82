/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/tracer/style.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

style_t style_of_stdout(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *force = getenv("CLICOLOR_FORCE");
    const char *terminal = getenv("TERM");
    bool forced = force && *force && strcmp(force, "0") != 0;
    bool able = isatty(STDOUT_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
    setlocale(LC_CTYPE, "");
    return (style_t){.is_coloured = (forced || able) && !(no_color && *no_color),
                     .is_unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
}

const char *style_ink(const style_t *self, ink_t ink)
{
    static const char *const codes[INK_COUNT] = {
        [INK_PLAIN] = "\033[0m",  [INK_FAINT] = "\033[2m",  [INK_BOLD] = "\033[1m",
        [INK_USER] = "\033[36m",  [INK_GROUP] = "\033[35m", [INK_GOOD] = "\033[32m",
        [INK_BAD] = "\033[1;31m", [INK_STORE] = "\033[33m"};
    return self->is_coloured ? codes[ink] : "";
}

const char *style_arrow(const style_t *self)
{
    return self->is_unicode ? "→" : "->";
}

const char *style_cross(const style_t *self)
{
    return self->is_unicode ? "✗" : "x";
}

const char *style_dot(const style_t *self)
{
    return self->is_unicode ? "●" : "*";
}
