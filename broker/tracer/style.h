/* SPDX-License-Identifier: MPL-2.0 */
/* Colours and signs of the tool's output: none of either where they would not show. */
#ifndef CONCLAVE_BROKER_TRACER_STYLE_H
#define CONCLAVE_BROKER_TRACER_STYLE_H

#include <stdbool.h>

typedef enum {
    INK_PLAIN,
    INK_FAINT,
    INK_BOLD,
    INK_USER,
    INK_GROUP,
    INK_GOOD,
    INK_BAD,
    INK_STORE,
    INK_COUNT
} ink_t;

typedef struct {
    bool is_coloured;
    bool is_unicode;
} style_t;

/* Colours for a terminal unless TERM is dumb, and for whatever reads it with CLICOLOR_FORCE; none with
 * NO_COLOR. Signs beyond ASCII where the
 * locale's encoding is UTF-8. */
style_t style_of_stdout(void);

/* The escape sequence that begins an ink, INK_PLAIN to end it; "" without colours. */
const char *style_ink(const style_t *self, ink_t ink);
const char *style_arrow(const style_t *self);
const char *style_cross(const style_t *self);
const char *style_dot(const style_t *self);

#endif
