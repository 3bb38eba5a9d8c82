/* SPDX-License-Identifier: MPL-2.0 */
/* Lines of a group as people and as programs read them, on a stream or as text. */
#ifndef CONCLAVE_CLIENT_UI_LINE_VIEW_H
#define CONCLAVE_CLIENT_UI_LINE_VIEW_H

#include "client/local/local.h"
#include "client/ui/command.h"

/* One line without final newline, for a terminal; made safe. with_group: say which group. The
 * caller frees it. */
char *line_view_text(const format_t *format, const local_line_record_t *line, bool with_group);

/* The same as a JSON object; the caller frees it. */
char *line_view_json(const local_line_record_t *line);

/* Prints and flushes, as JSON if asked for. STATUS_IO_ERROR (errno): then it was not shown. */
status_t line_view_print(invocation_t *self, const local_line_record_t *line,
                         bool with_group) MUST_CHECK;

#endif
