/* SPDX-License-Identifier: MPL-2.0 */
/* A growing byte string that is always NUL-terminated: what the user interface assembles its lines
 * in. */
#ifndef CONCLAVE_CLIENT_UI_TEXT_BUFFER_H
#define CONCLAVE_CLIENT_UI_TEXT_BUFFER_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is empty and valid. Not for secrets: growing leaves old copies behind. */
typedef struct {
    char *bytes; /* NULL until something was added */
    size_t size; /* without the NUL */
    size_t capacity;
} text_buffer_t;

void text_buffer_add(text_buffer_t *self, const char *bytes, size_t size);
void text_buffer_add_text(text_buffer_t *self, const char *text);
void text_buffer_add_repeated(text_buffer_t *self, char c, size_t count);
void text_buffer_add_format(text_buffer_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void text_buffer_add_format_v(text_buffer_t *self, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Drops what lies beyond `size` bytes. */
void text_buffer_cut(text_buffer_t *self, size_t size);

/* The string, which the caller frees; never NULL. The buffer is empty afterwards. */
char *text_buffer_take(text_buffer_t *self);

/* Frees what it holds; the buffer is empty afterwards. */
void text_buffer_wipe(text_buffer_t *self);

/* A string of these bytes, or of what is spelled; the caller frees it. */
char *text_new(const char *bytes, size_t size);
char *text_new_format_v(const char *format, va_list arguments)
    __attribute__((format(printf, 1, 0)));

#endif
