/* SPDX-License-Identifier: MPL-2.0 */
/* A line of history as it is stored: what screens are shown, byte for byte the same after a
 * restart. */
#ifndef CONCLAVE_CLIENT_CORE_LINE_ROW_H
#define CONCLAVE_CLIENT_CORE_LINE_ROW_H

#include "client/local/local.h"

/* Kinds of notices. */
#define NOTICE_JOINED        "joined"
#define NOTICE_LEFT          "left"
#define NOTICE_REKEYED       "rekeyed"
#define NOTICE_RENEWED       "renewed"
#define NOTICE_GAP           "gap"
#define NOTICE_UNDECRYPTABLE "undecryptable"
#define NOTICE_KEY_CHANGED   "key-changed"
#define NOTICE_FORK          "fork"
#define NOTICE_HELD          "held"
#define NOTICE_REFUSED       "refused" /* an own text that will never be sent */
#define NOTICE_OUT_OF_STEP   "out-of-step"
#define NOTICE_RESTORED      "restored" /* the broker says that it was, from a backup */
#define NOTICE_BROKER        "broker"   /* the broker contradicts itself or this device */

/* A view of a C string, for a TEXT field. */
text_t text_of(const char *text);

/* Appends; the group's id and name stand in the row's place, not in its value. */
void line_row_write(const local_line_record_t *line, buffer_t *out);
/* Views into bytes. group and group_name stay as they are. STATUS_DAMAGED_FILE,
 * STATUS_NEWER_FORMAT. */
MUST_CHECK status_t line_row_read(local_line_record_t *line, bytes_t bytes);

#endif
