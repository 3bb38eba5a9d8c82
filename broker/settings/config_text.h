/* SPDX-License-Identifier: MPL-2.0 */
/* The config file's syntax: lines `key = value`, and comments that start with #. */
#ifndef CONCLAVE_BROKER_SETTINGS_CONFIG_TEXT_H
#define CONCLAVE_BROKER_SETTINGS_CONFIG_TEXT_H

#include "proto/bytes.h"

#define CONFIG_FILE_MAX_BYTES ((size_t)64 * 1024)
#define CONFIG_LINE_MAX_BYTES ((size_t)8 * 1024)

/* Where in the text one is. Zeroed but for `left`: its start. */
typedef struct {
    bytes_t left; /* borrowed */
    size_t line;  /* the number of the last line that was read, from 1 */
    char bytes[CONFIG_LINE_MAX_BYTES + 1];
} config_text_t;

/* Key and value without the blanks around them, valid UTF-8 without control characters; they live
   until the next call. Or `problem`, what is wrong with the line: then both are NULL. */
typedef struct {
    const char *key;
    const char *value;
    const char *problem;
} config_line_t;

/* The next line that is neither empty nor a comment; false at the end. A byte order mark at the
   start and a carriage return before a line's end are taken for what they are. */
bool config_text_next(config_text_t *self, config_line_t *out);

/* Reads a config file whole; *out is to be freed by the caller whatever comes back. NULL is
   success; else why it can't be used, as a text that lives for ever. */
MUST_CHECK const char *config_file_read(const char *path, buffer_t *out);

#endif
