/* SPDX-License-Identifier: MPL-2.0 */
/* Writes the lines of --json: one flat object a line, members in the order they were added. */
#ifndef CONCLAVE_CLIENT_UI_JSON_H
#define CONCLAVE_CLIENT_UI_JSON_H

#include "client/ui/text_buffer.h"
#include "proto/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* An object under construction. Keys are literals of the program and must be distinct. */
typedef struct {
    text_buffer_t text;
} json_t;

/* Opens the object. End it with json_take, json_write or json_wipe. */
void json_init(json_t *self);

/*
 * Adds a string. Ill-formed UTF-8 becomes U+FFFD. Besides what RFC 8259 asks for, everything that
 * could act on a terminal or break a line (DEL, C1, bidi and other format characters, U+2028,
 * U+2029, unassigned) is written as \uXXXX: the same JSON, harmless to look at. A NULL text adds
 * null.
 */
void json_add_text(json_t *self, const char *key, const char *text);
void json_add_bytes(json_t *self, const char *key, const char *bytes, size_t size);

/* Adds a number, in full: readers that keep doubles lose digits beyond 2^53. */
void json_add_number(json_t *self, const char *key, uint64_t value);
void json_add_bool(json_t *self, const char *key, bool value);
void json_add_null(json_t *self, const char *key);

/* Closes the object and returns it without newline; the caller frees it. `self` is empty
 * afterwards. */
char *json_take(json_t *self);

/* Closes the object, writes it with a newline and flushes. STATUS_IO_ERROR (EPIPE and the like in
 * errno). */
status_t json_write(json_t *self, FILE *stream) MUST_CHECK;

/* Drops an unfinished object. */
void json_wipe(json_t *self);

#endif
