/* SPDX-License-Identifier: MPL-2.0 */
/* Rows of options.def as data, and values of options as text. */
#ifndef CONCLAVE_BROKER_SETTINGS_OPTION_VALUE_H
#define CONCLAVE_BROKER_SETTINGS_OPTION_VALUE_H

#include "proto/endpoint.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_TEXT_BYTES    PATH_MAX /* with the NUL */
#define OPTION_ENDPOINTS_MAX 16

typedef struct {
    endpoint_t items[OPTION_ENDPOINTS_MAX];
    size_t count;
} endpoint_list_t;

/* Where to serve something that can be switched off. Port 0: any free one. */
typedef struct {
    bool is_given;
    bool is_off;
    endpoint_t endpoint;
} local_address_t;

typedef enum {
    OPTION_TEXT,
    OPTION_ENDPOINTS,
    OPTION_ADDRESS,
    OPTION_CHOICE,
    OPTION_NUMBER,
    OPTION_ACTION
} option_kind_t;

typedef enum { RELOADS, RESTARTS, FLAG_ONLY } option_change_t;

typedef struct {
    const char *name;
    const char *argument; /* as --help shows it; NULL for an action */
    const char *initial;  /* the default as text; "" for none */
    const char *help;
    option_kind_t kind;
    option_change_t change;
    size_t offset; /* of the field in options_t */
    size_t size;
    uint64_t least; /* of a number */
    uint64_t most;
    const char *const *choices; /* up to a NULL */
    int action;                 /* options_action_t */
} option_row_t;

/* Sets the field, or adds to a list; on false the field is as it was. */
bool option_value_parse(const option_row_t *row, void *field, const char *text);

/* How many texts say the value, 0 for an empty text; and the one at `index`, cut at `size`. */
size_t option_value_count(const option_row_t *row, const void *field);
void option_value_format(const option_row_t *row, const void *field, size_t index, char *out,
                         size_t size);

/* What a value may be, e.g. "a whole number from 1 to 36500". Cut at `size`. */
void option_value_allowed(const option_row_t *row, char *out, size_t size);

#endif
