/* SPDX-License-Identifier: MPL-2.0 */
/* What commands print on standard output: JSON objects, sentences, and tables whose cells are made
 * safe. */
#ifndef CONCLAVE_CLIENT_UI_OUTPUT_H
#define CONCLAVE_CLIENT_UI_OUTPUT_H

#include "client/ui/command.h"
#include "client/ui/json.h"

/* Ends and prints the object; complains if standard output takes no more. */
status_t output_json(invocation_t *self, json_t *json) MUST_CHECK;

/* A sentence, made safe, in a style. Nothing if --quiet and is_needed is false. */
status_t output_say(invocation_t *self, format_style_t style, bool is_needed, const char *format,
                    ...) __attribute__((format(printf, 4, 5))) MUST_CHECK;

/* A text that format.h made; taken over. */
status_t output_line(invocation_t *self, char *line) MUST_CHECK;

/* What remains to be done after a failed write: a complaint, or silence if the reader went away. */
status_t output_failed(invocation_t *self);

#endif
