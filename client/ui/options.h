/* SPDX-License-Identifier: MPL-2.0 */
/* Command line options from tables: parsing, messages for mistakes, and help, all from the same
 * rows. */
#ifndef CONCLAVE_CLIENT_UI_OPTIONS_H
#define CONCLAVE_CLIENT_UI_OPTIONS_H

#include "client/ui/text_buffer.h"
#include "proto/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    OPTION_FLAG,    /* bool */
    OPTION_TEXT,    /* const char *, into argv; not empty */
    OPTION_NUMBER,  /* uint64_t, decimal, minimum to maximum */
    OPTION_SECONDS, /* uint64_t in ms, from seconds with up to three decimals; limits are in ms */
    OPTION_CHOICE,  /* const char *, one of the words of `argument`, which are parted by "|" */
} option_kind_t;

typedef struct {
    const char *name; /* without the dashes */
    char letter;      /* short form, or 0 */
    option_kind_t kind;
    const char *argument; /* "SECONDS"; NULL for a flag */
    const char *help;
    size_t offset; /* of the field in the struct of values */
    uint64_t minimum;
    uint64_t maximum; /* 0: none */
} option_row_t;

typedef struct {
    const option_row_t *rows;
    size_t count;
    void *values; /* the struct that `offset` counts in; holds the defaults before */
} option_set_t;

#define OPTIONS_SETS_MAX 2 /* the global ones and the command's */

/* A walk over argv. Options may stand anywhere, repeated ones override; "--" ends them; "-" is a
 * word. */
typedef struct {
    int argc;
    char **argv;
    int next;
    bool only_words; /* "--" was seen */
    option_set_t sets[OPTIONS_SETS_MAX];
    size_t set_count;
    text_buffer_t error;
} options_t;

/* argv[0] is skipped; argv must outlive `self` and what it returns. */
void options_init(options_t *self, int argc, char **argv);
void options_wipe(options_t *self);

/* From here on these options are known too. Rows and values must outlive `self`. */
void options_add_set(options_t *self, const option_row_t *rows, size_t count, void *values);

/*
 * Stores the options that come next and returns the word after them, NULL at the end. STATUS_USAGE:
 * options_error says why. So COMMAND is the first word, whose options are added before asking for
 * the second.
 */
status_t options_next(options_t *self, const char **word) MUST_CHECK;

/* One sentence about the last failure, with the nearest name if there is one. Holds raw user input.
 */
const char *options_error(const options_t *self);

/* "[--wait SECONDS] [--yes]"; the caller frees it. */
char *options_synopsis(const option_row_t *rows, size_t count);

/* One line an option, aligned; the caller frees it. */
char *options_help(const option_row_t *rows, size_t count);

/* The candidate that is at most two slips away (one for short words), or NULL. Slips: a letter
   more, less, other, or two swapped (Damerau and Levenshtein's distance). For unknown commands too.
 */
const char *options_nearest(const char *word, const char *const *candidates, size_t count);

#endif
