/* SPDX-License-Identifier: MPL-2.0 */
/* The process's character set: UTF-8 inside, whatever the terminal can show. */
#ifndef CONCLAVE_CLIENT_UI_LOCALE_H
#define CONCLAVE_CLIENT_UI_LOCALE_H

#include <stdbool.h>

/*
 * Sets LC_CTYPE to the user's locale, or to C.UTF-8 if that is not UTF-8 (libedit ends a line at
 * the first é otherwise). Call once in main, before any thread. Returns whether output must keep to
 * ASCII: the environment names a locale that is not UTF-8. With no locale named at all, as in most
 * containers, UTF-8 is assumed.
 */
bool locale_init(void);

#endif
