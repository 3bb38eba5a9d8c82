/* SPDX-License-Identifier: MPL-2.0 */
/* Writes JSON into a buffer, with the commas and the escapes where they belong. */
#ifndef CONCLAVE_BROKER_JSON_H
#define CONCLAVE_BROKER_JSON_H

#include "proto/bytes.h"

#include <stdbool.h>

#define JSON_DEPTH_MAX 8

/* `out` is borrowed; writing appends. Start with json_of. */
typedef struct {
    buffer_t *out;
    char closers[JSON_DEPTH_MAX];
    size_t depth;
    bool needs_comma;
} json_t;

json_t json_of(buffer_t *out);

/* The key of the next value; inside an object each value needs one. Trusted text. */
void json_key(json_t *self, const char *key);

void json_object(json_t *self);
void json_array(json_t *self);
/* Closes what was opened last. */
void json_end(json_t *self);

void json_number(json_t *self, uint64_t value);
/* value / 10^decimals, exactly. */
void json_decimal(json_t *self, uint64_t value, unsigned decimals);
void json_bool(json_t *self, bool value);
/* Any text. Quotes, backslashes, controls and <, >, & are escaped, so that it can't end anything it
   is put into; what is no UTF-8 becomes '?'. */
void json_text(json_t *self, const char *text);

/* Key and value in one. */
void json_put_number(json_t *self, const char *key, uint64_t value);
void json_put_bool(json_t *self, const char *key, bool value);
void json_put_text(json_t *self, const char *key, const char *text);
/* As text, two digits a byte. */
void json_put_hex(json_t *self, const char *key, bytes_t bytes);
/* Nothing where it is 0 or "". */
void json_put_nonzero(json_t *self, const char *key, uint64_t value);
void json_put_nonempty(json_t *self, const char *key, const char *text);

/* value / 10^decimals as text, shared with the metrics. */
#define DECIMAL_TEXT_BYTES 32
void decimal_format(char out[static DECIMAL_TEXT_BYTES], uint64_t value, unsigned decimals);

#endif
