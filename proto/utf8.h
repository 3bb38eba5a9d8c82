/* SPDX-License-Identifier: MPL-2.0 */
/* Whether bytes are UTF-8. */
#ifndef CONCLAVE_PROTO_UTF8_H
#define CONCLAVE_PROTO_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Well-formed by Unicode's table 3-7 (no overlong forms, no surrogates, nothing above U+10FFFF),
 * and without NUL. */
bool utf8_valid(const char *text, size_t size);

#endif
